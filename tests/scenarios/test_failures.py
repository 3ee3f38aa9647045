"""Whole workflows in which something fails: what follows, what is tried again, who decides, what is killed."""

import pytest

from tests.cli.programs import until
from torc_core import reasons


def test_files_pass_through_a_diamond(world):
    id = world.make(
        {
            "top": {"command": "echo 1 > a.txt", "output_files": ["a"]},
            "left": {"command": "sed s/1/2/ a.txt > b.txt", "input_files": ["a"], "output_files": ["b"]},
            "right": {"command": "sed s/1/3/ a.txt > c.txt", "input_files": ["a"], "output_files": ["c"]},
            "bottom": {"command": "cat b.txt c.txt > d.txt", "input_files": ["b", "c"], "output_files": ["d"]},
        },
        files=[{"name": name, "path": f"{name}.txt"} for name in "abcd"],
    )
    world.run(id)
    assert world.statuses(id) == dict.fromkeys(["top", "left", "right", "bottom"], "completed")
    assert world.results(id) == {name: [(1, 1, 0)] for name in ("top", "left", "right", "bottom")}
    assert world.text("d.txt") == "2\n3\n"
    times = {file["name"]: file["st_mtime"] for file in world.items("files", "list", id)}
    assert times == {name: pytest.approx((world.path / f"{name}.txt").stat().st_mtime) for name in "abcd"}
    done = world("run", id)
    assert world.results(id)["top"] == [(1, 1, 0)], done  # a finished workflow is left alone


def test_a_failure_goes_down_five_levels_and_stops_where_jobs_go_on(world):
    jobs = {"l0": {"command": "exit 9"}}
    for level in range(1, 6):
        jobs[f"l{level}"] = {"command": "touch ran", "depends_on": [f"l{level - 1}"]}
    jobs["anyway"] = {"command": "echo x > any", "depends_on": ["l0"], "cancel_on_blocking_job_failure": False}
    jobs["after"] = {"command": "cat any", "depends_on": ["anyway"]}
    jobs["both"] = {"command": "touch ran", "depends_on": ["anyway", "l5"]}
    id = world.make(jobs)
    world.run(id)
    assert world.statuses(id) == {
        "l0": "failed", "l1": "canceled", "l2": "canceled", "l3": "canceled", "l4": "canceled", "l5": "canceled",
        "anyway": "completed", "after": "completed", "both": "canceled",
    }  # fmt: skip
    assert world.results(id) == {"l0": [(1, 1, 9)], "anyway": [(1, 1, 0)], "after": [(1, 1, 0)]}
    assert not (world.path / "ran").exists()
    assert world.json("status", id)["is_complete"] is True


def test_a_rule_for_the_code_runs_its_script_and_the_job_again_two_times(world):
    rules = [
        {"exit_codes": [10, 11], "recovery_script": "echo fixed $TORC_ATTEMPT_ID >> fixed", "max_retries": 3},
        {"exit_codes": [12], "recovery_script": "touch wrong", "max_retries": 9},
    ]
    id = world.make(
        {
            "job": {"command": "echo x >> tries; test $(wc -l < tries) -ge 3 || exit 11", "failure_handler": "h"},
            "after": {"command": "cat tries", "depends_on": ["job"]},
            "other": {"command": "exit 13", "failure_handler": "h"},
        },
        failure_handlers=[{"name": "h", "rules": rules}],
    )
    world.run(id)
    assert world.statuses(id) == {"job": "completed", "after": "completed", "other": "failed"}
    assert world.results(id) == {
        "job": [(1, 1, 11), (1, 2, 11), (1, 3, 0)], "after": [(1, 1, 0)], "other": [(1, 1, 13)],
    }  # fmt: skip
    assert world.lines("fixed") == ["fixed 1", "fixed 2"]
    assert not (world.path / "wrong").exists()
    retried = [(event["previous_attempt"], event["new_attempt"]) for event in world.events(id, "job_retried")]
    assert retried == [(1, 2), (2, 3)]


def test_a_rule_for_all_codes_is_used_up(world):
    rules = [{"match_all_exit_codes": True, "max_retries": 3}]
    id = world.make(
        {
            "job": {"command": "echo x >> tries; exit $(wc -l < tries)", "failure_handler": "h"},
            "after": {"command": "touch ran", "depends_on": ["job"]},
        },
        failure_handlers=[{"name": "h", "rules": rules}],
    )
    world.run(id)
    assert world.statuses(id) == {"job": "failed", "after": "canceled"}
    assert world.results(id) == {"job": [(1, 1, 1), (1, 2, 2), (1, 3, 3)]}
    assert len(world.events(id, "job_retried")) == 2


def test_somebody_decides_about_failures_that_no_rule_knows(world):
    id = world.make(
        {
            "again": "test -e fixed || exit 4",
            "after again": {"command": "touch after", "depends_on": ["again"]},
            "for good": "exit 5",
            "after good": {"command": "touch ran", "depends_on": ["for good"]},
        },
        use_pending_failed=True,
    )
    world.run(id, code=1)
    assert world.statuses(id) == {
        "again": "pending_failed", "after again": "blocked", "for good": "pending_failed", "after good": "blocked",
    }  # fmt: skip
    assert world.json("status", id)["is_complete"] is False
    ids = world.ids(id)
    world.write("fixed", "")
    world("jobs", "resolve", ids["again"], "--retry")
    world("jobs", "resolve", ids["for good"], "--fail", "--reason", "wrong input")
    assert world.statuses(id) == {
        "again": "ready", "after again": "blocked", "for good": "failed", "after good": "canceled",
    }  # fmt: skip
    world.run(id)
    assert world.statuses(id) == {
        "again": "completed", "after again": "completed", "for good": "failed", "after good": "canceled",
    }  # fmt: skip
    assert world.results(id) == {
        "again": [(1, 1, 4), (1, 2, 0)], "after again": [(1, 1, 0)], "for good": [(1, 1, 5)],
    }  # fmt: skip
    assert world.ends(id)["for good"][:2] == (5, "failed")
    [failed] = world.events(id, "job_failed")
    assert "wrong input" in failed["message"]


