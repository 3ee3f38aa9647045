"""``torc recover``, ``sync-status`` and ``watch`` on workflows whose jobs are real processes."""

import contextlib
import json
import os
import signal

import pytest

from tests.cli.programs import DIAMOND, SLOW, program, until
from torc_core.service.processes import start_of

EASY = """
name: easy
jobs:
  - {name: solve, command: 'test -e enough || exit 137', resource_requirements: small}
  - {name: after, command: echo after > after.txt, depends_on: [solve]}
  - {name: odd, command: 'echo odd >> odd.txt; exit 4'}
  - {name: fine, command: echo fine >> fine.txt}
resource_requirements: [{name: small, num_cpus: 1, memory: 2g, runtime: PT10M}]
"""


def statuses(torc, id=1):
    return {job["name"]: job["status"] for job in torc.items("jobs", "list", id)}


def needs(torc, id=1):
    return {r["name"]: r["memory"] for r in torc.items("resource-requirements", "list", id)}


@pytest.fixture
def failed(torc):
    """The easy workflow after its first run: solve was killed (137), odd ended with 4."""
    torc("run", torc.write("spec.yaml", EASY))
    assert statuses(torc) == {"solve": "failed", "after": "canceled", "odd": "failed", "fine": "completed"}
    return torc


def test_a_job_that_lacked_memory_gets_more_and_passes(failed):
    body = failed.json("recover", 1)
    result = body["result"]
    assert (body["workflow_id"], body["dry_run"], body["memory_multiplier"]) == (1, False, 1.5)
    figures = ("oom_fixed", "timeout_fixed", "unknown_retried", "other_failures")
    assert [result[name] for name in figures] == [1, 0, 0, 1]
    [solve] = [job["id"] for job in failed.items("jobs", "list") if job["name"] == "solve"]
    assert result["jobs_to_retry"] == [solve]
    [adjustment] = result["adjustments"]
    assert (adjustment["original_memory"], adjustment["new_memory"], adjustment["job_ids"]) == ("2g", "3g", [solve])
    assert needs(failed)["small"] == "3g"
    [judged] = [v for v in body["diagnosis"]["resource_violations"] if v["job_id"] == solve]
    assert (judged["likely_oom"], judged["oom_reason"], judged["configured_memory"]) == (True, "sigkill_137", "2g")
    assert {f["job_name"]: f["cause"] for f in body["failures"]} == {"solve": "memory", "odd": "unknown"}
    # exactly the chosen job and what follows: odd stays failed, fine is not run again
    assert statuses(failed) == {"solve": "ready", "after": "blocked", "odd": "failed", "fine": "completed"}
    failed.write("enough", "")
    failed("run", 1)
    assert statuses(failed) == {"solve": "completed", "after": "completed", "odd": "failed", "fine": "completed"}
    assert (failed.path / "odd.txt").read_text() == "odd\n"
    assert (failed.path / "fine.txt").read_text() == "fine\n"
    codes = sorted((r["run_id"], r["return_code"]) for r in failed.items("results", "list", "--all-runs", "-j", solve))
    assert codes == [(1, 137), (2, 0)]


def test_the_next_steps_are_said_and_an_event_is_left(failed):
    done = failed("recover", 1)
    assert "Requirements:" in done.lines
    assert "  small: memory 2g -> 3g" in done.lines
    assert "Reset 1 job and 1 that follows, for run 2." in done.lines
    assert done.lines[-1] == "Go on with: torc run 1"
    [event] = [e["data"] for e in failed.items("events", "list") if e["data"].get("action") == "recover"]
    assert (event["category"], event["run_id"], event["report"]["oom_fixed"]) == ("user_action", 2, 1)


def test_a_dry_run_changes_nothing(failed):
    before = json.loads(failed("workflows", "export", 1).out)
    body = failed.json("recover", 1, "--dry-run", "--memory-multiplier", "4")
    assert body["dry_run"] is True
    assert body["result"]["adjustments"][0]["new_memory"] == "8g"
    assert "Nothing was changed (dry run)." in failed("recover", 1, "--dry-run").lines
    after = json.loads(failed("workflows", "export", 1).out)
    del before["exported_at"], after["exported_at"]
    assert after == before


def test_what_nothing_explains_runs_again_only_when_asked_for(failed):
    result = failed.json("recover", 1, "--retry-unknown")["result"]
    assert (result["oom_fixed"], result["unknown_retried"], result["other_failures"]) == (1, 1, 0)
    assert statuses(failed)["odd"] == "ready"


