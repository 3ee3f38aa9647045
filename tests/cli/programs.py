"""Ways to use the command line in tests: in this process where that is enough, as a program where processes matter."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from torc_core.cli.main import run

DEADLINE_S = 60
USER = "ada"
ENVIRONMENT = {"USER": USER, "LC_ALL": "C.UTF-8"}
LEFT_OUT = ("TORC_", "XDG_", "RUST_LOG", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "_TORC")

DIAMOND = """
name: diamond
description: four jobs
jobs:
  - {name: top, command: echo made > top.txt, output_files: [top]}
  - {name: left, command: cat top.txt, input_files: [top]}
  - {name: right, command: 'echo broken >&2; exit 3', input_files: [top]}
  - {name: bottom, command: echo never, depends_on: [left, right]}
files:
  - {name: top, path: top.txt}
"""
"""top completes, left completes, right fails with code 3, so bottom is canceled."""
SLOW = """
name: slow
jobs:
  - {name: slow, command: 'echo $$ > pid; test -e go || exec sleep 600'}
  - {name: next, command: echo next, depends_on: [slow]}
"""
"""slow writes its process id and runs until it is ended, or is over at once when there is a file ``go``."""


class Done(NamedTuple):
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        """The one document on standard output."""
        return json.loads(self.out)

    @property
    def error(self):
        """The one document on standard error."""
        return json.loads(self.err)

    @property
    def lines(self):
        return self.out.splitlines()

    @property
    def head(self):
        """The titles of the table."""
        return " ".join(self.lines[0].split())


class Folder:
    """A working folder with its database; each call is one command."""

    def __init__(self, path, capture):
        self.path = path
        self._capture = capture

    def __call__(self, *words, code=0):
        """Run a command in this process; the code is checked unless it is None."""
        self._capture.readouterr()
        before = Path.cwd()
        os.chdir(self.path)
        try:
            got = run([str(word) for word in words])
        finally:
            os.chdir(before)
        done = Done(got, *self._capture.readouterr())
        assert code is None or got == code, done
        return done

    def json(self, *words, code=0):
        """Run a command with ``-f json`` after it and return the document."""
        return self(*words, "-f", "json", code=code).json

    def items(self, *words):
        return self.json(*words)["items"]

    def write(self, name, text):
        (self.path / name).write_text(text)
        return name

    def create(self, text):
        """Store a workflow and return its id."""
        return self.json("create", self.write("spec.yaml", text))["workflow_id"]


def clean_environment(home):
    env = {name: value for name, value in os.environ.items() if not name.startswith(LEFT_OUT)}
    return env | ENVIRONMENT | {"HOME": str(home)}


# processes


def program(folder, *words, input=None, code=0, **env):
    """Run the program in a process of its own, without a terminal."""
    command = [sys.executable, "-m", "torc_core.cli", *map(str, words)]
    given = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
    done = subprocess.run(
        command, cwd=folder, env=clean_environment(folder) | env, capture_output=True, text=True, check=False,
        timeout=DEADLINE_S, **given,
    )  # fmt: skip
    assert code is None or done.returncode == code, done
    return Done(done.returncode, done.stdout, done.stderr)


class Started:
    """A program that runs; what it prints goes into files."""

    def __init__(self, folder, words, env):
        self.out, self.err = (folder / f"process_{time.monotonic_ns()}.{end}" for end in ("out", "err"))
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "torc_core.cli", *map(str, words)], cwd=folder, stdin=subprocess.DEVNULL,
                stdout=out, stderr=err, env=clean_environment(folder) | env, start_new_session=True,
            )  # fmt: skip

    def wait(self):
        code = self.process.wait(DEADLINE_S)
        return Done(code, self.out.read_text(), self.err.read_text())


def until(condition, what="the condition"):
    """Return what ``condition`` gives once it is true."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come true")