def test_what_takes_too_long_or_too_much_is_killed_and_says_so(world):
    python = "python3 -c 'import time; held = bytearray(200_000_000); time.sleep(60)'"
    id = world.make(
        {
            "slow": {"command": "sleep 60", "resource_requirements": "short"},
            "warned": {
                "command": "trap 'echo bye > bye; exit 21' TERM; sleep 60 & wait", "supports_termination": True,
                "resource_requirements": "short",
            },
            "big": {"command": python, "resource_requirements": "small"},
            "after": {"command": "touch ran", "depends_on": ["slow"]},
        },
        resource_requirements=[
            {"name": "short", "num_cpus": 1, "memory": "100m", "runtime": "PT1S"},
            {"name": "small", "num_cpus": 1, "memory": "50m", "runtime": "PT1M"},
        ],
    )  # fmt: skip
    world.run(id)
    assert world.statuses(id) == {"slow": "terminated", "warned": "terminated", "big": "failed", "after": "canceled"}
    ends = world.ends(id)
    assert ends["slow"] == (152, "terminated", reasons.RUN_TIME)
    assert ends["warned"] == (21, "terminated", reasons.RUN_TIME)
    assert ends["big"][:2] == (137, "failed")
    assert ends["big"][2].startswith(reasons.MEMORY)
    assert world.text("bye") == "bye\n"


def test_a_job_that_is_given_no_time_to_end_is_killed_all_the_same(world):
    """In the original no SIGKILL follows when the time before it is 0."""
    id = world.make(
        {
            "deaf": {
                "command": "trap '' TERM; while true; do sleep 0.1; done", "supports_termination": True,
                "resource_requirements": "short",
            }
        },
        execution_config={"sigterm_lead_seconds": 0},
        resource_requirements=[{"name": "short", "num_cpus": 1, "memory": "100m", "runtime": "PT1S"}],
    )  # fmt: skip
    world.run(id)
    assert world.statuses(id) == {"deaf": "terminated"}
    assert world.ends(id)["deaf"] == (152, "terminated", reasons.RUN_TIME)


def test_a_recovery_gives_more_memory_to_what_lacked_it_and_nothing_else_runs_again(world):
    id = world.make(
        {
            "big": {"command": "echo x >> tries; test -e enough || exit 137", "resource_requirements": "small"},
            "after": {"command": "echo x >> after", "depends_on": ["big"]},
            "fine": "echo x >> fine",
            "odd": "exit 4",
        },
        resource_requirements=[{"name": "small", "num_cpus": 1, "memory": "100m", "runtime": "PT10M"}],
    )
    world.run(id)
    assert world.statuses(id) == {"big": "failed", "after": "canceled", "fine": "completed", "odd": "failed"}
    world.write("enough", "")
    world("recover", id, "--no-prompts")
    assert {r["name"]: r["memory"] for r in world.items("resource-requirements", "list", id)}["small"] == "150m"
    world.run(id)
    assert world.statuses(id) == {"big": "completed", "after": "completed", "fine": "completed", "odd": "failed"}
    assert world.results(id) == {
        "big": [(1, 1, 137), (2, 1, 0)], "after": [(2, 1, 0)], "fine": [(1, 1, 0)], "odd": [(1, 1, 4)],
    }  # fmt: skip
    assert (world.lines("fine"), world.lines("after"), world.lines("tries")) == (["x"], ["x"], ["x", "x"])
    [event] = [e for e in world.events(id, "user_action") if e.get("action") == "recover"]
    assert event["report"]["oom_fixed"] == 1


def test_a_canceled_run_ends_its_jobs_and_the_next_one_goes_on(world):
    id = world.make(
        {
            "done": "echo x >> done",
            "held": {"command": "touch begun; test -e go || sleep 60", "depends_on": ["done"]},
            "polite": {
                "command": "trap 'exit 0' TERM; touch willing; test -e go || { sleep 60 & wait; }",
                "supports_termination": True,
            },
            "after": {"command": "echo x >> after", "depends_on": ["held"]},
        }
    )
    runner = world.start("run", id, "-p", "1", "-j", "2")
    until(lambda: (world.path / "begun").exists() and (world.path / "willing").exists(), "the jobs")
    world("cancel", id)
    runner.wait()
    assert world.statuses(id) == {"done": "completed", "held": "canceled", "polite": "canceled", "after": "blocked"}
    why = "the workflow was canceled"
    ends = world.ends(id)
    assert (ends["held"], ends["polite"]) == ((137, "canceled", why), (0, "canceled", why))
    [event] = world.events(id, "workflow_canceled")
    assert event["run_id"] == 1
    assert "reinit" in world("run", id, code=1).err
    world.write("go", "")
    world("workflows", "reinit", id)
    world.run(id)
    assert set(world.statuses(id).values()) == {"completed"}
    results = world.results(id)
    assert results["done"] == [(1, 1, 0)]
    assert [(run, attempt) for run, attempt, _ in results["held"]] == [(1, 1), (2, 1)]
    assert results["held"][1][2] == 0
    assert results["after"] == [(2, 1, 0)]
    assert (world.lines("done"), world.lines("after")) == (["x"], ["x"])
