"""Reports of what jobs used against what they asked for, and corrections; figures by hand."""

import pytest

from tests.cli.programs import program
from torc_core.records.answers import FileTimes, FinishedJob, StartedJob, Tick
from torc_core.records.resources import ComputeNode, Job
from torc_core.service.local import LocalService
from torc_core.status import JobStatus
from torc_plugins.storage.sqlite_storage import SqliteStorage

MIB, GIB = 2**20, 2**30
MOMENT = "2026-01-31T08:00:00.000Z"
SPEC = """
name: use
resource_requirements:
  - {name: big, num_cpus: 2, memory: 2g, runtime: PT1H}
  - {name: small, num_cpus: 1, memory: 512m, runtime: PT30M}
jobs:
  - {name: fat, command: 'true', resource_requirements: big}
  - {name: fine, command: 'true', resource_requirements: big}
  - {name: busy, command: 'true', resource_requirements: small}
  - {name: killed, command: 'true', resource_requirements: small}
  - {name: free, command: 'true'}
"""
ENDS = {
    "fat": {"minutes": 30, "peak_memory_bytes": 3 * GIB, "peak_cpu_percent": 150.0},
    "fine": {"minutes": 6, "peak_memory_bytes": 100 * MIB, "peak_cpu_percent": 50.0},
    "busy": {"minutes": 36, "peak_memory_bytes": 256 * MIB, "peak_cpu_percent": 175.5},
    "killed": {"minutes": 1, "code": 137, "peak_memory_bytes": 400 * MIB},
    "free": {"minutes": 600, "peak_memory_bytes": 64 * GIB, "peak_cpu_percent": 900.0},
}


def finish(path, ends):
    """Report how jobs of the workflow in a folder ended, as a runner would."""
    service = LocalService(SqliteStorage(str(path / "torc_output" / "torc.db")))
    service.begin_run(1, FileTimes(st_mtimes={}))
    node = service.create(
        ComputeNode(workflow_id=1, hostname="h", pid=1, start_time=MOMENT, num_cpus=99, memory_gb=999.0, num_gpus=0)
    )
    ids = {job.name: job.id for job in service.each(Job, 1)}

    def tick(**more):
        return service.tick(1, Tick(compute_node_id=node.id, run_id=1, **more))

    tick(limit=99)
    tick(started=[StartedJob(job_id=id, start_time=MOMENT) for id in ids.values()])
    for name, end in ends.items():
        end = dict(end)
        code, minutes = end.pop("code", 0), end.pop("minutes")
        status = JobStatus.FAILED if code else JobStatus.COMPLETED
        tick(
            finished=[
                FinishedJob(
                    job_id=ids[name], attempt_id=1, status=status, return_code=code, exec_time_minutes=float(minutes),
                    completion_time=MOMENT, **end,
                )
            ]
        )  # fmt: skip
    service.close()


@pytest.fixture
def used(torc):
    torc.create(SPEC)
    finish(torc.path, ENDS)
    return torc


def test_violations_are_told_in_the_published_shape(used):
    body = used.json("reports", "check-resource-utilization", "1")
    assert body == {
        "workflow_id": 1, "total_results": 4, "over_utilization_count": 3,
        "violations": [
            {"job_id": 1, "job_name": "fat", "resource_type": "Memory", "specified": "2.00 GB",
             "peak_used": "3.00 GB", "over_utilization": "+50.0%"},
            {"job_id": 3, "job_name": "busy", "resource_type": "CPU", "specified": "100% (1 core)",
             "peak_used": "175.5%", "over_utilization": "+75.5%"},
            {"job_id": 3, "job_name": "busy", "resource_type": "Runtime", "specified": "30m 0s",
             "peak_used": "36m 0s", "over_utilization": "+20.0%"},
        ],
    }  # fmt: skip


def test_everything_is_told_when_asked_for(used):
    body = used.json("workflows", "check-resources", "1", "--all")
    lines = {(v["job_name"], v["resource_type"]): v["over_utilization"] for v in body["violations"]}
    assert lines["fine", "Memory"] == "-95.1%"  # 100 of 2048 MiB
    assert lines["fine", "CPU"] == "-75.0%"
    assert lines["fine", "Runtime"] == "-90.0%"
    assert len(lines) == 9  # three each of fat, fine and busy; free asked for nothing
    assert body["over_utilization_count"] == 3


@pytest.mark.parametrize(("least", "count"), [("50", 2), ("50.1", 1), ("20", 3), ("99", 0), ("0", 3)])
def test_small_violations_are_left_out(used, least, count):
    body = used.json("reports", "check-resource-utilization", "1", "--min-over-utilization", least)
    assert (body["over_utilization_count"], len(body["violations"])) == (count, count)


