"""Answers that depend on who asks, and those that have the members of all releases."""

import json
import urllib.request

import pytest

from tests.server import seeding
from tests.server.seeding import CURL, OURS, PYTHON, RUST, RUST_NEW

TEXT = [PYTHON["0.12"], PYTHON["0.22"], RUST]
OBJECT = [PYTHON["0.35"], RUST_NEW]
NEXT = {"User-Agent": "OpenAPI-Generator/0.18.0/python"}
LATER = {"User-Agent": "OpenAPI-Generator/1.2.0/python"}
BEFORE = {"User-Agent": "OpenAPI-Generator/0.17.3/python"}
FIELDS = ("metadata", "slurm_defaults", "resource_monitor_config", "execution_config")


def create(server, agent, path="/workflows", **more):
    body = {"name": "w", "user": "ada", **more} if path == "/workflows" else more
    status, _, data = server.ask("POST", path, body, headers=dict(agent))
    assert status == 200, data
    return data


def get(server, path, agent):
    status, _, data = server.ask("GET", path, headers=dict(agent))
    assert status == 200, data
    return data


VALUES = {
    "metadata": {"b": [1, {"a": None}], "a": "é"},
    "slurm_defaults": {"account": "x", "nodes": 2},
    "resource_monitor_config": {"enabled": True, "sample_interval_seconds": 5},
    "execution_config": {"mode": "direct", "stdio": {"mode": "combined"}},
}


@pytest.mark.parametrize("writer", [*TEXT, BEFORE, CURL])
def test_what_was_written_as_text_is_read_as_each_expects(shared_server, writer):
    texts = {name: json.dumps(value, indent=1) for name, value in VALUES.items()}
    path = f"/workflows/{create(shared_server, writer, **texts)['id']}"
    for agent in (*TEXT, BEFORE, CURL):
        assert {name: get(shared_server, path, agent)[name] for name in FIELDS} == texts
    for agent in (*OBJECT, NEXT, LATER):
        found = get(shared_server, path, agent)
        assert {name: found[name] for name in ("metadata", "slurm_defaults")} == {
            name: VALUES[name] for name in ("metadata", "slurm_defaults")
        }
        assert found["resource_monitor_config"]["sample_interval_seconds"] == 5
        assert found["execution_config"]["stdio"]["mode"] == "combined"
    assert get(shared_server, path, OURS)["metadata"] == VALUES["metadata"]


@pytest.mark.parametrize("writer", [*OBJECT, CURL])
def test_what_was_written_as_objects_is_read_as_each_expects(shared_server, writer):
    path = f"/workflows/{create(shared_server, writer, **VALUES)['id']}"
    for agent in (*OBJECT, CURL):
        assert get(shared_server, path, agent)["metadata"] == VALUES["metadata"]
    for agent in TEXT:
        found = get(shared_server, path, agent)
        for name in FIELDS:
            assert VALUES[name].items() <= json.loads(found[name]).items()


@pytest.mark.parametrize("text", ["no JSON", "5", "[1]", '"x"', "null", "", "{"])
def test_text_that_is_no_object_stays_text(shared_server, text):
    path = f"/workflows/{create(shared_server, PYTHON['0.22'], metadata=text)['id']}"
    assert get(shared_server, path, PYTHON["0.22"])["metadata"] == text
    assert get(shared_server, path, PYTHON["0.35"]).get("metadata") is None
    assert get(shared_server, "/workflows?limit=1&reverse_sort=true", PYTHON["0.35"])["count"] == 1


def test_a_list_has_the_form_of_its_reader_throughout(shared_server):
    for writer in (PYTHON["0.22"], PYTHON["0.35"]):
        given = VALUES["metadata"] if writer is PYTHON["0.35"] else json.dumps(VALUES["metadata"])
        create(shared_server, writer, name="listed", metadata=given)
    for agent, kind in ((PYTHON["0.22"], str), (PYTHON["0.35"], dict), (RUST, str), (RUST_NEW, dict)):
        items = get(shared_server, "/workflows?name=listed", agent)["items"]
        assert {type(item["metadata"]) for item in items} == {kind}
    items = get(shared_server, "/workflows?name=listed", CURL)["items"]
    assert {type(item["metadata"]) for item in items} == {str, dict}


