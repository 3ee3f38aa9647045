"""An empty folder, a folder with a finished workflow, and programs that do not outlive their test."""

import contextlib
import os

import pytest

from tests.cli.programs import DIAMOND, ENVIRONMENT, LEFT_OUT, Folder, Started, program


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch, tmp_path_factory):
    for name in list(os.environ):
        if name.startswith(LEFT_OUT):
            monkeypatch.delenv(name)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path_factory.getbasetemp()))


@pytest.fixture
def torc(tmp_path, capsys):
    """An empty folder."""
    return Folder(tmp_path, capsys)


@pytest.fixture(scope="module")
def finished_folder(tmp_path_factory):
    """A folder in which the diamond was run, shared by the tests of a module, which only read it."""
    path = tmp_path_factory.mktemp("finished")
    (path / "spec.yaml").write_text(DIAMOND)
    done = program(path, "run", "spec.yaml", "-f", "json")
    assert done.code == 0, done
    return path


@pytest.fixture
def finished(finished_folder, capsys):
    """The finished diamond: jobs 1 top, 2 left, 3 right, 4 bottom in some order; for tests that only read."""
    return Folder(finished_folder, capsys)


@pytest.fixture
def start():
    """Starts programs that do not outlive the test."""
    started = []

    def start(folder, *words, **env):
        started.append(Started(folder, words, env))
        return started[-1]

    yield start
    for one in started:
        with contextlib.suppress(ProcessLookupError):
            one.process.kill()
        one.process.wait()
