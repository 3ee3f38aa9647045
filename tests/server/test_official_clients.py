"""Three generations of the official Python client, unmodified, each in a virtual environment of its own."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.server.server_process import RELEASES, STORAGES, ServerProcess, environment

LIFE = Path(__file__).with_name("official") / "life.py"
FEWEST = {"0.12": 33, "0.22": 36, "0.35": 43}
"""Checks for each release: a check that is not run proves nothing."""


@pytest.fixture(scope="module", params=STORAGES)
def server(request, tmp_path_factory, database_on):
    """One server for all of them at the same time: none must spoil a list for another."""
    server = ServerProcess(tmp_path_factory.mktemp("official"), database=database_on(request.param))
    yield server
    server.close()


@pytest.fixture(scope="module")
def outcome(server, python_of):
    """Gives what became of each check, for a release; the others have left their workflows behind by then."""
    found = {}

    def outcome(release):
        if release not in found:
            done = subprocess.run(
                [python_of(release), LIFE, server.url, release], capture_output=True, text=True, check=False,
                env=environment(server.folder), timeout=300,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            found[release] = json.loads(done.stdout.splitlines()[-1])
        return found[release]

    return outcome


@pytest.mark.parametrize("release", RELEASES)
def test_a_whole_life_through_the_official_client(outcome, server, release):
    found = outcome(release)
    assert {name: text for name, text in found.items() if text != "ok"} == {}
    assert len(found) >= FEWEST[release]
    assert "Traceback" not in server.text()


def test_the_oldest_client_reads_what_the_newest_has_written(outcome, server, python_of):
    outcome("0.35")
    code = (
        "import sys; from torc.api import make_api; api = make_api(sys.argv[1])\n"
        "print(len(api.list_workflows(limit=10000).items), api.list_workflows(limit=1).total_count)"
    )
    done = subprocess.run(
        [python_of("0.12"), "-c", code, server.url], capture_output=True, text=True, check=True,
        env=environment(server.folder),
    )  # fmt: skip
    listed, total = done.stdout.split()
    assert listed == total
