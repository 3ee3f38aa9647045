"""``torc run``: what it prints, what it stores, how it ends."""

import signal

import pytest

from tests.cli.programs import DIAMOND, until
from torc_core.errors import Unavailable
from torc_core.service.failover import FailoverService

TWO = "name: two\njobs: [{name: a, command: echo a}, {name: b, command: 'exit 7', depends_on: [a]}]"
GOOD = "name: good\njobs: [{name: a, command: 'echo said; touch a.done'}]"
KEYS = {
    "workflow_id", "run_id", "compute_node_id", "completed", "failed", "terminated", "canceled", "had_failures",
    "had_terminations",
}  # fmt: skip


def test_jobs_that_fail_leave_exit_code_0_and_are_listed_with_where_to_look(torc):
    done = torc("run", torc.write("s.yaml", DIAMOND))
    assert done.lines[0].startswith("2 completed, 1 failed in ")
    [failure] = [line for line in done.lines if line.startswith("  right: ")]
    assert "return code 3" in failure
    log = failure.rpartition("see ")[2]
    assert (torc.path / log).read_text() == "broken\n"
    assert "1 failed, 1 canceled" in done.lines[-1]
    assert "torc workflows reinit 1 && torc run 1" in done.lines[-1]
    assert "Created workflow 1" in done.err
    assert "Running 4 of 4 jobs" in done.err
    assert "name=right failed return_code=3" in done.err


def test_with_json_there_is_one_document_with_the_keys_of_the_reference(torc):
    done = torc("run", torc.write("s.yaml", DIAMOND), "-f", "json")
    body = done.json
    assert set(body) >= KEYS
    assert None not in body.values()
    assert (body["completed"], body["failed"], body["terminated"], body["canceled"]) == (2, 1, 0, 0)
    assert (body["had_failures"], body["had_terminations"], body["is_complete"]) == (True, False, True)
    assert (body["workflow_id"], body["run_id"]) == (1, 1)
    [job] = body["failed_jobs"]
    assert (job["name"], job["status"], job["return_code"]) == ("right", "failed", 3)


def test_a_failure_counts_in_the_exit_code_when_that_is_asked_for(torc):
    torc("run", torc.write("s.yaml", TWO), "--fail-on-job-failure", code=1)
    torc("run", torc.write("good.yaml", GOOD), "--fail-on-job-failure")


def test_all_is_well(torc):
    done = torc("run", torc.write("s.yaml", GOOD))
    assert done.lines[0].startswith("1 completed in ")
    assert done.lines[1:] == ["The workflow is complete; all went well."]
    [output] = (torc.path / "torc_output" / "job_stdio").glob("*.o")
    assert output.read_text() == "said\n"


def test_a_stored_workflow_runs_by_its_id_and_in_the_other_spelling(torc):
    id = torc.create(GOOD)
    assert torc.json("workflows", "run", id)["completed"] == 1
    other = torc.create(GOOD)
    assert torc.json("run", other)["workflow_id"] == other


def test_without_an_argument_the_only_workflow_runs(torc):
    torc.create(GOOD)
    assert torc.json("run")["completed"] == 1


def test_a_file_that_is_named_like_a_number_is_a_spec(torc):
    torc.write("5", GOOD)
    assert torc.json("run", "5")["workflow_id"] == 1


def test_when_all_is_complete_it_says_so_and_what_to_do_next(torc):
    torc("run", torc.write("s.yaml", TWO))
    done = torc("run", 1)
    assert done.out.startswith("Nothing to run in workflow 1. The workflow is complete, with failures: 1 failed.")
    assert "torc workflows reinit 1 && torc run 1" in done.out
    assert len(torc.items("compute-nodes", "list", 1)) == 1  # no runner was registered for nothing
    body = torc.json("run", 1)
    assert set(body) >= KEYS - {"compute_node_id"}
    assert (body["completed"], body["is_complete"], body["had_failures"]) == (0, True, True)
    torc("run", 1, "--fail-on-job-failure", code=1)
    torc("workflows", "reinit", 1)
    assert torc.json("run", 1)["failed"] == 1  # only what failed runs again
    torc("run", torc.write("good.yaml", GOOD))
    assert "all went well" in torc("run", 2, "--fail-on-job-failure").out


