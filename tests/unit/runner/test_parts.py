"""The parts of the runner that need no processes, as tables."""

from __future__ import annotations

import pytest

from torc_core.contracts.executor import Observation, command_of
from torc_core.errors import Invalid
from torc_core.records.answers import FinishedJob, JobLaunch
from torc_core.runner.capacity import Offer, Resources, Slots
from torc_core.runner.environment import job_environment, run_environment
from torc_core.runner.gpus import GpuPool, count_gpus, gpu_ids, offered_gpus
from torc_core.runner.limits import Limits, RunnerTime
from torc_core.runner.outcomes import outcome, without_outputs
from torc_core.runner.output_files import OutputFiles
from torc_core.runner.progress import Tally
from torc_core.runner.resources import machine
from torc_core.status import JobStatus

GIB = 2**30
STOPPED = (JobStatus.TERMINATED, "stopped")
CANCELED = (JobStatus.CANCELED, "canceled")


def launch(**fields):
    return JobLaunch(**{"id": 7, "name": "n", "command": "true", "attempt_id": 2, **fields})


# outcomes


@pytest.mark.parametrize(
    ("seen", "ended_as", "expected"),
    [
        ({"exit_code": 0}, None, ("completed", 0)),
        ({"exit_code": 3}, None, ("failed", 3)),
        ({"signal": 11}, None, ("failed", 139)),
        ({"signal": 64}, None, ("failed", 192)),
        ({"exit_code": 0, "reason": "canceled"}, STOPPED, ("completed", 0)),
        ({"exit_code": 9, "reason": "canceled"}, STOPPED, ("terminated", 9)),
        ({"signal": 15, "reason": "canceled"}, STOPPED, ("terminated", 143)),
        ({"signal": 9, "reason": "canceled"}, STOPPED, ("terminated", 152)),
        ({"signal": 9, "reason": "canceled"}, CANCELED, ("canceled", 137)),
        ({"exit_code": 0, "reason": "canceled"}, CANCELED, ("canceled", 0)),
        ({"signal": 9, "reason": "timeout"}, None, ("terminated", 152)),
        ({"signal": 15, "reason": "timeout"}, None, ("terminated", 143)),
        ({"exit_code": 4, "reason": "timeout"}, None, ("terminated", 4)),
        ({"exit_code": 0, "reason": "timeout"}, None, ("completed", 0)),
        ({"signal": 9, "reason": "memory"}, None, ("failed", 137)),
        ({"state": "lost"}, None, ("failed", -128)),
        ({}, None, ("failed", -128)),
    ],
)
def test_what_an_end_stands_for(seen, ended_as, expected):
    result = outcome(Observation(**{"state": "done", **seen}), Limits(), ended_as)
    assert (result.status, result.return_code) == expected
    assert (result.reason is None) == (expected[0] == "completed" or expected == ("failed", 3))


def test_the_codes_for_time_and_memory_can_be_set():
    limits = Limits.of({"timeout_exit_code": 99, "oom_exit_code": 98})
    assert outcome(Observation("done", signal=9, reason="timeout"), limits).return_code == 99
    assert outcome(Observation("done", signal=9, reason="memory"), limits).return_code == 98


def test_missing_outputs_are_named_and_a_job_that_was_ended_is_not_blamed():
    assert without_outputs(["a"], None) == ("failed", 1, "did not write a")
    assert without_outputs(["a"], STOPPED).status == "terminated"
    assert without_outputs(list("abcdefg"), None).reason == "did not write a, b, c, d, e and 2 more"


# limits


def test_limits_have_the_documented_defaults():
    usual = (True, 30, 60, 152, 137, "SIGTERM")
    assert Limits.of(None) == usual
    found = Limits.of({"sigterm_lead_seconds": 5, "mode": "direct", "oom_exit_code": None})
    assert found == (True, 5, 60, 152, 137, "SIGTERM")


@pytest.mark.parametrize(
    ("config", "name", "seconds", "walltime"),
    [
        ({}, "small", 90, 90.0),
        ({}, "default", 60, None),
        ({}, "small", 0, None),
        ({"limit_resources": False}, "small", 90, None),
    ],
)
def test_what_limits_a_job(config, name, seconds, walltime):
    assert Limits.of(config).walltime(name, seconds) == walltime


