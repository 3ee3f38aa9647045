"""Whole workflows whose work is shared, added to, done again and moved, with what is done beside it."""

import json
import os
from collections import Counter

import pytest

from tests.cli.programs import until
from tests.scenarios.world import TORC

CHAIN = {
    "one": {"command": "echo x >> one.log; cp in.txt mid.txt", "input_files": ["in"], "output_files": ["mid"]},
    "two": {"command": "echo x >> two.log; cp mid.txt out.txt", "input_files": ["mid"], "output_files": ["out"]},
    "apart": {"command": "echo x >> apart.log; cp in2.txt far.txt", "input_files": ["in2"], "output_files": ["far"]},
}
FILES = [{"name": name, "path": f"{name}.txt"} for name in ("in", "in2", "mid", "out", "far")]


@pytest.fixture
def chain(world):
    """The chain, run to its end."""
    world.write("in.txt", "1")
    world.write("in2.txt", "1")
    world.id = world.make(CHAIN, files=FILES)
    world.run(world.id)
    assert set(world.statuses(world.id).values()) == {"completed"}
    return world


def times_run(world):
    return {name: len(world.lines(f"{name}.log")) for name in CHAIN}


def test_each_trigger_fires_once(world):
    def note(trigger, **more):
        command = f"echo {trigger} >> {world.path}/fired"
        return {"trigger_type": trigger, "action_type": "run_commands", "commands": [command], **more}

    id = world.make(
        {
            "a": "echo a",
            "b": {"command": "exit 1", "depends_on": ["a"]},
            "c": {"command": "echo c", "depends_on": ["b"]},
        },
        actions=[
            note("on_workflow_start"), note("on_worker_start"), note("on_jobs_ready", jobs=["a", "b"]),
            note("on_jobs_complete", jobs=["b", "c"]), note("on_workflow_complete"), note("on_worker_complete"),
        ],
    )  # fmt: skip
    world.run(id)
    assert world.statuses(id) == {"a": "completed", "b": "failed", "c": "canceled"}
    fired = world.lines("fired")
    assert Counter(fired) == dict.fromkeys(
        ("on_workflow_start", "on_worker_start", "on_jobs_ready", "on_jobs_complete", "on_workflow_complete",
         "on_worker_complete"), 1,
    )  # fmt: skip
    assert fired.index("on_workflow_start") < fired.index("on_jobs_ready") < fired.index("on_workflow_complete")
    runs = world.items("workflows", "action-runs", id)
    assert Counter(run["status"] for run in runs) == {"completed": 6}


def test_a_changed_input_runs_exactly_what_depends_on_it_again(chain):
    chain.write("in.txt", "2")
    os.utime(chain.path / "in.txt", (1e9, 1e9))
    chain("workflows", "reinit", chain.id)
    assert chain.statuses(chain.id) == {"one": "ready", "two": "blocked", "apart": "completed"}
    chain.run(chain.id)
    assert times_run(chain) == {"one": 2, "two": 2, "apart": 1}
    assert chain.results(chain.id) == {
        "one": [(1, 1, 0), (2, 1, 0)], "two": [(1, 1, 0), (2, 1, 0)], "apart": [(1, 1, 0)],
    }  # fmt: skip
    assert chain.text("out.txt") == "2"
    chain("workflows", "reinit", chain.id)
    assert set(chain.statuses(chain.id).values()) == {"completed"}


def test_a_missing_output_is_made_again(chain):
    (chain.path / "out.txt").unlink()
    chain("run", chain.id, "--rerun")
    assert times_run(chain) == {"one": 1, "two": 2, "apart": 1}
    assert chain.text("out.txt") == "1"
    assert chain.results(chain.id)["two"] == [(1, 1, 0), (2, 1, 0)]