def test_canceled_and_archived_workflows_are_refused_with_what_to_do(torc):
    torc.create(GOOD)
    torc("cancel", 1)
    done = torc("run", 1, code=1)
    assert done.out == ""
    assert "workflow 1 is canceled" in done.err
    assert "torc workflows reinit 1" in done.err
    torc("workflows", "reinit", 1)
    assert torc.json("run", 1)["completed"] == 1
    torc.create(GOOD)
    torc("workflows", "archive", "true", 2)
    error = torc("run", 2, "-f", "json", code=1).error
    assert "archived" in error["message"]
    assert "torc workflows archive false 2" in error["hint"]


def test_a_workflow_without_jobs_says_how_to_add_some(torc):
    torc.create("name: empty\njobs: []")
    assert "torc jobs create 1" in torc("run", 1).out


def test_missing_input_files_are_refused_unless_forced(torc):
    spec = "name: w\njobs: [{name: a, command: echo a, input_files: [f]}]\nfiles: [{name: f, path: gone.txt}]"
    done = torc("run", torc.write("s.yaml", spec), code=1)
    assert "gone.txt" in done.err
    assert "--force" in done.err
    assert torc.json("workflows", "list")["count"] == 0  # made for this run only, which could not begin
    assert torc.json("run", "s.yaml", "--force")["completed"] == 1
    kept = torc.create(spec)
    torc("run", kept, code=1)
    assert torc.json("run", kept, "--force")["completed"] == 1


def test_output_files_that_exist_are_told(torc):
    torc.write("top.txt", "old")
    assert "top.txt" in torc("run", torc.write("s.yaml", DIAMOND)).err


def test_resume_goes_on_with_the_latest_workflow_of_the_spec(torc):
    spec = torc.write("s.yaml", TWO)
    torc("run", spec)
    torc("workflows", "reinit", 1)
    body = torc.json("run", spec, "--resume")
    assert (body["workflow_id"], body["failed"]) == (1, 1)
    torc.write("s.yaml", TWO.replace("exit 7", "exit 8"))
    done = torc("run", spec, "--resume", code=1)
    assert 'like "b"' in done.err
    assert "torc run 1" in done.err
    assert len(torc.items("workflows", "list")) == 1


@pytest.mark.parametrize("option", ["--rerun", "--rerun-all"])
def test_a_rerun_of_a_spec_needs_a_workflow_and_makes_no_new_one(torc, option):
    spec = torc.write("s.yaml", GOOD)
    torc("run", spec)
    done = torc("run", spec, option, code=2)
    assert "Add --resume" in done.err
    assert len(torc.items("workflows", "list")) == 1
    assert torc.json("run", spec, "--resume", "--rerun-all")["completed"] == 1


def test_resume_needs_something_to_go_on_with(torc):
    torc.create(GOOD)
    done = torc("run", torc.write("s.yaml", TWO), "--resume", code=1)
    assert 'no workflow "two" was made here' in done.err


@pytest.mark.parametrize("words", [["--dry-run"], ["--executor", "dry-run"]])
def test_a_dry_run_plays_on_a_virtual_clock_and_stores_nothing(torc, words):
    spec = torc.write("s.yaml", DIAMOND)
    body = torc.json("run", spec, "--num-cpus", 2, *words)
    assert (body["workflow_name"], body["dry_run"], body["total_jobs"]) == ("diamond", True, 4)
    done = torc("run", spec, "--num-cpus", 2, *words)
    names = [line.split()[0] for line in done.lines[2:6]]
    assert (names[0], sorted(names)) == ("top", ["bottom", "left", "right", "top"])
    assert not (torc.path / "torc_output").exists()
    assert not (torc.path / "top.txt").exists()


