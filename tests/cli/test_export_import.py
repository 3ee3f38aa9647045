"""``torc workflows export`` and ``import``: documents that move workflows, and specs that run again."""

import json

import pytest

from tests.cli.programs import DIAMOND, program
from tests.cli.queues import Queue, offer_queues
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.service.local import LocalService
from torc_plugins.storage.sqlite_storage import SqliteStorage

EVERYTHING = """
name: everything
description: one of each
env: {GREETING: hello}
compute_node_wait_for_new_jobs_seconds: 5
jobs:
  - name: first
    command: 'echo "$GREETING $WHO" > first.txt'
    env: {WHO: world}
    output_files: [first]
    resource_requirements: small
    priority: 3
  - name: second
    command: tr a-z A-Z < first.txt > second.txt; cat second.txt
    input_files: [first]
    output_files: [second]
    input_user_data: [settings]
    failure_handler: again
    cancel_on_blocking_job_failure: false
    supports_termination: true
    invocation_script: nice
    stdio: {mode: combined}
  - {name: flaky, command: 'test -e mark || { touch mark; exit 9; }', failure_handler: again}
  - {name: onslurm, command: echo s, scheduler: short, depends_on: [second]}
files: [{name: first, path: first.txt}, {name: second, path: second.txt}]
user_data: [{name: settings, data: {deep: [1, null, "x"]}}, {name: later, is_ephemeral: true}]
resource_requirements: [{name: small, num_cpus: 1, memory: 10m, runtime: PT5M}]
failure_handlers: [{name: again, rules: [{exit_codes: [9], max_retries: 3}]}]
slurm_schedulers: [{name: short, account: acme, nodes: 1, walltime: "01:00:00"}]
actions:
  - {trigger_type: on_workflow_start, action_type: run_commands, commands: [echo begun]}
  - {trigger_type: on_jobs_complete, action_type: run_commands, jobs: [second], commands: [echo half]}
"""


@pytest.fixture
def elsewhere(tmp_path_factory, capsys):
    """Another folder, with another database."""
    from tests.cli.programs import Folder

    return Folder(tmp_path_factory.mktemp("elsewhere"), capsys)


def run_once(torc):
    torc("run", torc.write("spec.yaml", DIAMOND))
    return torc


def test_an_export_is_one_json_document_with_all_records(torc):
    run_once(torc)
    body = json.loads(torc("workflows", "export", 1).out)
    assert body["export_version"] == "1.0"
    assert body["exported_at"].endswith("Z")
    assert body["workflow"]["name"] == "diamond"
    assert [job["name"] for job in body["jobs"]] == ["top", "left", "right", "bottom"]
    assert {result["return_code"] for result in body["results"]} == {0, 3}
    assert body["local_schedulers"] == []
    bare = json.loads(torc("workflows", "export", "--no-results", "--no-events").out)
    assert {"results", "compute_nodes", "events"}.isdisjoint(bare)


def test_an_export_to_a_file_is_counted(torc):
    run_once(torc)
    body = torc.json("workflows", "export", 1, "-o", "w.json")
    counts = {name: body.pop(name) for name in ("jobs", "files", "user_data", "results")}
    events = body.pop("events")
    assert body == {"success": True, "workflow_id": 1, "workflow_name": "diamond", "output_file": "w.json"}
    assert counts == {"jobs": 4, "files": 1, "user_data": 0, "results": 3}
    assert events == len(json.loads((torc.path / "w.json").read_text())["events"])
    assert "4 jobs, 1 file, 3 results" in torc("workflows", "export", 1, "-o", "w.json").out
    assert not list(torc.path.glob("*.part"))


def test_a_copy_runs_in_another_database(torc, elsewhere):
    run_once(torc)("workflows", "export", 1, "-o", elsewhere.path / "w.json")
    body = elsewhere.json("workflows", "import", "w.json", "--name", "copy")
    assert body == {
        "success": True, "workflow_id": 1, "workflow_name": "copy", "jobs": 4, "files": 1, "user_data": 0, "results": 3,
        "compute_nodes": 1,
    }  # fmt: skip
    assert elsewhere.json("status")["jobs_by_status"]["uninitialized"] == 4
    assert elsewhere.json("run", 1)["completed"] == 2
    assert {result["run_id"] for result in elsewhere.items("results", "list", "--all-runs")} == {1, 2}