def test_the_end_of_a_runner_leaves_lead_and_headroom():
    long = RunnerTime.of(1000.0, 3600.0, Limits())
    assert (long.end_at, long.stop_at, long.grace_seconds) == (4600.0, 4510.0, 30.0)
    short = RunnerTime.of(1000.0, 100.0, Limits())
    assert (short.end_at, short.stop_at, short.grace_seconds) == (1100.0, 1080.0, 10.0)


@pytest.mark.parametrize(("now", "text"), [(1000.0, "PT62M"), (1059.0, "PT61M"), (4599.0, "PT2M"), (9999.0, "PT1M")])
def test_claims_round_the_time_left_down_and_add_two_minutes(now, text):
    assert RunnerTime.of(1000.0, 3600.0, Limits()).claimable(now) == text


# commands, environment, files


@pytest.mark.parametrize(
    ("script", "command"),
    [
        (None, "run x"),
        ("  ", "run x"),
        ("nice", "nice run x"),
        ("nice\n", "nice run x"),
        ("a=1\nb=2", "a=1\nb=2\nrun x"),
    ],
)
def test_script_and_command_are_joined(script, command):
    assert command_of("run x", script) == command


def test_later_variables_win():
    inherited = {"PATH": "/bin", "A": "inherited", "CUDA_VISIBLE_DEVICES": "0,1", "TORC_JOB_ID": "1", "PWD": "/old"}
    base, fixed = run_environment(inherited, 3, 4, "out", "/work", "http://x", "/sub")
    job = launch(env={"A": "own", "CUDA_VISIBLE_DEVICES": "5", "TORC_WORKFLOW_ID": "99", "TORC_JOB_NAME": "no"})
    env = job_environment(base, fixed, job, ("1",))
    assert env == {
        "PATH": "/bin", "A": "own", "PWD": "/work",
        "CUDA_VISIBLE_DEVICES": "1", "HIP_VISIBLE_DEVICES": "1", "ROCR_VISIBLE_DEVICES": "1",
        "TORC_GPU_VISIBLE_DEVICES": "1",
        "TORC_WORKFLOW_ID": "3", "TORC_RUN_ID": "4", "TORC_OUTPUT_DIR": "out", "TORC_API_URL": "http://x",
        "TORC_WORKFLOW_SUBMISSION_DIR": "/sub", "TORC_JOB_ID": "7", "TORC_JOB_NAME": "n", "TORC_ATTEMPT_ID": "2",
    }  # fmt: skip
    assert base["A"] == "inherited"
    assert job_environment(base, fixed, launch())["CUDA_VISIBLE_DEVICES"] == "0,1"


@pytest.mark.parametrize(
    ("workflow", "job", "expected"),
    [
        (None, None, (".o", ".e", False)),
        ({"mode": "combined"}, None, (".log", ".log", False)),
        ({"mode": "no_stdout"}, None, (None, ".e", False)),
        ({"mode": "no_stderr"}, None, (".o", None, False)),
        ({"mode": "none"}, None, (None, None, False)),
        ({"mode": "none"}, {"mode": "separate"}, (".o", ".e", False)),
        ({"mode": "combined"}, {"delete_on_success": True}, (".log", ".log", True)),
        ({"delete_on_success": True}, {"delete_on_success": False}, (".o", ".e", False)),
    ],
)
def test_where_streams_go(workflow, job, expected):
    files = OutputFiles("out", 3, 4, {"stdio": workflow})
    stem = "out/job_stdio/job_wf3_j7_r4_a2"
    names = tuple(None if suffix is None else stem + suffix for suffix in expected[:2])
    assert files.of(launch(stdio=job)) == (*names, expected[2])


def test_overrides_by_name_and_unknown_modes():
    files = OutputFiles("out", 3, 4, {"job_stdio_overrides": {"n": {"mode": "none"}}})
    assert files.of(launch()).stdout is None
    assert files.of(launch(name="other")).stdout is not None
    with pytest.raises(Invalid, match="combined"):
        files.of(launch(stdio={"mode": "both"}))


# capacity