def test_failed_jobs_are_judged_when_asked_for(used):
    body = used.json("reports", "check-resource-utilization", "1", "--include-failed")
    assert (body["total_results"], body["resource_violations_count"]) == (5, 1)
    assert body["resource_violations"] == [
        {"job_id": 4, "job_name": "killed", "return_code": 137, "exec_time_minutes": 1.0, "configured_memory": "512m",
         "configured_runtime": "PT30M", "configured_cpus": 1, "peak_memory_bytes": 400 * MIB,
         "peak_memory_formatted": "400.0 MB", "likely_oom": True, "oom_reason": "sigkill_137"}
    ]  # fmt: skip


def test_a_failure_for_want_of_memory_and_time_says_how_far_it_was_over(torc):
    torc.create(SPEC)
    finish(torc.path, {"fat": {"minutes": 57, "code": 152, "peak_memory_bytes": 3 * GIB, "peak_cpu_percent": 250.0},
                       "fine": {"minutes": 61, "code": 1}})  # fmt: skip
    fat, fine = torc.json("reports", "check-resource-utilization", "1", "--include-failed")["resource_violations"]
    assert fat == {
        "job_id": 1, "job_name": "fat", "return_code": 152, "exec_time_minutes": 57.0, "configured_memory": "2g",
        "configured_runtime": "PT1H", "configured_cpus": 2, "peak_memory_bytes": 3 * GIB,
        "peak_memory_formatted": "3.00 GB", "likely_oom": True, "oom_reason": "memory_exceeded",
        "memory_over_utilization": "+50.0%", "likely_timeout": True, "timeout_reason": "sigxcpu_152",
        "runtime_utilization": "95.0%", "likely_cpu_violation": True, "peak_cpu_percent": 250.0,
    }  # fmt: skip
    flags = ("likely_oom", "likely_timeout", "timeout_reason", "likely_runtime_violation")
    assert [fine.get(name) for name in flags] == [None, True, None, True]


def test_the_table_ends_with_what_to_do(used):
    done = used("reports", "check-resource-utilization", "1", "--include-failed")
    assert done.head == "Job ID Job Name Resource Specified Peak Used Over-Utilization"
    assert "3 uses above what was asked for, in 5 results." in done.out
    assert "killed (job 4, failed): was killed (return code 137), probably because memory ran out" in done.out
    assert done.lines[-1] == "Correct requirements with: torc workflows correct-resources 1"


def test_no_results_are_said_or_told_as_json(torc):
    torc.create(SPEC)
    assert torc("reports", "check-resource-utilization", "1").out == "Workflow 1 has no results to look at.\n"
    assert torc.json("reports", "check-resource-utilization", "1", "-r", "1") == {
        "workflow_id": 1, "run_id": 1, "total_results": 0, "over_utilization_count": 0, "violations": [],
    }  # fmt: skip


def needs(torc):
    return {
        r["name"]: (r["num_cpus"], r["memory"], r["runtime"]) for r in torc.items("resource-requirements", "list", "1")
    }


BEFORE = {"default": (1, "1m", "PT1M"), "big": (2, "2g", "PT1H"), "small": (1, "512m", "PT30M")}


def test_requirements_are_corrected_up_for_those_who_need_it_and_down_for_the_rest(used):
    body = used.json("workflows", "correct-resources", "1")
    assert {name: value for name, value in body.items() if name != "adjustments"} == {
        "status": "success", "workflow_id": 1, "dry_run": False, "memory_multiplier": 1.2, "runtime_multiplier": 1.2,
        "cpu_multiplier": 1.2, "resource_requirements_updated": 3, "jobs_analyzed": 5, "memory_corrections": 3,
        "runtime_corrections": 3, "cpu_corrections": 2,
    }  # fmt: skip
    fat, fine, small = body["adjustments"]
    assert fat == {
        "resource_requirements_id": 2, "job_ids": [1], "job_names": ["fat"], "memory_adjusted": True,
        "original_memory": "2g", "new_memory": "4g", "max_peak_memory_bytes": 3 * GIB, "runtime_adjusted": True,
        "original_runtime": "PT1H", "new_runtime": "PT36M", "max_peak_cpu_percent": 150.0, "new_record": True,
        "new_resource_requirements_id": 4,
    }  # fmt: skip
    assert (fine["job_names"], fine["new_memory"], fine["new_runtime"], fine["new_cpus"]) == (
        ["fine"],
        "120m",
        "PT7M",
        1,
    )
    # all jobs of "small" lacked something: memory 512m x 1.2 = 614.4m, run time 36 min x 1.2 = 43.2, CPUs 175.5 % x 1.2
    assert (small["job_ids"], small["new_memory"], small["new_runtime"], small["new_cpus"]) == (
        [3, 4],
        "615m",
        "PT43M",
        3,
    )
    assert needs(used) == {
        "default": (1, "1m", "PT1M"), "big": (1, "120m", "PT7M"), "small": (3, "615m", "PT43M"),
        "big_corrected": (2, "4g", "PT36M"),
    }  # fmt: skip
    assert used.json("workflows", "correct-resources", "1").get("adjustments", []) == []