def test_a_move_keeps_where_the_workflow_stands(torc, elsewhere):
    run_once(torc)("workflows", "export", 1, "-o", elsewhere.path / "w.json")
    done = elsewhere("workflows", "import", "w.json", "--as-is")
    assert "See: torc status 1" in done.out
    left, right = (t.json("status") for t in (torc, elsewhere))
    assert left == right
    assert elsewhere.items("results", "list") == torc.items("results", "list")
    assert torc("run", 1).out == elsewhere("run", 1).out


QUEUED = """
name: queued
jobs: [{name: j, command: "true", scheduler: short}]
slurm_schedulers: [{name: long, account: acme}, {name: short, account: acme}]
"""


@pytest.fixture
def queued(torc, monkeypatch):
    """A workflow with an allocation in the queue of Slurm and of LSF, and one whose worker is on this machine."""
    offer_queues(monkeypatch)
    torc.create(QUEUED)
    for words in (("--scheduler", "short"), ("--scheduler-type", "lsf")):
        torc("schedule-nodes", 1, *words)
    service = LocalService(SqliteStorage(str(torc.path / "torc_output" / "torc.db")))
    service.create(
        ScheduledComputeNode(
            workflow_id=1, scheduler_id=1, scheduler_config_id=0, scheduler_type="local", status="active", handle="1:1"
        )
    )
    service.close()
    return torc


@pytest.mark.parametrize("words", [(), ("--as-is",)], ids=["copy", "as-is"])
def test_what_the_original_waits_for_in_queues_is_not_the_copys(queued, words):
    torc = queued
    torc("workflows", "export", 1, "-o", "w.json")
    done = torc("workflows", "import", "w.json", *words)
    assert "3 allocations waiting or active when the export was made: complete here" in done.err
    before = torc.items("scheduled-compute-nodes", "list", 1)
    copied = torc.items("scheduled-compute-nodes", "list", 2)
    assert [(node["scheduler_type"], node["scheduler_config_id"], node["status"]) for node in copied] == [
        ("slurm", 4, "complete"), ("lsf", 0, "complete"), ("local", 0, "complete")
    ]  # fmt: skip
    assert torc.json("cancel", 2)["canceled_allocations"] == []
    torc("delete", "--no-prompts", 2)
    assert Queue.canceled == []
    assert set(Queue.states.values()) == {"queued"}
    assert torc.items("scheduled-compute-nodes", "list", 1) == before
    assert [node["status"] for node in before] == ["pending", "pending", "active"]


def test_nodes_are_asked_for_again_in_a_copy_as_in_the_original(queued):
    torc = queued
    torc("workflows", "export", 1, "-o", "w.json")
    torc("workflows", "import", "w.json")
    torc("schedule-nodes", 2, "--scheduler", "short")
    [*_, asked] = torc.items("scheduled-compute-nodes", "list", 2)
    assert (asked["scheduler_config_id"], asked["status"]) == (4, "pending")
    assert torc.json("cancel", 2)["canceled_allocations"] == [asked["id"]]
    assert [id for _, id, _ in Queue.canceled] == [asked["handle"]]


def test_an_export_goes_through_a_pipe(tmp_path):
    (tmp_path / "spec.yaml").write_text(DIAMOND)
    program(tmp_path, "create", "spec.yaml")
    text = program(tmp_path, "workflows", "export", "1").out
    body = program(tmp_path, "workflows", "import", "-", "-f", "json", input=text).json
    assert (body["workflow_id"], body["jobs"]) == (2, 4)


def test_what_is_no_export_is_refused_and_nothing_is_stored(torc):
    torc.create(DIAMOND)
    for text, said in (("{}", "no export_version"), ("name: x", "not JSON"), ('{"export_version": "2.1"}', "2.1")):
        assert said in torc("workflows", "import", torc.write("x.json", text), code=1).err
    assert "no file nothing.json" in torc("workflows", "import", "nothing.json", code=1).err
    wrong = torc("workflows", "import", "x.json", "-f", "json", code=1)
    assert wrong.error["status"] == "error"
    assert torc.json("workflows", "list")["count"] == 1