def test_a_change_of_the_value_changes_the_text(shared_server):
    made = create(shared_server, PYTHON["0.22"], metadata='{ "a": 1 }')
    path = f"/workflows/{made['id']}"
    shared_server.ask("PUT", path, {"name": "w", "user": "ada", "metadata": {"a": 2}}, headers=dict(PYTHON["0.35"]))
    assert json.loads(get(shared_server, path, PYTHON["0.22"])["metadata"]) == {"a": 2}
    shared_server.ask("PUT", path, {"name": "w", "user": "ada", "metadata": '{ "a": 3}'}, headers=dict(RUST))
    assert get(shared_server, path, RUST)["metadata"] == '{ "a": 3}'
    assert get(shared_server, path, RUST_NEW)["metadata"] == {"a": 3}


def test_what_is_no_object_is_refused_from_those_who_send_objects(shared_server):
    status, _, data = shared_server.ask(
        "POST", "/workflows", {"name": "w", "user": "ada", "metadata": [1]}, headers=dict(PYTHON["0.35"])
    )
    assert (status, data["error"]["field"]) == (422, "metadata")


def test_provenance_has_the_same_two_forms(shared_server):
    workflow_id = seeding.workflow(shared_server)
    entity = {"workflow_id": workflow_id, "entity_type": "File"}
    create(shared_server, PYTHON["0.22"], "/ro_crate_entities", entity_id="a", metadata='{"x": 1}', **entity)
    create(shared_server, PYTHON["0.35"], "/ro_crate_entities", entity_id="b", metadata={"x": 2}, **entity)
    create(shared_server, PYTHON["0.22"], "/ro_crate_entities", entity_id="c", metadata="no JSON", **entity)
    path = f"/workflows/{workflow_id}/ro_crate_entities"
    assert [e["metadata"] for e in get(shared_server, path, PYTHON["0.22"])["items"]] == [
        '{"x": 1}',
        '{"x":2}',
        "no JSON",
    ]
    newer = [e["metadata"] for e in get(shared_server, path, PYTHON["0.35"])["items"]]
    assert newer[:2] == [{"x": 1}, {"x": 2}]
    assert isinstance(newer[2], dict)  # clients refuse a list in which one is none


def test_rules_of_failure_handlers_are_text_for_everybody_but_us(shared_server):
    workflow_id = seeding.workflow(shared_server)
    rules = '[ {"exit_codes": [3], "recovery_script": "x", "max_retries": 2} ]'
    body = {"workflow_id": workflow_id, "name": "h", "rules": rules}
    made = create(shared_server, CURL, "/failure_handlers", **body)
    assert made["rules"] == rules
    for agent in (*TEXT, *OBJECT, CURL):
        assert get(shared_server, f"/failure_handlers/{made['id']}", agent)["rules"] == rules
    assert get(shared_server, f"/failure_handlers/{made['id']}", OURS)["rules"][0]["exit_codes"] == [3]
    status, _, data = shared_server.ask("POST", "/failure_handlers", body | {"rules": "nobody could follow these"})
    assert (status, data["error"]["field"]) == (422, "rules")


@pytest.mark.parametrize(
    ("agent", "word"),
    [(PYTHON["0.12"], "success"), (PYTHON["0.22"], "success"), (PYTHON["0.35"], "success"), (CURL, "success"),
     (RUST, "claimed"), (RUST_NEW, "claimed")],
)  # fmt: skip
def test_an_action_is_claimed_in_the_word_of_the_caller(shared_server, agent, word):
    workflow_id, _ = seeding.ready(shared_server, "a")
    action = {"workflow_id": workflow_id, "trigger_type": "on_workflow_start", "action_type": "run_commands",
              "action_config": {"commands": ["true"]}}  # fmt: skip
    path = f"/workflows/{workflow_id}/actions"
    number = shared_server.post(path, action)["id"]
    claim = f"{path}/{number}/claim"
    status, _, data = shared_server.ask("POST", claim, {}, headers=dict(agent))
    assert status == 200
    assert data == {"action_id": number, word: True}
    status, _, data = shared_server.ask("POST", claim, {}, headers=dict(agent))
    assert (status, data["error"]["claimed"]) == (409, False)