def test_a_dry_run_says_the_same_and_changes_nothing(used):
    dry = used.json("workflows", "correct-resources", "1", "--dry-run")
    assert needs(used) == BEFORE
    real = used.json("workflows", "correct-resources", "1")
    for body in (dry, real):
        body.pop("dry_run")
        for adjustment in body["adjustments"]:
            adjustment.pop("new_resource_requirements_id", None)
    assert dry == real


def test_nothing_is_lowered_when_not_wanted(used):
    used("workflows", "correct-resources", "1", "--no-downsize")
    assert needs(used)["big"] == BEFORE["big"]
    assert needs(used)["big_corrected"] == (2, "4g", "PT1H")


def test_multipliers_and_jobs_can_be_chosen(used):
    options = ("--memory-multiplier", "2", "--runtime-multiplier", "1.5", "--cpu-multiplier", "1", "--job-ids", "3,1")
    used("workflows", "correct-resources", "1", *options)
    assert needs(used) == {
        **BEFORE, "big_corrected": (2, "6g", "PT45M"), "small_corrected": (2, "512m", "PT54M"),
    }  # fmt: skip


def test_what_is_corrected_is_shown(used):
    done = used("workflows", "correct-resources", "1", "--dry-run")
    assert done.head == "Requirements Memory Runtime CPUs Jobs Changed"
    assert [" ".join(line.split()) for line in done.lines[2:5]] == [
        "big 2g -> 4g PT1H -> PT36M 2 1 for these jobs only",
        "big 2g -> 120m PT1H -> PT7M 2 -> 1 1 in place",
        "small 512m -> 615m PT30M -> PT43M 1 -> 3 2 in place",
    ]
    assert done.lines[-1] == "Would correct 3 requirements (5 jobs looked at)."


def test_the_report_can_correct_at_once(used):
    body = used.json("workflows", "check-resources", "1", "--correct")
    assert body["over_utilization_count"] == 3
    assert body["corrections"]["resource_requirements_updated"] == 3
    assert needs(used)["big"] == (1, "120m", "PT7M")


SITE = """
from torc_core.hookspecs import hookimpl

@hookimpl
def torc_correct_resources(adjustment):
    {answer}
"""


def test_a_plugin_of_the_site_decides_what_jobs_get(used, monkeypatch, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    (folder / "sizes.py").write_text(SITE.format(answer="return adjustment.correction._replace(memory='16g')"))
    monkeypatch.setenv("TORC_PLUGINS__DIRECTORY", str(folder))
    used("workflows", "correct-resources", "1", "--no-downsize")
    assert needs(used)["big_corrected"] == (2, "16g", "PT1H")
    assert needs(used)["small"] == (3, "16g", "PT43M")


def test_a_plugin_that_fails_to_decide_is_named_and_nothing_is_changed(used, monkeypatch, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    (folder / "sizes.py").write_text(SITE.format(answer="raise KeyError('no such size')"))
    monkeypatch.setenv("TORC_PLUGINS__DIRECTORY", str(folder))
    done = used("workflows", "correct-resources", "1", code=1)
    assert 'plugin "sizes"' in done.err
    assert "no such size" in done.err
    assert needs(used) == BEFORE


def test_nothing_to_correct_is_said(torc):
    torc.create(SPEC)
    assert torc.json("workflows", "correct-resources", "1") == {
        "status": "success", "workflow_id": 1, "resource_requirements_updated": 0, "jobs_analyzed": 0,
        "message": "no requirements need to be corrected",
    }  # fmt: skip
    assert (
        torc("workflows", "correct-resources", "1").out == "No requirements need to be corrected (0 jobs looked at).\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--job-ids", "1,x"), "'x' is no id"),
        (("--job-ids", ","), "',' is no id"),
        (("--job-ids", "77"), "has no job 77"),
        (("--memory-multiplier", "0.9"), "0.9"),
        (("--cpu-multiplier", "nan"), "nan"),
    ],
)
def test_wrong_options_are_refused(used, words, said):
    done = used("workflows", "correct-resources", "1", *words, code=2)
    assert said in done.err
    assert needs(used) == BEFORE