def test_a_dry_run_of_a_stored_workflow_plays_what_is_left(torc):
    torc("run", torc.write("s.yaml", TWO))
    torc("workflows", "reinit", 1)
    assert torc.json("run", 1, "--dry-run")["total_jobs"] == 1
    assert torc.json("status", 1)["jobs_by_status"]["ready"] == 1


def test_a_dry_run_with_jobs_that_can_never_start_fails(torc):
    spec = "name: w\nresource_requirements: [{name: big, num_cpus: 64, memory: 1g}]\n"
    spec += "jobs: [{name: a, command: echo a, resource_requirements: big}]"
    done = torc("run", torc.write("s.yaml", spec), "--dry-run", "--num-cpus", 2, code=1)
    assert "Never starts: a:" in done.err


def test_a_picture_is_drawn_of_a_dry_run(torc):
    spec = torc.write("s.yaml", DIAMOND)
    torc("run", spec, "--dry-run", "--gantt", "plan.svg")
    torc("run", spec, "--dry-run", "--gantt", "plan.html")
    assert (torc.path / "plan.svg").read_text().startswith("<svg")
    assert "<html" in (torc.path / "plan.html").read_text()
    assert "plan.png" in torc("run", spec, "--dry-run", "--gantt", "plan.png", code=2).err
    assert "--dry-run" in torc("run", spec, "--gantt", "plan.svg", code=2).err