def test_resources_are_taken_and_given_back():
    here = Resources(4, 8 * GIB, GpuPool(["0", "1"]), Offer())
    job = launch(num_cpus=3, memory_bytes=6 * GIB, num_gpus=2)
    gpus = here.take(job)
    assert gpus == ("0", "1")
    assert not here.fits(launch(num_cpus=2))
    assert not here.fits(launch(num_cpus=1, memory_bytes=3 * GIB))
    assert not here.fits(launch(num_cpus=1, num_gpus=1))
    assert here.fits(launch(num_cpus=1, memory_bytes=2 * GIB))
    limit, room = here.claim(0, "PT9M")
    assert (limit, room.num_cpus, room.memory_gb, room.num_gpus, room.num_nodes) == (1, 1, 2.0, 0, 1)
    assert room.time_limit == "PT9M"
    here.give(job, gpus)
    assert here.fits(launch(num_cpus=4, memory_bytes=8 * GIB, num_gpus=2))


def test_claims_ahead_never_ask_for_more_than_the_machine_has_in_one_job():
    here = Resources(4, 8 * GIB, GpuPool(["0"]), Offer())
    here.take(launch(num_cpus=4))
    limit, room = here.claim(10, None)
    assert (limit, room.num_cpus, room.memory_gb, room.num_gpus) == (10, 4, 8.0, 1)
    assert room.num_nodes >= 3  # ten jobs of one CPU


@pytest.mark.parametrize(
    ("needs", "text"),
    [
        ({"num_cpus": 5}, "5 CPUs"),
        ({"memory_bytes": 9 * GIB}, "9.0 GiB of memory"),
        ({"num_gpus": 2}, "2 GPUs"),
        ({"num_nodes": 2}, "2 nodes"),
    ],
)
def test_what_exceeds_the_machine_is_named(needs, text):
    assert text in Resources(4, 8 * GIB, GpuPool(["0"]), Offer()).misfit(launch(**needs))
    assert Slots(1, GpuPool([]), Offer()).misfit(launch(**needs)) is None


def test_slots_send_a_room_only_for_labels_and_schedulers():
    assert Slots(3, GpuPool([]), Offer()).claim(2, None) == (5, None)
    _, room = Slots(3, GpuPool([]), Offer(("b", "a"), 4)).claim(0, None)
    assert (room.labels, room.scheduler_config_id) == (["a", "b"], 4)
    assert room.num_cpus > 1_000_000


# GPUs


@pytest.mark.parametrize(
    ("environ", "ids"),
    [
        ({}, None),
        ({"CUDA_VISIBLE_DEVICES": "2,3"}, ["2", "3"]),
        ({"CUDA_VISIBLE_DEVICES": ""}, []),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, []),
        ({"CUDA_VISIBLE_DEVICES": "GPU-8f, GPU-9a"}, ["GPU-8f", "GPU-9a"]),
        ({"SLURM_JOB_GPUS": "gpu:0,1"}, ["0", "1"]),
        ({"SLURM_JOB_GPUS": "0,1", "SLURM_STEP_GPUS": "1"}, ["1"]),
        ({"SLURM_STEP_GPUS": "1", "CUDA_VISIBLE_DEVICES": "0"}, ["0"]),
    ],
)
def test_gpus_of_the_environment(environ, ids):
    assert offered_gpus(environ) == ids


def test_a_given_number_of_gpus_wins():
    assert gpu_ids({"CUDA_VISIBLE_DEVICES": "2,3"}, 1) == ["2"]
    assert gpu_ids({"CUDA_VISIBLE_DEVICES": "2"}, 3) == ["0", "1", "2"]
    assert gpu_ids({}, 2) == ["0", "1"]
    assert gpu_ids({"CUDA_VISIBLE_DEVICES": "2,3"}, None) == ["2", "3"]


def test_gpus_are_shared_in_turn_only_when_there_are_too_few():
    pool = GpuPool(["0", "1"])
    first = pool.take(1)
    assert (first, pool.take(1), pool.has_shared) == (("0",), ("1",), False)
    shared = [pool.take(1) for _ in range(2)]
    assert (shared, pool.has_shared) == ([("0",), ("1",)], True)
    assert pool.take(5) in {("0", "1"), ("1", "0")}
    assert GpuPool([]).take(1) == ()