def test_where_nothing_can_be_done_an_error_says_what_can(torc):
    torc("run", torc.write("spec.yaml", DIAMOND))
    done = torc("recover", 1, "-f", "json", code=1)
    assert done.error["workflow_id"] == 1
    assert done.error["dry_run"] is False
    assert "right ended with return code 3" in done.error["message"]
    assert "--retry-unknown" in done.error["hint"]
    assert statuses(torc)["right"] == "failed"


def test_the_hook_runs_first_and_can_call_it_off(failed):
    hook = failed.write("hook.sh", 'echo "$1 $TORC_WORKFLOW_ID $2" > hooked.txt; test -e allowed\n')
    done = failed("recover", 1, "--recovery-hook", f"sh {hook} 'a b'", code=1)
    assert "code 1; nothing was changed" in done.err
    assert (failed.path / "hooked.txt").read_text() == "a b 1 1\n"
    assert statuses(failed)["solve"] == "failed"
    failed.write("allowed", "")
    assert failed.json("recover", 1, "--recovery-hook", f"sh {hook} x")["result"]["unknown_retried"] == 1
    assert statuses(failed)["odd"] == "ready"


def test_the_hook_is_for_what_nothing_explains_only(torc):
    torc("run", torc.write("spec.yaml", EASY.replace("exit 4", "exit 0")))
    torc("recover", 1, "--recovery-hook", "touch hooked.txt")
    assert not (torc.path / "hooked.txt").exists()


def test_a_hook_that_cannot_run_changes_nothing(failed):
    said = failed("recover", 1, "--recovery-hook", "no-such-program", code=1).err
    assert "no-such-program cannot be run: No such file or directory; nothing was changed" in said
    assert "may be executed" in said
    assert "cannot be split" in failed("recover", 1, "--recovery-hook", "'", code=1).err
    assert statuses(failed)["solve"] == "failed"


def test_what_has_not_failed_is_refused(torc):
    torc("run", torc.write("spec.yaml", DIAMOND.replace("exit 3", "exit 0")))
    assert "no job of workflow 1 has failed" in torc("recover", 1, code=1).err
    torc("workflows", "archive", "true", 1)
    assert "archive false 1" in torc("recover", 1, code=1).err
    torc.create(DIAMOND)
    assert "torc run 2" in torc("recover", 2, code=1).err
    assert "there is no workflow with id 9" in torc("recover", 9, code=1).err


def test_jobs_with_a_record_in_common_keep_theirs(torc):
    shared = EASY.replace("echo fine >> fine.txt}", "echo fine, resource_requirements: small}")
    torc("run", torc.write("spec.yaml", shared))
    torc("recover", 1)
    assert needs(torc) == {"default": "1m", "small": "2g", "small_corrected": "3g"}


def test_a_timeout_gets_more_time(torc):
    spec = """
name: late
jobs: [{name: late, command: exit 152, resource_requirements: hour}]
resource_requirements: [{name: hour, num_cpus: 1, memory: 1m, runtime: PT1H}]
"""
    torc("run", torc.write("spec.yaml", spec))
    result = torc.json("recover", 1)["result"]
    assert (result["timeout_fixed"], result["adjustments"][0]["new_runtime"]) == (1, "PT1H30M")


@pytest.fixture
def answers(monkeypatch):
    """Puts a person at the terminal who gives these answers, one a question."""
    asked = []

    def put(*given):
        left = list(given)
        for module in ("pick", "recovering"):
            monkeypatch.setattr(f"torc_core.cli.{module}.is_interactive", lambda: True)

        def ask(question):
            asked.append(question)
            return left.pop(0)

        for module in ("pick", "recovery_wizard"):
            monkeypatch.setattr(f"torc_core.cli.{module}.ask", ask)
        return asked

    return put


# at a terminal


def test_a_person_is_asked_about_each_cause(failed, answers):
    asked = answers("4", "n", "y")
    done = failed("recover", 1)
    assert [question.partition("?")[0] for question in asked] == [
        "Give them how many times the memory", "Try them again as they are", "Run 1 job again"
    ]  # fmt: skip
    assert "solve was killed" in done.err
    assert needs(failed)["small"] == "8g"
    assert statuses(failed) == {"solve": "ready", "after": "blocked", "odd": "failed", "fine": "completed"}