def test_correcting_goes_with_the_latest_results_only(used):
    done = used("workflows", "check-resources", "1", "--correct", "-r", "1", code=2)
    assert "--correct goes by the latest results" in done.err


def test_a_workflow_that_is_not_there_is_an_error(used):
    for words in (("reports", "check-resource-utilization", "9"), ("workflows", "correct-resources", "9")):
        assert "there is no workflow with id 9" in used(*words, code=1).err


def test_a_real_run_can_be_corrected(tmp_path):
    (tmp_path / "spec.yaml").write_text(
        "name: real\nresource_requirements: [{name: asked, num_cpus: 1, memory: 4g, runtime: PT1H}]\n"
        "jobs: [{name: a, command: 'sleep 0.6; true', resource_requirements: asked}]\n"
    )
    program(tmp_path, "run", "spec.yaml")
    body = program(tmp_path, "workflows", "correct-resources", "1", "-f", "json").json
    [adjustment] = body["adjustments"]
    assert (adjustment["new_runtime"], "new_record" in adjustment) == ("PT1M", False)
    assert adjustment["new_memory"] == "64m"  # the least
    assert 0 < adjustment["max_peak_memory_bytes"] < 100 * MIB


MANY = """
name: many
resource_requirements: [{name: all, num_cpus: 1, memory: 4g, runtime: PT1H}]
jobs: [{name: "j{i}", command: 'true', resource_requirements: all, parameters: {i: "1:4"}}]
"""


@pytest.fixture
def uneven(torc):
    """Three jobs that used 100 MiB, and one that used 2 GiB, of the 4 GiB that each had asked for."""
    torc.create(MANY)
    sizes = {"j1": 100, "j2": 100, "j3": 100, "j4": 2048}
    used = {"minutes": 30, "peak_cpu_percent": 90}
    finish(torc.path, {name: used | {"peak_memory_bytes": size * MIB} for name, size in sizes.items()})
    return torc


def test_jobs_that_need_far_less_are_given_requirements_of_their_own(uneven):
    shown = uneven("workflows", "correct-resources", 1, "--regroup", "--dry-run").lines
    assert [" ".join(line.split()) for line in shown[2:4]] == [
        "all 4g -> 120m PT1H -> PT36M 1 3 for these jobs only", "all 4g -> 3g PT1H -> PT36M 1 1 in place",
    ]  # fmt: skip
    body = uneven.json("workflows", "correct-resources", 1, "--regroup")
    assert [(a["new_memory"], len(a["job_ids"]), a.get("new_record", False)) for a in body["adjustments"]] == [
        ("120m", 3, True), ("3g", 1, False),
    ]  # fmt: skip
    needs = {n["id"]: n["memory"] for n in uneven.items("resource-requirements", "list", 1)}
    jobs = {job["name"]: needs[job["resource_requirements_id"]] for job in uneven.items("jobs", "list", 1)}
    assert jobs == {"j1": "120m", "j2": "120m", "j3": "120m", "j4": "3g"}
    again = uneven.json("workflows", "correct-resources", 1, "--regroup")
    assert again["resource_requirements_updated"] == 0


def test_without_that_all_jobs_of_a_record_keep_it(uneven):
    [only] = uneven.json("workflows", "correct-resources", 1)["adjustments"]
    assert (only["new_memory"], len(only["job_ids"])) == ("3g", 4)


def test_nobody_gets_less_and_no_less_at_the_same_time(uneven):
    done = uneven("workflows", "correct-resources", 1, "--regroup", "--no-downsize", code=2)
    assert "--no-downsize gives nobody less" in done.err


def test_how_use_is_spread_is_shown_by_requirements(uneven):
    done = uneven("reports", "resource-usage", 1)
    assert [line.split("  ")[-1].strip() for line in done.lines[2:5]] == ["2.00 GB", "90.0%", "30m 0s"]
    assert done.lines[2].split()[:3] == ["all", "4", "Memory"]
    [record] = uneven.json("reports", "resource-usage", 1)["requirements"]
    assert (record["name"], record["jobs"]) == ("all", 4)
    assert record["memory_bytes"] == {
        "specified": 4 * GIB, "known": 4, "min": 100 * MIB, "median": 100 * MIB, "p90": 2 * GIB, "max": 2 * GIB,
    }  # fmt: skip
    assert record["runtime_seconds"]["specified"] == 3600


def test_nothing_to_spread_is_said(torc):
    torc.create(MANY)
    assert torc("reports", "resource-usage", 1).out == "Workflow 1 has no results to look at.\n"
    assert torc.json("reports", "resource-usage", 1) == {"workflow_id": 1, "requirements": []}