@pytest.mark.parametrize("agent", [*TEXT, *OBJECT, CURL])
def test_a_status_has_what_all_releases_look_for(shared_server, agent):
    workflow_id, _ = seeding.ready(shared_server, "a")
    status = get(shared_server, f"/workflows/{workflow_id}/status", agent)
    assert {
        "id": workflow_id, "workflow_id": workflow_id, "run_id": 0, "is_canceled": False, "is_archived": False,
        "has_detected_need_to_run_completion_script": False, "is_complete": False, "total_jobs": 1,
        "workflow_name": "w", "workflow_user": "ada", "active_compute_nodes": 0, "pending_scheduled_nodes": 0,
        "active_scheduled_nodes": 0, "total_exec_time_minutes": 0.0,
    }.items() <= status.items()  # fmt: skip
    assert status["jobs_by_status"]["ready"] == 1
    assert len(status["jobs_by_status"]) == 11
    done = get(shared_server, f"/workflows/{workflow_id}/is_complete", agent)
    assert done == {"is_complete": False, "is_canceled": False, "needs_to_run_completion_script": False}
    workflow = get(shared_server, f"/workflows/{workflow_id}", agent)
    assert {
        "status_id": workflow_id,
        "run_id": 0,
        "is_archived": False,
        "is_canceled": False,
    }.items() <= workflow.items()


@pytest.mark.parametrize(
    ("agent", "version"), [(RUST, "0.22.2"), (RUST_NEW, "1.0.0"), (PYTHON["0.35"], None), (CURL, None)]
)
def test_command_lines_see_their_own_release(shared_server, agent, version):
    from torc_core import __version__

    found = get(shared_server, "/version", agent)
    assert found["version"] == (version or __version__)
    assert found["api_version"] == "0.23.0"


def test_the_version_at_the_root_is_that_of_the_api(shared_server):
    with urllib.request.urlopen(f"{shared_server.root}/version", timeout=60) as answer:
        assert json.load(answer) == get(shared_server, "/version", CURL)


@pytest.mark.parametrize(
    "path",
    ["/jobs", "/files", "/user_data", "/resource_requirements", "/local_schedulers", "/slurm_schedulers",
     "/compute_nodes", "/scheduled_compute_nodes", "/results", "/events"],
)  # fmt: skip
def test_every_deletion_of_many_has_both_counts(shared_server, path):
    workflow_id = seeding.workflow(shared_server)
    status, _, data = shared_server.ask("DELETE", f"{path}?workflow_id={workflow_id}")
    assert status == 200
    assert data["count"] == data["deleted_count"]
    assert data["message"]


def test_a_result_names_its_job(shared_server):
    workflow_id, [job] = seeding.ready(shared_server, "named")
    status, _ = seeding.complete(shared_server, workflow_id, job, seeding.node(shared_server, workflow_id))
    assert status == 200
    [found] = get(shared_server, f"/results?workflow_id={workflow_id}", PYTHON["0.35"])["items"]
    assert found["job_name"] == "named"
    assert get(shared_server, f"/results/{found['id']}", CURL)["job_name"] == "named"


def test_members_that_the_newest_command_line_refuses_are_kept_from_it(shared_server):
    made = create(
        shared_server, CURL, execution_config={"mode": "direct", "colour": "red", "stdio": {"mode": "none", "x": 1}}
    )
    path = f"/workflows/{made['id']}"
    assert get(shared_server, path, RUST_NEW)["execution_config"] == {"mode": "direct", "stdio": {"mode": "none"}}
    assert get(shared_server, path, CURL)["execution_config"]["colour"] == "red"