def test_groups_that_are_not_here_are_left_out_and_told(torc):
    torc.create(DIAMOND)
    body = json.loads(torc("workflows", "export").out)
    body["workflow"]["access_groups"] = ["physics"]
    done = torc("workflows", "import", torc.write("w.json", json.dumps(body)))
    assert '"physics"' in done.err


@pytest.mark.parametrize("form", ["yaml", "json", "json5", "kdl"])
def test_a_spec_that_was_exported_makes_the_same_workflow(torc, elsewhere, form):
    torc.create(EVERYTHING)
    torc("workflows", "export", 1, "--as-spec", "-o", elsewhere.path / f"again.{form}")
    assert elsewhere.json("create", f"again.{form}")["workflow_id"] == 1
    left, right = (json.loads(t("workflows", "export", 1).out) for t in (torc, elsewhere))
    for body in (left, right):
        for name in ("exported_at", "events"):
            del body[name]
        for name in ("timestamp", "submission_directory"):
            del body["workflow"][name]
    assert right == left


def test_a_spec_that_was_exported_gives_the_same_results(torc, elsewhere):
    spec = EVERYTHING.replace("  - {name: onslurm, command: echo s, scheduler: short, depends_on: [second]}\n", "")
    torc("run", torc.write("spec.yaml", spec))
    (elsewhere.path / "again.yaml").write_text(torc("workflows", "export", 1, "--as-spec").out)
    elsewhere("run", "again.yaml")
    for name in ("first.txt", "second.txt"):
        assert (elsewhere.path / name).read_text() == (torc.path / name).read_text()
    assert (torc.path / "second.txt").read_text() == "HELLO WORLD\n"

    def outcomes(t):
        results = t.items("results", "list", "--all-runs")
        return sorted((r["job_name"], r["attempt_id"], r["return_code"]) for r in results)

    assert outcomes(torc) == outcomes(elsewhere)


def test_what_jobs_have_stored_is_not_in_the_spec(torc):
    spec = """
name: data
jobs: [{name: make, command: "torc user-data update 1 -d 5", output_user_data: [made]}]
user_data: [{name: made}, {name: given, data: 7}]
"""
    torc.create(spec)
    torc("user-data", "update", 1, "-d", "5")
    body = json.loads(torc("workflows", "export", "--as-spec", "-f", "json").out)
    assert body["user_data"] == [{"name": "made"}, {"name": "given", "data": 7}]


def test_changed_defaults_are_in_the_spec(torc, elsewhere):
    torc.create(DIAMOND)
    [default] = torc.items("resource-requirements", "list")
    torc("resource-requirements", "update", default["id"], "--memory", "2g")
    (elsewhere.path / "s.json").write_text(torc("workflows", "export", "--as-spec", "--to", "json").out)
    elsewhere("create", "s.json")
    assert [r["memory"] for r in elsewhere.items("resource-requirements", "list")] == ["2g"]


def test_a_format_is_for_specs_only(torc):
    torc.create(DIAMOND)
    assert "--as-spec" in torc("workflows", "export", "--to", "yaml", code=2).err


# archives


def test_an_archived_workflow_is_hidden_and_begins_no_run(torc):
    torc.create(DIAMOND)
    torc.create(DIAMOND)
    assert torc.json("workflows", "archive", "true", 1) == {
        "status": "success", "updated_workflows": [1], "is_archived": True
    }  # fmt: skip
    listed = {words: [w["id"] for w in torc.items("workflows", "list", *words)] for words in (
        (), ("--archived-only",), ("--include-archived",)
    )}  # fmt: skip
    assert listed == {(): [2], ("--archived-only",): [1], ("--include-archived",): [1, 2]}
    for words in (("init", 1), ("reinit", 1)):
        assert "archive false 1" in torc("workflows", *words, code=1).err
    assert torc.json("status")["workflow_id"] == 2  # the only one to pick
    torc("workflows", "archive", "0", 1)
    torc("workflows", "init", 1)
    assert torc.json("workflows", "archive", "yes", 99, code=1)["status"] == "error"
