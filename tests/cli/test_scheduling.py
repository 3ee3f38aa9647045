"""``torc schedule-nodes``: nodes asked for by hand, and actions that would ask for some as well."""

import pytest

from torc_core.contracts.executor import SubmitError
from torc_core.records.allocations import LocalScheduler
from torc_core.service.local import LocalService
from torc_plugins.executors.local import LocalExecutor
from torc_plugins.storage.sqlite_storage import SqliteStorage

SPEC = """
name: crowd
jobs: [{{name: j, command: "true"}}]
actions:
  - {{trigger_type: on_workflow_start, action_type: schedule_nodes, scheduler_type: local, persistent: {persistent}}}
"""
ACTION, LASTING = SPEC.format(persistent="false"), SPEC.format(persistent="true")
PLAIN = "name: plain\njobs: [{name: j, command: 'true'}]"
LOCAL = ("--scheduler-type", "local")


@pytest.fixture
def asked(monkeypatch):
    """What is asked of this machine, of which nothing comes up."""
    requests = []
    submit = LocalExecutor.submit

    def keep(self, given):
        requests.extend(given)
        return submit(self, [request._replace(command="true") for request in given])

    monkeypatch.setattr(LocalExecutor, "submit", keep)
    return requests


@pytest.fixture
def typed(monkeypatch):
    def type_in(text):
        monkeypatch.setattr("torc_core.cli.scheduling.is_interactive", lambda: True)
        monkeypatch.setattr("torc_core.cli.scheduling.ask", lambda question: text)

    return type_in


@pytest.fixture
def with_schedulers(torc):
    """Makes a workflow with schedulers of this machine, by the numbers of their CPUs."""

    def make(**cpus):
        id = torc.create(PLAIN)
        service = LocalService(SqliteStorage(str(torc.path / "torc_output" / "torc.db")))
        for name, count in cpus.items():
            service.create(LocalScheduler(workflow_id=id, name=name, num_cpus=count))
        service.close()
        return id

    return make


def actions(torc, id=1):
    return {a["id"]: (a["trigger_count"], a.get("executed", False)) for a in torc.items("workflows", "actions", id)}


def runs(torc, id=1):
    return [(run["status"], run.get("compute_node_id")) for run in torc.items("workflows", "action-runs", id)]


def allocations(torc, id=1):
    return torc.items("scheduled-compute-nodes", "list", id)


def test_runners_start_and_run_the_workflow(torc):
    id = torc.create("name: w\njobs: [{name: 'j{i}', command: 'true', parameters: {i: '1:4'}}]")
    done = torc("schedule-nodes", id, *LOCAL, "--num-allocations", 2, "--max-parallel-jobs", 1)
    assert [line.split(", which")[0] for line in done.lines] == [
        "Allocation 1 asked of local", "Allocation 2 asked of local",
    ]  # fmt: skip
    assert torc("wait", id).code == 0
    assert torc.json("status", id)["jobs_by_status"]["completed"] == 4
    for node in allocations(torc, id):
        log = torc.path / "torc_output" / f"worker_wf{id}_n{node['id']}.log"
        assert log.exists()
        assert node["scheduler_id"] > 0


def test_what_is_asked_for_is_what_the_options_say(torc, asked, with_schedulers):
    id = with_schedulers(small=1, big=2)
    torc("schedule-nodes", id, "--scheduler", "big", "-j", 3, "-o", "elsewhere", "--start-one-worker-per-node")
    [request] = asked
    assert request.allocation["num_cpus"] == 2
    assert (request.allocation["max_parallel_jobs"], request.allocation["start_one_worker_per_node"]) == (3, True)
    assert request.stdout == "elsewhere/worker_wf1_n1.log"
    assert [node["scheduler_config_id"] for node in allocations(torc, id)] == [2]
    assert request.env["TORC_SCHEDULED_NODE"] == "local:1:2"
    assert request.env["TORC_DB"] == str(torc.path / "torc_output" / "torc.db")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), ("has 2 schedulers", "small (local), big (local)")),
        (("--scheduler", "huge"), ('no scheduler "huge"', "small (local), big (local)")),
        (("--scheduler-type", "abacus"), ("abacus",)),
        (("--scheduler-type", "dry-run"), ("'dry-run' allocates no nodes",)),
    ],
)
def test_who_cannot_be_asked_is_told_before_anything_begins(torc, with_schedulers, words, said):
    id = with_schedulers(small=1, big=2)
    err = torc("schedule-nodes", id, *words, code=1).err
    assert all(text in err for text in said), err
    assert torc.json("status", id)["jobs_by_status"]["uninitialized"] == 1
    assert allocations(torc, id) == []


