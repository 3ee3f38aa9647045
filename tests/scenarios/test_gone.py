"""Runners that are killed: what they held runs again, and what they did is not lost."""

import os

from tests.cli.programs import until


def test_a_killed_runner_loses_its_jobs_to_the_next_one_and_nothing_that_it_did(world):
    id = world.make(
        {
            "done": "echo done >> done",
            "long": {"command": "echo $$ > pid; test $TORC_ATTEMPT_ID = 2 || sleep 600", "depends_on": ["done"]},
            "last": {"command": "cat done > last", "depends_on": ["long"]},
        }
    )
    first = world.start("run", id, "-j", 2)
    until(lambda: world.statuses(id)["long"] == "running" and world.lines("pid"), "the long job")
    [left] = map(int, world.lines("pid"))
    first.process.kill()
    first.process.wait()
    world.run(id)
    assert world.statuses(id) == {"done": "completed", "long": "completed", "last": "completed"}
    assert world.results(id) == {"done": [(1, 1, 0)], "long": [(1, 1, -128), (1, 2, 0)], "last": [(1, 1, 0)]}
    assert world.lines("done") == ["done"]
    until(lambda: not os.path.exists(f"/proc/{left}"), "the end of what the killed runner left")  # noqa: PTH110


def test_an_action_of_a_killed_runner_goes_on_behind_what_it_had_done(world):
    action = {
        "trigger_type": "on_workflow_start", "action_type": "run_commands",
        "commands": ["echo one >> ../told", "echo two >> ../told; test -e ../go || sleep 600", "echo three >> ../told"],
    }  # fmt: skip
    id = world.make({"a": "cat told > seen"}, actions=[action])
    first = world.start("run", id)
    until(lambda: world.lines("told") == ["one", "two"], "the second command")
    first.process.kill()
    first.process.wait()
    world.write("go", "")
    world.run(id)
    assert world.lines("told") == ["one", "two", "two", "three"]  # a command is done at least once
    assert world.lines("seen") == world.lines("told")
    runs = world.items("workflows", "action-runs", id)
    assert [(run["attempt_id"], run["status"]) for run in runs] == [(1, "lost"), (2, "completed")]


def test_the_last_action_of_a_killed_runner_is_carried_out_though_all_jobs_have_ended(world):
    action = {
        "trigger_type": "on_workflow_complete", "action_type": "run_commands",
        "commands": ["echo one >> ../told; test -e ../go || sleep 600", "echo two >> ../told"],
    }  # fmt: skip
    id = world.make({"a": "true"}, actions=[action])
    first = world.start("run", id)
    until(lambda: world.lines("told") == ["one"], "the first command")
    first.process.kill()
    first.process.wait()
    world.write("go", "")
    world.run(id)
    assert world.lines("told") == ["one", "one", "two"]
    runs = world.items("workflows", "action-runs", id)
    assert [(run["attempt_id"], run["status"]) for run in runs] == [(1, "lost"), (2, "completed")]
    assert world.run(id).lines[0].startswith("Nothing to run")
    assert not any(node["is_active"] for node in world.items("compute-nodes", "list", id))


def test_a_persistent_action_is_done_by_each_of_two_runners(world):
    action = {
        "trigger_type": "on_worker_start", "action_type": "run_commands", "persistent": True,
        "commands": ["echo here >> ../here"],
    }  # fmt: skip
    meet = "touch ran.{0}; until [ -e ran.a ] && [ -e ran.b ]; do sleep 0.02; done"
    id = world.make({name: meet.format(name) for name in "ab"}, actions=[action])
    others = [world.start("run", id, "-j", 1) for _ in range(2)]
    assert [other.wait().code for other in others] == [0, 0]
    assert world.lines("here") == ["here", "here"]