def test_an_output_that_was_not_written_fails_its_job(world):
    id = world.make(
        {
            "liar": {"command": "true", "output_files": ["out"]},
            "reader": {"command": "touch ran", "input_files": ["out"]},
        },
        files=[{"name": "out", "path": "out.txt"}],
    )
    world.run(id)
    assert world.statuses(id) == {"liar": "failed", "reader": "canceled"}
    code, status, reason = world.ends(id)["liar"]
    assert (code, status) == (1, "failed")
    assert reason == "did not write out.txt"


def test_jobs_are_reset_by_their_return_code_with_what_follows(world):
    id = world.make(
        {
            "three": "echo x >> three; test -e fixed || exit 3",
            "after": {"command": "echo x >> after", "depends_on": ["three"]},
            "four": "echo x >> four; exit 4",
            "fine": "echo x >> fine",
        }
    )
    world.run(id)
    world.write("fixed", "")
    world("jobs", "reset-status", "--return-code", 3, "--workflow-id", id, "--no-prompts", "--reinit")
    statuses = world.statuses(id)
    assert (statuses["three"], statuses["after"], statuses["fine"]) == ("ready", "blocked", "completed")
    world.run(id)
    assert world.statuses(id) == {"three": "completed", "after": "completed", "four": "failed", "fine": "completed"}
    assert world.results(id)["three"] == [(1, 1, 3), (2, 1, 0)]
    assert (world.lines("three"), world.lines("after"), world.lines("fine")) == (["x", "x"], ["x"], ["x"])


def test_a_job_adds_jobs_up_to_the_cap(world):
    step = (
        'number=${TORC_JOB_NAME#step_}; next=$((number + 1)); echo "$number" >> steps;'
        f' echo "[{{name: step_$next, command: sh step.sh}}]" | {TORC} jobs spawn - --lineage search'
    )
    world.write("step.sh", step)
    id = world.make({"step_1": "sh step.sh"}, dynamic_jobs={"max_iterations": 2})
    world.run(id)
    assert world.lines("steps") == ["1", "2", "3"]
    assert world.statuses(id) == {"step_1": "completed", "step_2": "completed", "step_3": "failed"}
    ends = world.results(id)
    assert {name: [end[:2] for end in ends[name]] for name in ends} == {f"step_{i}": [(1, 1)] for i in (1, 2, 3)}
    ids = world.ids(id)
    for before, after in (("step_1", "step_2"), ("step_2", "step_3")):
        assert world.json("jobs", "get", ids[after])["depends_on_job_ids"] == [ids[before]]


def test_two_runners_share_the_work(world):
    wait = "while [ ! -e go ]; do sleep 0.01; done; echo $TORC_JOB_ID >> ran"
    id = world.make(
        {f"j{i}": wait for i in range(4)} | {"last": {"command": "echo x >> last", "depends_on_regexes": ["^j"]}}
    )
    runners = [world.start("run", id, "-j", "2", "-p", "1")]
    until(lambda: world.json("status", id)["jobs_by_status"]["running"] == 2, "jobs of the first runner")
    runners.append(world.start("run", id, "-j", "2", "-p", "1"))
    until(lambda: world.json("status", id)["jobs_by_status"]["running"] == 4, "jobs of both runners")
    world.write("go", "")
    assert [runner.wait().code for runner in runners] == [0, 0]
    assert set(world.statuses(id).values()) == {"completed"}
    results = world.items("results", "list", id, "--all-runs")
    assert Counter((r["job_id"], r["attempt_id"]) for r in results) == {(job, 1): 1 for job in world.ids(id).values()}
    shared = Counter(r["compute_node_id"] for r in results if r["job_id"] != world.ids(id)["last"])
    assert sorted(shared.values()) == [2, 2]
    assert (len(world.lines("ran")), world.lines("last")) == (4, ["x"])