def test_without_any_scheduler_this_machine_is_proposed(torc):
    err = torc("schedule-nodes", torc.create(PLAIN), code=1).err
    assert "names no scheduler" in err
    assert "--scheduler-type local" in err


def test_the_only_scheduler_needs_no_name(torc, asked, with_schedulers):
    id = with_schedulers(small=1)
    torc("schedule-nodes", id)
    assert asked[0].allocation["num_cpus"] == 1


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ([("run", 1)], "is complete"),
        ([("cancel", 1, "--no-prompts")], "is canceled"),
        ([("workflows", "archive", "true", 1)], "is archived"),
        ([("run", 1), ("jobs", "create", 1, "--name", "new", "--command", "true")], "added or reset"),
    ],
)
def test_nodes_are_not_asked_for_in_vain(torc, before, said):
    torc.create(PLAIN)
    for words in before:
        torc(*words)
    assert said in torc("schedule-nodes", 1, *LOCAL, code=1).err
    assert allocations(torc) == []


def test_without_its_input_files_a_workflow_is_begun_with_force_only(torc, asked):
    id = torc.create(PLAIN.replace("'true'", "'true', input_files: [f]") + "\nfiles: [{name: f, path: f.txt}]")
    assert "--force" in torc("schedule-nodes", id, *LOCAL, code=1).err
    assert allocations(torc, id) == []
    torc("schedule-nodes", id, *LOCAL, "--force")
    assert len(allocations(torc, id)) == 1


def test_a_folder_that_cannot_be_made_is_told_before_anything_begins(torc):
    id = torc.create(PLAIN)
    torc.write("file", "")
    assert "output folder" in torc("schedule-nodes", id, *LOCAL, "-o", "file/below", code=1).err
    assert torc.json("status", id)["jobs_by_status"]["uninitialized"] == 1
    assert allocations(torc, id) == []


def test_who_asks_from_another_folder_is_warned(torc, asked, tmp_path_factory):
    id = torc.create(PLAIN)
    here, torc.path = torc.path, tmp_path_factory.mktemp("elsewhere")
    done = torc("schedule-nodes", id, *LOCAL, "--db", here / "torc_output" / "torc.db")
    assert f"was made in {here}" in done.err


# actions that would ask as well


def test_a_suppressed_action_is_done_and_says_why(torc):
    id = torc.create(ACTION)
    done = torc("schedule-nodes", id, *LOCAL, "--suppress-actions")
    assert done.lines[-1] == "Suppressed: action 1 (on_workflow_start)"
    torc("wait", id)
    assert actions(torc, id) == {1: (1, True)}
    assert runs(torc, id) == [("completed", None)]
    assert torc.items("workflows", "action-runs", id)[0]["reason"] == "nodes were asked for by hand"
    assert len(allocations(torc, id)) == 1


def test_an_action_that_is_let_be_asks_as_well(torc):
    id = torc.create(ACTION)
    assert torc.json("schedule-nodes", id, *LOCAL)["suppressed_actions"] == []
    torc("wait", id)
    torc("watch", id)  # until no runner is left
    assert [status for status, _ in runs(torc, id)] == ["completed"]
    assert len(allocations(torc, id)) == 2


