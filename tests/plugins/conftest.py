"""Plugins to test with: the examples as pip installs them, and small ones written by a test."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "plugins"


@pytest.fixture(scope="session")
def pip_install():
    def install(target, *projects):
        options = ["--isolated", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--no-cache-dir"]
        command = [sys.executable, "-m", "pip", "install", *options, "--target", target, *projects]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return target

    return install


@pytest.fixture(scope="session")
def examples(tmp_path_factory, pip_install):
    """The folder into which all example plugins are installed."""
    folder = tmp_path_factory.mktemp("examples")
    projects = [file.parent for file in sorted(EXAMPLES.glob("*/pyproject.toml"))]
    copies = [shutil.copytree(project, folder / "source" / project.name) for project in projects]
    return pip_install(folder / "installed", *copies)


@pytest.fixture
def on_path(monkeypatch):
    """Puts folders first on the import path; what was imported from there is forgotten after the test."""
    folders = []

    def put(folder):
        folders.append(str(folder))
        monkeypatch.syspath_prepend(folder)

    yield put
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if file.startswith(tuple(folders)) and folders:
            del sys.modules[name]


@pytest.fixture
def plugin(tmp_path, on_path):
    """Writes an installed distribution with one module, as pip would leave it."""
    folder = tmp_path / "site"
    folder.mkdir()
    on_path(folder)

    def write(name, source, *, version="0.2", group="torc", target=""):
        module = f"torc_{name}"
        (folder / f"{module}.py").write_text(source)
        info = folder / f"torc_{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: torc-{name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {target or module}\n")
        return folder

    return write


@pytest.fixture
def torc(tmp_path):
    """Runs the command line in a new process, with plugins in the given folder."""

    def run(*arguments, plugins="", **variables):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("TORC_", "XDG_"))}
        env |= {"PYTHONPATH": str(plugins), "HOME": str(tmp_path), **variables}
        program = "from torc_core.cli.main import main; main()"
        command = [sys.executable, "-c", program, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=env, timeout=60)

    return run