def test_causes_can_be_left_alone(failed, answers):
    answers("s", "y", "yes")
    failed("recover", 1)
    assert needs(failed)["small"] == "2g"
    assert statuses(failed) == {"solve": "failed", "after": "canceled", "odd": "ready", "fine": "completed"}


def test_the_usual_answers_are_those_of_the_options(failed, answers):
    answers("", "", "y")
    failed("recover", 1, "--memory-multiplier", "3")
    assert needs(failed)["small"] == "6g"
    assert statuses(failed)["odd"] == "failed"


@pytest.mark.parametrize("given", [("s", "n"), ("2", "n", "n"), ("2", "n", "")])
def test_whoever_wants_nothing_gets_nothing(failed, answers, given):
    answers(*given)
    failed("recover", 1)
    assert (needs(failed)["small"], statuses(failed)["solve"]) == ("2g", "failed")


def test_an_impossible_answer_changes_nothing(failed, answers):
    for answer in ("1", "lots", "nan", "inf", "-3"):
        answers(answer)
        assert "no number above 1" in failed("recover", 1, code=1).err
    assert (needs(failed)["small"], statuses(failed)["solve"]) == ("2g", "failed")


def test_a_person_may_try_again_what_nothing_explains(torc, answers):
    torc("run", torc.write("spec.yaml", DIAMOND))
    answers("y", "y")
    torc("recover", 1)
    assert statuses(torc)["right"] == "ready"


def test_nobody_is_asked_with_no_prompts_json_or_a_dry_run(failed, answers):
    answers()
    failed("recover", 1, "--dry-run")
    failed.json("recover", 1)
    failed("run", 1)
    failed("recover", 1, "--no-prompts")


@pytest.fixture
def orphaned(torc, start):
    """A workflow whose runner was killed while its job ran."""
    torc.write("spec.yaml", SLOW)
    runner = start(torc.path, "run", "spec.yaml")
    until(lambda: (torc.path / "pid").exists() and (torc.path / "pid").read_text().strip(), "the job's start")
    until(lambda: statuses(torc)["slow"] == "running", "the report of the start")
    runner.process.kill()
    runner.process.wait()
    yield torc
    pid = int((torc.path / "pid").read_text())
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


# runners that are gone


def test_jobs_of_a_killed_runner_are_freed_and_their_processes_ended(orphaned):
    preview = orphaned.json("sync-status", 1, "--dry-run")
    assert (preview["running_jobs_failed"], preview["compute_nodes_deactivated"]) == (1, 1)
    assert statuses(orphaned)["slow"] == "running"
    body = orphaned.json("workflows", "sync-status", 1)
    figures = ("slurm_jobs_failed", "pending_allocations_cleaned", "running_jobs_failed")
    assert [body[name] for name in figures] == [0, 0, 1]
    [detail] = body["failed_job_details"]
    assert detail["job_name"] == "slow"
    assert "is gone" in detail["reason"]
    assert statuses(orphaned) == {"slow": "ready", "next": "blocked"}
    assert start_of(int((orphaned.path / "pid").read_text())) == ""  # nothing of it runs
    assert [r["return_code"] for r in orphaned.items("results", "list", "--all-runs")] == [-128]
    assert [n["is_active"] for n in orphaned.items("compute-nodes", "list")] == [False]
    assert "No runner is gone." in orphaned("sync-status", 1).out


def test_recovery_begins_with_what_dead_runners_held(orphaned):
    body = orphaned.json("recover", 1)
    assert (body["result"]["orphans_freed"], body["result"]["jobs_to_retry"]) == (1, [])
    orphaned.write("go", "")
    orphaned("run", 1)
    assert statuses(orphaned) == {"slow": "completed", "next": "completed"}


def test_a_dry_run_leaves_dead_runners_alone(orphaned):
    assert orphaned.json("recover", 1, "--dry-run")["result"]["orphans_freed"] == 1
    assert statuses(orphaned)["slow"] == "running"


def test_a_runner_that_works_is_not_recovered_around(torc, start):
    torc.write("spec.yaml", SLOW)
    runner = start(torc.path, "run", "spec.yaml")
    until(lambda: (torc.path / "pid").exists(), "the job's start")
    assert "1 active runner" in torc("recover", 1, code=1).err
    assert torc.json("sync-status", 1)["compute_nodes_deactivated"] == 0
    runner.process.terminate()
    runner.wait()