def test_runners_that_were_asked_for_by_hand_do_the_work_of_a_suppressed_action(world):
    """One allocation dies; the watch notes that, asks for another one, and the job that was lost runs there."""
    wait = "until [ -e go ]; do sleep 0.01; done"
    action = {"trigger_type": "on_workflow_start", "action_type": "schedule_nodes", "scheduler_type": "local"}
    id = world.make({"j": f"echo $PPID >> pids; {wait}"}, actions=[action])
    nodes = ("--scheduler-type", "local", "-j", "1")
    asked = world.json("schedule-nodes", id, *nodes, "--suppress-actions")
    assert asked["suppressed_actions"] == [world.items("workflows", "actions", id)[0]["id"]]
    until(lambda: world.lines("pids"), "the job")
    os.kill(asked["allocations"][0]["scheduler_id"], 9)
    watch = world.start("watch", id, "--auto-schedule", "--poll-interval", "0.1", *nodes)
    until(lambda: len(world.lines("pids")) == 2, "the job again")
    world.write("go", "")
    assert watch.wait().code == 0
    assert world.results(id) == {"j": [(1, 1, -128), (1, 2, 0)]}
    assert [run["status"] for run in world.items("workflows", "action-runs", id)] == ["completed"]
    listed = world.items("scheduled-compute-nodes", "list", id)
    assert [(node["scheduler_type"], node["status"]) for node in listed] == [("local", "complete")] * 2


def test_a_workflow_that_moves_elsewhere_ends_as_it_would_have_here(world, elsewhere):
    rules = [{"exit_codes": [7], "max_retries": 2}]
    id = world.make(
        {
            "good": {"command": "echo 1 > a.txt", "output_files": ["a"]},
            "flaky": {"command": "echo x >> tries; test $(wc -l < tries) -ge 2 || exit 7", "failure_handler": "h"},
            "bad": "exit 9",
            "after bad": {"command": "touch ran", "depends_on": ["bad"]},
            "waits": {"command": "test -e go || exit 4", "input_files": ["a"]},
        },
        files=[{"name": "a", "path": "a.txt"}],
        failure_handlers=[{"name": "h", "rules": rules}],
    )
    world.run(id)
    before = state(world, id)
    assert before["statuses"] == {
        "good": "completed", "flaky": "completed", "bad": "failed", "after bad": "canceled", "waits": "failed",
    }  # fmt: skip
    assert before["results"]["flaky"] == [(1, 1, 7), (1, 2, 0)]
    world("workflows", "export", id, "-o", "moved.json")
    there = elsewhere()
    id = there.json("workflows", "import", "moved.json", "--as-is")["workflow_id"]
    assert state(there, id) == before
    there.write("go", "")
    there("workflows", "reinit", id)
    there.run(id)
    assert there.statuses(id) == {
        "good": "completed", "flaky": "completed", "bad": "failed", "after bad": "canceled", "waits": "completed",
    }  # fmt: skip
    assert there.results(id) == before["results"] | {"bad": [(1, 1, 9), (2, 1, 9)], "waits": [(1, 1, 4), (2, 1, 0)]}


def state(world, id):
    """What must not change on the way: all that people see, but for ids."""
    return {
        "statuses": world.statuses(id), "results": world.results(id), "ends": world.ends(id),
        "files": [(file["name"], file["path"], file["st_mtime"]) for file in world.items("files", "list", id)],
        "retried": [(e["job_name"], e["new_attempt"]) for e in world.events(id, "job_retried")],
        "events": len(world.items("events", "list", id)),
        "summary": json.dumps(world.json("status", id)["jobs_by_status"], sort_keys=True),
    }  # fmt: skip


def test_a_run_that_is_begun_as_a_task_is_waited_for(world):
    id = world.make({"a": "echo x >> a"})
    task = world.json("workflows", "init", id, "--async")["task_id"]
    assert world("tasks", "wait", task).out.strip() == f"Task {task} (begin_run of workflow {id}) succeeded"
    world.run(id)
    body = world.json("workflows", "init", id, "--no-prompts", "--wait-timeout", 60)
    assert (body["status"], body["task_status"]) == ("success", "succeeded")
    world.run(id)
    assert world.results(id) == {"a": [(1, 1, 0), (2, 1, 0)]}