def test_nobody_decides_for_somebody_who_cannot_be_asked(torc):
    id = torc.create(ACTION)
    done = torc("schedule-nodes", id, *LOCAL, code=1)
    assert "action 1 (on_workflow_start) will ask for nodes as well" in done.err
    assert "--suppress-actions" in done.err
    assert (allocations(torc, id), actions(torc, id)) == ([], {1: (0, False)})
    assert torc.json("status", id)["jobs_by_status"]["uninitialized"] == 1, "nothing has begun"


@pytest.mark.parametrize(
    ("answer", "executed", "count"), [("s", True, 1), ("proceed", False, 1), ("c", False, 0), ("", False, 0)]
)
def test_a_person_is_asked(torc, typed, asked, answer, executed, count):
    id = torc.create(ACTION)
    typed(answer)
    torc("schedule-nodes", id, *LOCAL, code=0 if count else 1)
    assert (len(allocations(torc, id)), actions(torc, id)) == (count, {1: (int(count > 0), executed)})


def test_a_lasting_action_cannot_be_suppressed_and_that_is_said(torc, asked):
    id = torc.create(LASTING)
    assert "cannot be suppressed" in torc("schedule-nodes", id, *LOCAL, "--suppress-actions").err
    assert actions(torc, id) == {1: (1, False)}


def test_no_action_is_suppressed_when_no_nodes_could_be_had(torc, monkeypatch):
    monkeypatch.setattr(LocalExecutor, "submit", lambda self, requests: [SubmitError(r.key, "no") for r in requests])
    id = torc.create(ACTION)
    assert torc("schedule-nodes", id, *LOCAL, "--suppress-actions", code=1).err == "Error: no\n"
    assert (allocations(torc, id), actions(torc, id), runs(torc, id)) == ([], {1: (1, False)}, [])
    done = torc("schedule-nodes", id, *LOCAL, "--suppress-actions", "-f", "json", code=1)
    assert done.json == {"workflow_id": id, "allocations": [], "suppressed_actions": []}
    assert (done.error["status"], done.error["message"]) == ("error", "no")


def test_what_could_be_had_before_a_refusal_is_told(torc, monkeypatch):
    submit, count = LocalExecutor.submit, []

    def second_is_refused(self, requests):
        count.append(1)
        first = [request._replace(command="true") for request in requests]
        return submit(self, first) if len(count) == 1 else [SubmitError(requests[0].key, "full")]

    monkeypatch.setattr(LocalExecutor, "submit", second_is_refused)
    id = torc.create(ACTION)
    done = torc("schedule-nodes", id, *LOCAL, "-n", 3, "--suppress-actions", code=1)
    assert [line.split(",")[0] for line in done.lines] == [
        "Allocation 1 asked of local", "Suppressed: action 1 (on_workflow_start)",
    ]  # fmt: skip
    assert done.err == "Error: full\n"
    assert len(allocations(torc, id)) == 1


def test_an_action_that_a_runner_takes_meanwhile_is_not_called_suppressed(torc, asked, monkeypatch):
    take = LocalService.claim_action

    def too_late(self, id, action_id, claim):
        take(self, id, action_id, claim)
        return take(self, id, action_id, claim)

    monkeypatch.setattr(LocalService, "claim_action", too_late)
    id = torc.create(ACTION)
    done = torc("schedule-nodes", id, *LOCAL, "--suppress-actions")
    assert "action 1 (on_workflow_start) is carried out already; it asks for nodes as well" in done.err
    assert "Suppressed" not in done.out


# allocations that end without a word


def test_an_allocation_of_which_nothing_comes_up_is_noted_as_over(torc, asked):
    id = torc.create(PLAIN)
    torc("schedule-nodes", id, *LOCAL)
    assert torc.json("status", id)["jobs_by_status"]["ready"] == 1
    told = torc.json("sync-status", id, "--dry-run")
    assert (told["pending_allocations_cleaned"], allocations(torc, id)[0]["status"]) == (1, "pending")
    done = torc("sync-status", id)
    assert done.lines[0] == "Noted the end of allocation 1 of local (see torc_output/worker_wf1_n1.log)"
    assert allocations(torc, id)[0]["status"] == "complete"
    assert torc("sync-status", id).out == "No runner is gone.\n"