def test_an_unknown_runner_cannot_be_declared_gone(torc):
    torc.create(DIAMOND)
    assert "has no runner 5" in torc("sync-status", 1, "--compute-node", "5", code=1).err


# watch


def test_watch_runs_and_recovers_until_all_is_well(tmp_path):
    spec = EASY.replace("test -e enough", "test $TORC_RUN_ID = 2").replace("exit 4", "exit 0")
    (tmp_path / "spec.yaml").write_text(spec)
    program(tmp_path, "create", "spec.yaml")
    done = program(tmp_path, "watch", "1", "--recover", "--run", "-f", "json")
    assert done.json["recoveries"] == 1
    assert done.json["jobs_by_status"]["completed"] == 4
    assert "Recovery 1: jobs run again in run 2: 1 with more memory" in done.err
    [log] = (tmp_path / "torc_output").glob("watch_*_wf1.log")
    assert "INFO Recovery 1" in log.read_text()


def test_watch_gives_up_after_the_last_allowed_recovery(tmp_path):
    (tmp_path / "spec.yaml").write_text(EASY)
    program(tmp_path, "create", "spec.yaml")
    done = program(tmp_path, "watch", "1", "--recover", "--run", "--max-retries", "2", "-f", "json", code=1)
    assert done.json["recoveries"] == 2
    assert "that is enough" in done.err
    listed = program(tmp_path, "resource-requirements", "list", "-f", "json").json["items"]
    assert [r["memory"] for r in listed if r["name"] == "small"] == ["5g"]  # 2g, 3g, 4.5g in whole ones


def test_watch_without_recovery_says_how_it_ended(failed):
    assert failed("watch", 1, code=1).out.startswith("The workflow is complete, with failures")
    assert failed("watch", 1, "--recover", "--max-retries", "0", code=1).code == 1


def test_watch_ends_when_nothing_explains_a_failure(torc):
    torc("run", torc.write("spec.yaml", DIAMOND))
    assert "nothing explains why" in torc("watch", 1, "--recover", code=1).err


def test_watch_hears_of_the_end_from_another_process(torc, start):
    torc.write("spec.yaml", SLOW.replace("exec sleep 600", "while ! test -e go; do sleep 0.05; done"))
    runner = start(torc.path, "run", "spec.yaml")
    until(lambda: (torc.path / "pid").exists(), "the job's start")
    watcher = start(torc.path, "watch", "1", "--poll-interval", "600", "--show-job-counts")
    until(lambda: "1 running" in watcher.err.read_text(), "the first look")
    torc.write("go", "")
    done = watcher.wait()  # long before the next look
    assert (done.code, runner.wait().code) == (0, 0)
    assert "all went well" in done.out


def test_watch_frees_what_a_dead_runner_held(orphaned):
    orphaned.write("go", "")
    done = program(orphaned.path, "watch", "1", "--run")
    assert "1 runner ended without a word" in done.err
    assert statuses(orphaned) == {"slow": "completed", "next": "completed"}


def test_recovery_and_moves_work_while_another_process_owns_the_database(failed, start):
    failed.write("other.yaml", DIAMOND)
    failed("create", "other.yaml")
    owner = start(failed.path, "wait", "2", "--log-level", "debug")
    until(lambda: "torc run 2" in owner.err.read_text(), "the owner's start")
    assert failed.json("recover", 1)["result"]["oom_fixed"] == 1
    assert needs(failed)["small"] == "3g"
    failed("workflows", "export", 1, "-o", "one.json")
    assert failed.json("workflows", "import", "one.json", "--as-is")["workflow_id"] == 3
    assert statuses(failed, 3) == statuses(failed, 1)
    assert [f["code"] for f in failed.json("diagnose", 3)["findings"]] == ["no-runner", "behind-ready", "failed"]
    assert owner.process.poll() is None


def test_a_watch_whose_run_is_stopped_ends_as_the_run_does(torc, start):
    torc.create("name: long\njobs: [{name: long, command: touch begun; sleep 60}]\n")
    watching = start(torc.path, "watch", "1", "--run", "-f", "json")
    until(lambda: (torc.path / "begun").exists(), "the job")
    watching.process.send_signal(signal.SIGTERM)
    done = watching.wait()
    assert (done.code, done.json["interrupted"]) == (143, "SIGTERM")
    assert "Stopped by SIGTERM. Go on with the same command, or: torc run 1" in done.err
    assert torc.json("status", 1)["jobs_by_status"]["ready"] == 1
