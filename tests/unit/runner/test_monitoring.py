"""What runners measure, with real processes of known use, and how they end what uses too much."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
from contextlib import closing

import pytest

from tests.unit.runner.fake_service import FakeService
from torc_core.errors import Invalid
from torc_core.plugins import PluginHost
from torc_core.runner import sampling
from torc_core.runner.loop import Runner
from torc_core.runner.monitoring import MonitorConfig
from torc_core.runner.options import RunnerOptions
from torc_core.testing.executors import is_running, written
from torc_plugins.executors.local import LocalExecutor
from torc_plugins.executors.local_processes import own_peak_kib

MIB, GIB = 2**20, 2**30
HOLD = f"{sys.executable} -c 'x = b\"x\" * ({{size}} << 20); import time; {{then}}'"
"""Holds so many MiB and then does something."""
BURN = f"{sys.executable} -c 'import time\nwhile time.process_time() < {{seconds}}: pass'"
ASKED = {"requirements_name": "asked", "num_cpus": 1, "memory_bytes": 200 * MIB, "runtime_seconds": 600}


def job(name, command="true", **fields):
    return {"name": name, "command": command, **fields}


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    """Looks at limited jobs several times a second, so that tests need not wait."""
    monkeypatch.setattr(sampling, "_LIMIT_SECONDS", 0.2)
    monkeypatch.setattr(sampling, "_NEAR_SECONDS", 0.1)
    monkeypatch.setattr(sampling, "_COST_SHARE", 0.1)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the jobs of a service to the end, without control groups: another suite has those."""
    monkeypatch.chdir(tmp_path)

    def go(service, host=None, **options):
        options = {"output_dir": "out", "max_parallel_jobs": 4, "use_cgroups": False, "poll_seconds": 0.5, **options}
        host = host or PluginHost(only=[])
        return Runner(service, LocalExecutor(), 1, RunnerOptions(**options), None, host).run()

    return go


def log_of(tmp_path):
    return "".join(path.read_text() for path in (tmp_path / "out").glob("job_runner_*.log"))


# what is measured


def test_memory_cpu_and_bytes_of_jobs_come_with_their_results(run):
    writing = "head -c 5242880 /dev/zero > data; sleep 0.4; true"
    service = FakeService(
        [
            job("hold", HOLD.format(size=60, then="time.sleep(3.0)")),
            job("burn", BURN.format(seconds=0.6)),
            job("write", writing),
        ]
    )
    run(service)
    hold, burn, write = (service.result(name) for name in ("hold", "burn", "write"))
    assert 60 * MIB <= hold.peak_memory_bytes < 100 * MIB
    assert 0 < hold.avg_memory_bytes <= hold.peak_memory_bytes
    assert hold.peak_cpu_percent < 100
    seconds = burn.avg_cpu_percent / 100 * burn.exec_time_minutes * 60  # the share depends on who else is at work
    assert 0.55 <= seconds <= 3.0
    assert burn.avg_cpu_percent <= burn.peak_cpu_percent <= 110
    assert 5 * MIB <= write.write_bytes < 6 * MIB


def test_a_job_shorter_than_any_look_has_real_figures(run):
    # Larger than this process, below whose size the system does not tell.
    size = 100 + own_peak_kib() // 1024
    service = FakeService([job("quick", HOLD.format(size=size, then="pass")), job("nothing", "true")])
    run(service)
    quick, nothing = service.result("quick"), service.result("nothing")
    assert size * MIB <= quick.peak_memory_bytes < (size + 100) * MIB
    assert quick.peak_cpu_percent > 0
    assert nothing.peak_cpu_percent is not None
    assert nothing.peak_memory_bytes is None  # not known, and not said to be 0


def test_children_and_what_left_the_session_are_measured(run, tmp_path):
    hold = HOLD.format(size=40, then=f'open("{tmp_path}/" + str(time.time_ns()) + ".up", "w").close(); time.sleep(300)')
    wait = f"until [ $(ls {tmp_path} | grep -c up$) = 2 ]; do sleep 0.05; done; sleep 4"
    command = f"({hold}) & pid=$!; (setsid {hold} & echo $! > {tmp_path}/away); {wait}; kill $pid"
    service = FakeService([job("family", command)])
    try:
        run(service)
    finally:
        os.kill(int(written(tmp_path / "away")), signal.SIGKILL)
    assert service.result("family").peak_memory_bytes >= 80 * MIB


def test_monitoring_that_is_off_measures_only_what_the_system_tells_for_free(run, tmp_path):
    service = FakeService(
        [job("hold", HOLD.format(size=60, then="time.sleep(0.6)"))],
        resource_monitor_config={"enabled": False},
        execution_config={"limit_resources": False},
    )
    run(service)
    found = service.result("hold")
    assert (found.avg_memory_bytes, found.peak_cpu_percent) == (None, None)
    assert "monitor" not in log_of(tmp_path)


