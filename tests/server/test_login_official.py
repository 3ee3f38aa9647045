"""The official Python clients log in, with a default header as their users set it."""

import json
import subprocess
from pathlib import Path

import bcrypt
import pytest

from tests.server.server_process import RELEASES, ServerProcess, environment

PROGRAM = """
import base64, json, sys
import torc.openapi_client as c
from torc.api import make_api
from torc.openapi_client.rest import ApiException

def api_of(name, password):
    api = make_api(sys.argv[1])
    text = base64.b64encode(f"{name}:{password}".encode()).decode()
    api.api_client.set_default_header("Authorization", f"Basic {text}")
    return api

def status_of(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except ApiException as exc:
        return [exc.status, bool(json.loads(exc.body)["error"]["message"])]
    return 200

amy, eve, guess = api_of("amy", "amy-pw"), api_of("eve", "eve-pw"), api_of("amy", "guess")
made = amy.create_workflow(c.WorkflowModel(name="w", user="eve"))
job = amy.create_job(c.JobModel(workflow_id=made.id, name="j", command="true"))
print(json.dumps({
    "owner": made.user,
    "seen by eve": [w.id for w in eve.list_workflows(user="amy").items],
    "eve": [status_of(ask, id) for ask, id in (
        (eve.get_workflow, made.id), (eve.get_job, job.id), (eve.delete_workflow, made.id))],
    "guess": status_of(guess.get_workflow, made.id),
    "nobody": status_of(make_api(sys.argv[1]).ping),
    "amy": [status_of(amy.get_job, job.id), status_of(amy.get_workflow, 999)[0]],
}))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logins")
    lines = [f"{name}:{bcrypt.hashpw(f'{name}-pw'.encode(), bcrypt.gensalt(4)).decode()}\n" for name in ("amy", "eve")]
    Path(folder, "users").write_text("".join(lines))
    server = ServerProcess(folder, "--auth-file", "users", "--require-auth", "--enforce-access-control")
    yield server
    server.close()


@pytest.mark.parametrize("release", RELEASES)
def test_the_official_client_logs_in_with_a_header(server, python_of, release):
    done = subprocess.run(
        [python_of(release), "-c", PROGRAM, server.url], capture_output=True, text=True, check=False,
        env=environment(server.folder), timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "owner": "amy", "seen by eve": [], "eve": [[403, True]] * 3, "guess": [401, True], "nobody": [401, True],
        "amy": [200, 404],
    }  # fmt: skip