@pytest.mark.parametrize(
    "words",
    [
        ["--max-parallel-jobs", "0"], ["--num-cpus", "0"], ["--memory-gb", "0"], ["--num-gpus", "-1"], ["-p", "0"],
        ["--memory-gb", "nan"], ["--memory-gb", "inf"], ["--memory-gb", "1e300"], ["-p", "nan"], ["-p", "1e10"],
        ["--time-limit", "soon"], ["--end-time", "soon"], ["--end-time", "2001-01-01T00:00:00Z"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_impossible_options_are_wrong_usage_and_nothing_is_stored(torc, words):
    done = torc("run", torc.write("s.yaml", GOOD), *words, code=2)
    assert words[0] in done.err
    assert not (torc.path / "torc_output").exists()


def test_an_executor_that_nobody_offers_is_an_error_and_nothing_is_stored(torc):
    done = torc("run", torc.write("s.yaml", GOOD), "--executor", "abacus", code=1)
    assert "abacus" in done.err
    assert "local" in done.err
    assert not (torc.path / "torc_output").exists()


def test_slots_and_folders_come_from_the_line_before_the_configuration(torc):
    torc.write("torc.toml", 'client.run.output_dir = "there"\nclient.run.num_cpus = 3\n')
    torc("run", torc.write("s.yaml", GOOD))
    assert list((torc.path / "there" / "job_stdio").iterdir())
    torc("run", "s.yaml", "-o", "here", "--num-cpus", 5, "--num-gpus", 0, "--memory-gb", 2)
    assert list((torc.path / "here" / "job_stdio").iterdir())
    nodes = [torc.items("compute-nodes", "list", id)[0] for id in (1, 2)]
    assert [(node["num_cpus"], node["memory_gb"]) for node in nodes][1] == (5, 2.0)
    assert nodes[0]["num_cpus"] == 3


def test_the_time_limit_ends_jobs(torc):
    spec = "name: long\njobs: [{name: a, command: sleep 60}]"
    body = torc.json("run", torc.write("s.yaml", spec), "--time-limit", "PT1S", "--max-parallel-jobs", 1)
    assert (body["terminated"], body["had_terminations"]) == (1, True)


def test_a_runner_takes_only_jobs_whose_labels_it_offers(torc):
    spec = "name: w\njobs: [{name: a, command: echo a, labels: [gpu]}, {name: b, command: echo b}]"
    torc("run", torc.write("s.yaml", spec + "\ncompute_node_wait_for_new_jobs_seconds: 1"), code=1)
    assert torc.json("status", 1)["jobs_by_status"]["completed"] == 1
    assert torc.json("run", 1, "--label", "gpu,big")["completed"] == 1


@pytest.mark.parametrize(
    ("level", "seen", "unseen"),
    [
        ("error", [], ["name=right", "Running", "Created", "started"]),
        ("warn", ["name=right failed"], ["Running", "Created", "started"]),
        ("info", ["name=right failed", "Running 4 of 4", "Created"], ["started", "name=left"]),
        ("debug", ["name=right failed", "Running 4 of 4", "name=left started", "name=left completed"], []),
    ],
)
def test_the_log_level_says_how_much_is_told(torc, level, seen, unseen):
    err = torc("run", torc.write("s.yaml", DIAMOND), "--log-level", level, "-f", "json").err
    assert all(text in err for text in seen), err
    assert not any(text in err for text in unseen), err


def test_a_spec_with_errors_is_told_with_file_line_and_column(torc):
    done = torc("run", torc.write("s.yaml", "name: w\njobs:\n  - {name: a, comand: echo}\n"), code=1)
    assert "s.yaml:3:" in done.err
    assert done.out == ""
    error = torc("run", "s.yaml", "-f", "json", code=1).error
    assert error["status"] == "error"
    assert error["problems"][0]["line"] == 3
    assert not (torc.path / "torc_output").exists()


def test_what_is_neither_a_file_nor_an_id_is_an_error(torc):
    torc.write("workflow.yaml", GOOD)
    done = torc("run", "workflw.yaml", code=1)
    assert "there is no file workflw.yaml" in done.err
    assert "workflow.yaml" in done.err.splitlines()[1]
    assert "neither" in torc("run", "9" * 30, code=2).err
    torc.create(GOOD)
    assert "there is no workflow with id 8" in torc("run", 8, code=1).err


@pytest.fixture
def gone_at_the_end(monkeypatch):
    """A service that is gone as soon as the runner has signed off."""
    update, perform, signed_off = FailoverService.update, FailoverService.perform, []

    def signs_off(self, kind, id, changes):
        answer = update(self, kind, id, changes)
        signed_off.append(changes.get("is_active"))
        return answer

    def performs(self, op, arguments):
        if False in signed_off:
            raise Unavailable("the server is gone")
        return perform(self, op, arguments)

    monkeypatch.setattr(FailoverService, "update", signs_off)
    monkeypatch.setattr(FailoverService, "perform", performs)


@pytest.mark.usefixtures("gone_at_the_end")
@pytest.mark.parametrize(("spec", "words", "code"), [(GOOD, (), 0), (TWO, (), 0), (TWO, ("--fail-on-job-failure",), 1)])
def test_a_service_that_vanishes_before_the_summary_does_not_change_how_the_run_went(torc, spec, words, code):
    done = torc("run", torc.write("s.yaml", spec), *words, code=code)
    assert "1 completed" in done.lines[0]
    assert "Everything is recorded, but where the workflow stands cannot be read: the server is gone" in done.err
    assert "torc status 1" in done.err


def test_what_cannot_run_here_is_left_to_others_with_the_question_that_helps(torc):
    spec = "name: w\njobs: [{name: g, command: echo, labels: [gpu]}]\n"
    done = torc("run", torc.write("s.yaml", spec), code=1)
    assert "1 ready job, but none can run here: job 'g': wants a runner with the labels gpu" in done.err
    assert done.lines[-1] == "1 ready job left for other runners. What is needed: torc diagnose 1"
    assert torc("diagnose", 1).lines[-1].strip() == "torc run 1 --label gpu"
    assert torc("run", 1, "--label", "gpu").lines[0].startswith("1 completed")


def test_ctrl_c_while_the_last_jobs_end_leaves_nothing_to_go_on_with(torc, start):
    torc.create('name: short\njobs: [{name: short, command: "touch begun; until [ -e go ]; do sleep 0.02; done"}]\n')
    running = start(torc.path, "run", "1")
    until(lambda: (torc.path / "begun").exists(), "the job")
    running.process.send_signal(signal.SIGINT)
    until(lambda: "once more to end it now" in running.err.read_text(), "the answer to the signal")
    torc.write("go", "")
    done = running.wait()
    assert (done.code, "Stopped" in done.err) == (0, False)
    assert done.out.splitlines()[-1] == "The workflow is complete; all went well."