# the machine


def write(root, **files):
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_the_nearest_limit_of_nested_control_groups_counts(tmp_path, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)))
    (tmp_path / "sys/fs/cgroup/a/b").mkdir(parents=True)
    write(tmp_path, proc__meminfo="MemTotal: 1048576 kB\n", proc__self__cgroup="0::/a/b\n")
    assert machine(tmp_path) == (16, GIB)
    (tmp_path / "sys/fs/cgroup/a/b/cpu.max").write_text("max 100000\n")
    (tmp_path / "sys/fs/cgroup/a/b/memory.max").write_text("max\n")
    (tmp_path / "sys/fs/cgroup/a/cpu.max").write_text("350000 100000\n")
    (tmp_path / "sys/fs/cgroup/a/memory.max").write_text("1000\n")
    assert machine(tmp_path) == (3, 1000)


def test_control_groups_of_the_first_kind_count_too(tmp_path, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)))
    write(tmp_path, proc__meminfo="MemTotal: 1048576 kB\n", proc__self__cgroup="4:memory:/x\n3:cpu,cpuacct:/x\n")
    for name, text in {
        "memory/x/memory.limit_in_bytes": "5000", "memory/memory.limit_in_bytes": "9223372036854771712",
        "cpu/x/cpu.cfs_quota_us": "50000", "cpu/x/cpu.cfs_period_us": "100000", "cpu/cpu.cfs_quota_us": "-1",
    }.items():  # fmt: skip
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    assert machine(tmp_path) == (1, 5000)  # half a CPU is still one


def test_affinity_counts(tmp_path, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {1, 5})
    write(tmp_path, proc__meminfo="MemFree: 1 kB\nMemTotal: 2 kB\n")
    assert machine(tmp_path) == (2, 2048)


# counting


def end(job_id, status, **more):
    return FinishedJob(
        job_id=job_id, attempt_id=1, status=status, return_code=1, exec_time_minutes=0.0, completion_time="", **more
    )


def test_attempts_that_are_tried_again_are_no_failures_unless_the_last_one_is():
    tally = Tally()
    tally.add(launch(id=1, name="a"), end(1, JobStatus.FAILED, again=True, decided="a rule"))
    tally.add(launch(id=2, name="b"), end(2, JobStatus.PENDING_FAILED))
    tally.add(launch(id=3, name="c"), end(3, JobStatus.TERMINATED, again=True))  # the runner was stopped
    counts = tally.counts(0, 0, 0)
    assert (counts.failed, counts.retried, counts.pending_failed, counts.terminated) == (0, 1, 1, 1)
    assert tally.failed_names() == ("a", "b", "c")


def test_a_failure_is_forgotten_when_a_later_attempt_succeeds():
    tally = Tally()
    tally.add(launch(id=1, name="a"), end(1, JobStatus.FAILED))
    tally.add(launch(id=2, name="b"), end(2, JobStatus.TERMINATED))
    tally.add(launch(id=3, name="c"), end(3, JobStatus.CANCELED))
    assert tally.failed_names() == ("a", "b")
    tally.add(launch(id=1, name="a"), end(1, JobStatus.COMPLETED))
    tally.add(launch(id=2, name="b"), end(2, JobStatus.COMPLETED))
    assert (tally.failed_names(), tally.has_failures) == ((), False)
    assert tally.counts(4, 5, 6) == (4, 2, 1, 1, 1, 5, 6, 0, 0)


def test_only_the_first_twenty_names_are_kept():
    tally = Tally()
    for i in range(30):
        tally.add(launch(id=i, name=str(i)), end(i, JobStatus.FAILED))
    assert tally.failed_names() == tuple(map(str, range(20)))


@pytest.mark.parametrize(
    ("says", "count"),
    [("echo GPU 0: a; echo '  MIG 1'; echo GPU 1: b", 2), ("echo no devices >&2; exit 9", 0), (None, 0)],
)
def test_gpus_are_counted_by_the_tool_of_their_driver(says, count, tmp_path, monkeypatch):
    monkeypatch.setattr("torc_core.runner.gpus._DRIVER", tmp_path / "no-driver")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin" if says else str(tmp_path))
    if says:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{says}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    assert count_gpus() == count
