"""A Python function mapped over jobs by official clients, whose program ``pytorc`` calls it in jobs of our runner."""

import json
import os
import subprocess

import pytest

from tests.server.logins import torc
from tests.server.server_process import RELEASES, environment

FUNCTIONS = """
def area(job_name, params):
    return {"name": job_name, "area": params["side"] ** 2}

def total(areas):
    return {"total": sum(one["area"] for one in areas)}
"""
STORE = """
import sys
import torc.openapi_client as c
from torc.api import make_api, map_function_to_jobs
api = make_api(sys.argv[1])
made = api.create_workflow(c.WorkflowModel(name="areas", user="ada")).id
sides = [{"side": side} for side in (1, 2, 3, 4)]
map_function_to_jobs(api, made, "shapes", "area", sides, postprocess_func="total", module_directory=sys.argv[2])
api.initialize_jobs(made)
print(made)
"""
SHOW = """
import json, sys
from torc.api import make_api
print(json.dumps({data.name: data.data for data in make_api(sys.argv[1]).list_user_data(int(sys.argv[2])).items}))
"""


@pytest.mark.parametrize("release", RELEASES)
def test_a_function_is_mapped_over_jobs(server, python_of, tmp_path, release):
    python = python_of(release)
    (tmp_path / "shapes.py").write_text(FUNCTIONS)

    def client(code, *words):
        done = subprocess.run(
            [python, "-c", code, server.url, *words], capture_output=True, text=True, check=False,
            env=environment(tmp_path), timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1]

    workflow_id = client(STORE, tmp_path)
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    torc(tmp_path, "run", workflow_id, "--fail-on-job-failure", TORC_API_URL=server.url, PATH=path)
    data = json.loads(client(SHOW, workflow_id))
    assert {name: text for name, text in data.items() if name.startswith("output_")} == {
        "output_1": {"name": "1", "area": 1},
        "output_2": {"name": "2", "area": 4},
        "output_3": {"name": "3", "area": 9},
        "output_4": {"name": "4", "area": 16},
    }
    assert data["postprocess_result"] == {"total": 30}