def test_without_plugins_nothing_is_measured(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    service = FakeService([job("a")])
    assert Runner(service, LocalExecutor(), 1, RunnerOptions(output_dir="out", max_parallel_jobs=1)).run().is_complete


@pytest.mark.parametrize("config", [{"granularity": "fine", "enabled": True}, 7, {"enabled": True, "jobs": 3}])
def test_a_configuration_that_makes_no_sense_is_told_and_the_run_goes_on(run, tmp_path, config):
    service = FakeService([job("a")], resource_monitor_config=config)
    assert run(service).is_complete
    assert "nothing is measured: the workflow's resource_monitor makes no sense" in log_of(tmp_path)


def test_a_monitor_that_is_not_there_is_told_and_the_run_goes_on(run, tmp_path):
    assert run(FakeService([job("a")]), monitor="sundial").is_complete
    assert 'nothing is measured: monitor "sundial" is not available' in log_of(tmp_path)


@pytest.mark.parametrize(
    ("config", "found"),
    [
        (None, ("summary", None, 10, 300)),
        ({}, (None, None, 10, 300)),
        ({"sample_interval_seconds": 2}, (None, None, 2, 300)),
        ({"enabled": True}, ("summary", None, 10, 300)),
        ({"enabled": True, "granularity": "time_series", "flush_interval_seconds": 5}, ("time_series", None, 10, 5)),
        ({"enabled": True, "jobs": {"enabled": False}}, (None, None, 10, 300)),
        ({"jobs": {"enabled": True}, "compute_node": {"enabled": True, "granularity": "time_series"}},
         ("summary", "time_series", 10, 300)),
        ({"enabled": False, "compute_node": {"enabled": True}}, (None, "summary", 10, 300)),
    ],
)  # fmt: skip
def test_the_stored_section_says_what_is_measured(config, found):
    read = MonitorConfig.of(config)
    assert (read.jobs, read.machine, read.sample_interval_seconds, read.flush_interval_seconds) == found


# time series and the machine


def test_time_series_are_kept_of_jobs_and_the_machine(run, tmp_path):
    config = {
        "sample_interval_seconds": 1, "jobs": {"enabled": True, "granularity": "time_series"},
        "compute_node": {"enabled": True, "granularity": "time_series"},
    }  # fmt: skip
    service = FakeService(
        [job("hold", HOLD.format(size=60, then="time.sleep(5)")), job("short")], resource_monitor_config=config
    )
    run(service)
    [path] = (tmp_path / "out/resource_utilization").glob("*.db")
    assert path.name == f"resource_metrics_wf1_h{os.uname().nodename}_r1.db"
    with closing(sqlite3.connect(path)) as db:
        samples = db.execute("SELECT job_id, memory_bytes, num_processes FROM job_resource_samples").fetchall()
        names = dict(db.execute("SELECT job_id, job_name FROM job_metadata"))
        [(peak, average)] = db.execute("SELECT peak_memory_bytes, avg_cpu_percent FROM job_metadata WHERE job_id = 1")
        machine = db.execute(
            "SELECT count(*), max(cpu_percent), max(memory_bytes) FROM system_resource_samples"
        ).fetchone()
        summary = db.execute("SELECT sample_count, peak_memory_bytes FROM system_resource_summary").fetchone()
    assert {job_id for job_id, *_ in samples} == {1}
    assert len(samples) >= 2
    assert max(memory for _, memory, _ in samples) >= 60 * MIB
    assert names == {1: "hold", 2: "short"}
    assert (peak, average) == (service.result("hold").peak_memory_bytes, service.result("hold").avg_cpu_percent)
    assert machine[0] >= 2
    assert 0 < machine[1] <= 100
    assert summary == (machine[0], machine[2])
    [node] = service.nodes.values()
    assert (node.sample_count, node.peak_memory_bytes) == summary
    assert node.peak_cpu_percent == pytest.approx(machine[1], abs=0.1)


def test_a_file_that_cannot_be_made_does_not_keep_jobs_from_running(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/resource_utilization").write_text("in the way")
    config = {"enabled": True, "granularity": "time_series"}
    assert run(FakeService([job("a")], resource_monitor_config=config)).counts.completed == 1
    assert "no time series are kept" in log_of(tmp_path)


# limits


def test_a_job_above_its_memory_is_killed_with_everything_it_started(run, tmp_path):
    away = f"(setsid sh -c 'echo $$ > {tmp_path}/away; exec sleep 300' &)"
    command = f"{away}; {HOLD.format(size=300, then='time.sleep(300)')}; true"
    service = FakeService([job("eat", command, **ASKED)], resource_monitor_config={"enabled": False})
    run(service)
    found = service.result("eat")
    assert (found.status, found.return_code) == ("failed", 137)
    assert "memory" in found.reason
    assert found.peak_memory_bytes > 200 * MIB  # it may be killed before it has all it wants
    assert not is_running(int((tmp_path / "away").read_text()))


def test_the_code_of_a_memory_kill_can_be_set(run):
    service = FakeService(
        [job("eat", HOLD.format(size=300, then="time.sleep(300)"), **ASKED)], execution_config={"oom_exit_code": 99}
    )
    run(service)
    assert service.result("eat").return_code == 99


@pytest.mark.parametrize("why", ["not limited", "default requirements", "enough"])
def test_a_job_within_its_limits_is_left_alone(run, why):
    asked = {**ASKED, "memory_bytes": GIB} if why == "enough" else ASKED
    asked = {**asked, "requirements_name": "default"} if why == "default requirements" else asked
    config = {"limit_resources": False} if why == "not limited" else None
    service = FakeService([job("eat", HOLD.format(size=300, then="time.sleep(1.5)"), **asked)], execution_config=config)
    run(service)
    assert service.result("eat").status == "completed"


def test_workers_that_share_memory_are_not_taken_for_several(run):
    fork = "import os; [os.fork() for _ in range(2)]; time.sleep(1.5)"  # four processes that share 100 MiB
    service = FakeService([job("share", HOLD.format(size=100, then=fork), **ASKED)])
    run(service)
    assert service.result("share").status == "completed"


def test_a_job_longer_than_its_run_time_is_ended_and_named(run):
    asked = {**ASKED, "runtime_seconds": 1}
    ignoring = "trap '' TERM; sleep 300 & wait; sleep 300; true"
    polite = "trap 'exit 7' TERM; while :; do sleep 0.05; done"
    service = FakeService(
        [
            job("plain", "sleep 300; true", **asked),
            job("polite", polite, supports_termination=True, **asked),
            job("deaf", ignoring, supports_termination=True, **asked),
        ],
        execution_config={"sigterm_lead_seconds": 1},
    )
    began = time.monotonic()
    run(service)
    assert time.monotonic() - began < 60
    codes = {
        name: (service.result(name).status, service.result(name).return_code) for name in ("plain", "polite", "deaf")
    }
    assert codes == {"plain": ("terminated", 152), "polite": ("terminated", 7), "deaf": ("terminated", 152)}


def test_a_job_that_uses_too_much_memory_while_it_is_ended_for_its_run_time_is_named_for_that(run):
    eat = HOLD.format(size=300, then="time.sleep(300)")
    command = f"eat() {{ {eat}; }}; trap eat TERM; sleep 300 & wait; true"
    asked = {**ASKED, "runtime_seconds": 1, "supports_termination": True}
    service = FakeService([job("a", command, **asked)], resource_monitor_config={"enabled": False})
    run(service)
    found = service.result("a")
    assert (found.status, found.return_code) == ("terminated", 152)
    assert "run time" in found.reason


def test_another_signal_can_end_jobs(run, tmp_path):
    command = "trap 'echo got it; exit 0' USR1; trap '' TERM; while :; do sleep 0.05; done"
    service = FakeService(
        [job("a", command, supports_termination=True, **{**ASKED, "runtime_seconds": 1})],
        execution_config={"termination_signal": "SIGUSR1"},
    )
    run(service)
    assert service.result("a").status == "completed"
    assert (tmp_path / "out/job_stdio/job_wf1_j1_r1_a1.o").read_text() == "got it\n"


def test_a_signal_that_does_not_exist_is_refused_before_anything_runs(run):
    service = FakeService([job("a")], execution_config={"termination_signal": "SIGWHAT"})
    with pytest.raises(Invalid, match="there is no signal 'SIGWHAT'"):
        run(service)
    assert service.ticks == []


def test_control_groups_are_asked_for_by_limited_jobs_only():
    from torc_core.records.answers import JobLaunch
    from torc_core.records.resources import Workflow
    from torc_core.runner.launching import Launcher
    from torc_core.runner.limits import Limits

    def asks(fields, **options):
        launcher = Launcher(Workflow(id=1, name="w"), RunnerOptions(**options), Limits())
        request, _ = launcher.request(JobLaunch.of({"id": 1, "attempt_id": 1, **job("a"), **fields}), ())
        return request.own_cgroup, request.memory_limit_bytes, len(request.marks)

    assert asks(ASKED) == (True, 200 * MIB, 5)
    assert asks({}) == (False, 0, 5)
    assert asks(ASKED, use_cgroups=False) == (False, 200 * MIB, 5)
