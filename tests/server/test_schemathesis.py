"""The published document as a source of requests, with and without sense: no answer is a 5xx, none is undocumented."""

import json
import os
import subprocess
import sys

import pytest

from tests.server import seeding
from tests.server.logins import users
from tests.server.server_process import environment
from torc_core.service.api import OPERATIONS
from torc_server.openapi import document

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
EXAMPLES = os.environ.get("TORC_TEST_EXAMPLES", "4")
"""Requests for each operation, beside those that cover what the document says of it."""
WAITING = ("watch_events", "wait_for_change")
KNOWN = """\
[parameters]
"path.id" = 1
"path.workflow_id" = 1
"path.compute_node_id" = 1
"path.action_id" = 1
"path.run_id" = 0
"query.workflow_id" = 1
"query.job_id" = 1
"""
"""Ids that are there, for requests that are to get further."""


@pytest.fixture
def look(tmp_path):
    """Runs schemathesis against a server, and returns its report: nothing may be wrong with any answer."""
    try:
        import schemathesis  # noqa: F401
    except ImportError:
        if os.environ.get("CI"):
            raise
        pytest.skip("schemathesis is not installed: pip install 'torc[test]'")

    def look(server, *words, config="", checks=CHECKS, phases="coverage,fuzzing"):
        (tmp_path / "schemathesis.toml").write_text(config)
        (tmp_path / "openapi.json").write_text(json.dumps(document()))
        report = tmp_path / "report.json"
        command = [
            sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run", "openapi.json",
            "--url", server.url, "--phases", phases, "--mode", "all", "-n", EXAMPLES,
            "--seed", "1", "--checks", checks, "--continue-on-failure", "--request-timeout", "60", "--no-color",
            "--warnings", "off", "--report", "json", "--report-json-path", report, *words,
        ]  # fmt: skip
        for name in WAITING:
            command += ["--exclude-operation-id", name]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment(tmp_path), timeout=900
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        assert "Traceback" not in server.text()
        found = json.loads(report.read_text())
        assert found["complete"]
        assert (found["failures"], found["errors"]) == ([], [])
        print(done.stdout[done.stdout.index("= SUMMARY") :])
        return found

    return look


def accepted(report):
    """Return how many operations took a request at least."""
    rates = report["valid_rates"].values()
    return sum(any(phase["accepted"] for phase in found.values()) for found in rates)


def test_requests_after_the_document_are_answered_after_it(server, look):
    report = look(server)
    assert report["operations"]["tested"] >= len(OPERATIONS) - len(WAITING) - 5
    assert report["test_cases"]["generated"] > 5000


def test_requests_for_what_is_there_are_answered_after_the_document(server, look):
    fill(server)
    report = look(server, "--exclude-method", "DELETE", config=KNOWN)
    assert report["test_cases"]["generated"] > 5000
    assert accepted(report) > 60


def test_those_who_may_not_get_in_learn_nothing(start_server, look, tmp_path):
    server = start_server("--auth-file", users(tmp_path, "ada"), "--require-auth", "--enforce-access-control")
    assert accepted(look(server, checks="not_a_server_error", phases="fuzzing")) == 0
    report = look(server, "--auth", "ada:ada-pw")
    assert accepted(report) > 10


def fill(server):
    """Store one of each kind, all with the id 1."""
    workflow_id, [job] = seeding.ready(server, "a")
    node = seeding.node(server, workflow_id)
    of_it = {"workflow_id": workflow_id, "name": "x"}
    server.post("/files", {**of_it, "path": "x"})
    server.post("/user_data", {**of_it, "data": 1})
    server.post("/failure_handlers", {**of_it, "rules": "[]"})
    server.post("/slurm_schedulers", {**of_it, "account": "a", "nodes": 1, "walltime": "01:00:00"})
    server.post("/local_schedulers", {**of_it, "memory": "1g", "num_cpus": 1})
    server.post("/events", {"workflow_id": workflow_id, "timestamp": 0, "data": {}})
    server.post("/access_groups", {"name": "team"})
    entity = {"entity_id": "e", "entity_type": "t", "metadata": "{}"}
    server.post("/ro_crate_entities", {"workflow_id": workflow_id, **entity})
    action = {"trigger_type": "on_workflow_start", "action_type": "run_commands", "action_config": {"commands": ["x"]}}
    server.post(f"/workflows/{workflow_id}/actions", {"workflow_id": workflow_id, **action})
    plan = {"scheduler_id": 1, "scheduler_config_id": 1, "scheduler_type": "slurm", "status": "pending"}
    server.post("/scheduled_compute_nodes", {"workflow_id": workflow_id, **plan})
    server.post("/results", seeding.result(workflow_id, job, node))
