"""Commands that need no service: they open no socket and no database, and write nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.programs import DEADLINE_S, DIAMOND, clean_environment

PROGRAM = Path(__file__).with_name("offline_program.py")
ROOT = PROGRAM.parents[2]
COMMANDS = {
    "create --dry-run": "create spec.yaml --dry-run",
    "create --dry-run as json": "create spec.yaml --dry-run -f json",
    "workflows create --dry-run": "workflows create spec.yaml --dry-run",
    "run --dry-run": "run spec.yaml --dry-run",
    "run with the dry-run executor": "run spec.yaml --executor dry-run",
    "exec --dry-run": "exec --dry-run -c true --param n=1:3",
    "exec with the dry-run executor": "exec -c true --executor dry-run",
    "execution-plan": "execution-plan spec.yaml",
    "graph": "execution-plan spec.yaml --format-graph dot",
    "workflows execution-plan": "workflows execution-plan spec.yaml -f json",
    "spec check": "spec check spec.yaml",
    "spec expand": "spec expand spec.yaml",
    "spec convert": "spec convert spec.yaml --to kdl",
    "spec lint": "spec lint spec.yaml",
    "spec codes": "spec codes",
    "config show": "config show",
    "config paths": "config paths",
    "config validate": "config validate",
    "completions": "completions bash",
    "plugins": "plugins check",
    "help": "help jobs list",
}


def watched(folder, *words):
    env = clean_environment(folder) | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *words], cwd=folder, env=env, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, timeout=DEADLINE_S,
    )  # fmt: skip
    output, _, last = done.stdout.rstrip("\n").rpartition("\n")
    return output, json.loads(last)


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_is_written_and_nobody_is_asked(name, tmp_path):
    (tmp_path / "spec.yaml").write_text(DIAMOND)
    output, told = watched(tmp_path, *COMMANDS[name].split())
    assert told == {"code": 0, "notes": []}
    assert output
    assert [entry.name for entry in tmp_path.iterdir()] == ["spec.yaml"]


def test_the_watch_sees_what_a_command_does(tmp_path):
    """Else the tests above would pass with a watch that is blind."""
    (tmp_path / "spec.yaml").write_text(DIAMOND)
    notes = watched(tmp_path, "create", "spec.yaml")[1]["notes"]
    assert any(note.startswith("sqlite3.connect") for note in notes)
    assert any(note.startswith("os.mkdir") for note in notes)
    assert any(note.startswith("open") and "torc.db" in note for note in notes)
    notes = watched(tmp_path, "run", "spec.yaml", "--dry-run", "--gantt", "a.svg")[1]["notes"]
    assert any(note.startswith("open") and "a.svg" in note for note in notes)
    notes = watched(tmp_path, "exec", "-c", "sleep 0.5")[1]["notes"]  # long enough to listen for neighbours
    assert any(note.startswith("socket.") for note in notes)
