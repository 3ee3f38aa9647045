"""Who may import whom: the layers of the packages and the one room of each third-party library.

Imports are read from the source, those inside functions and for type checking too.
"""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("torc_core", "torc_plugins", "torc_server")

LEVELS = {
    "errors": 0, "problems": 0, "reasons": 0, "status": 0, "units": 0,
    "records": 1, "operations": 1, "contracts": 1,
    "spec": 2, "engine": 2, "planning": 2, "plots": 2, "diagnosis": 2, "provenance": 2,
    "config": 3, "entry_points": 3, "hookspecs": 3, "plugin_access": 3, "plugin_loading": 3,
    "plugin_questions": 3, "plugins": 3,
    "service": 4, "runner": 4,
    "cli": 5, "testing": 5,
}  # fmt: skip
"""Parts of ``torc_core``; each imports only its own level and lower ones."""

ROOMS = {
    "bcrypt": ["torc_server.passwords"],
    "bottle": ["torc_server"],
    "cheroot": ["torc_server"],
    "ckdl": [],  # an oracle of the tests
    "click": ["torc_core.cli", *(f"torc_server.{of}commands" for of in ("", "backup_", "guard_", "unit_", "user_"))],
    "click_plugins": ["torc_core.cli.plugin_commands"],
    "dataset": ["torc_plugins.storage"],
    "json5": [],  # an oracle of the tests
    "msgspec": ["torc_server"],
    "pluggy": ["torc_core.hookspecs", "torc_core.plugin_loading"],
    "psycopg": ["torc_plugins.storage"],
    "psutil": ["torc_core.runner.resources", "torc_core.service.processes", "torc_plugins.monitors"],
    "pyparsing": ["torc_core.spec", "torc_plugins.policy"],
    "pytest": ["torc_core.testing"],
    "hypothesis": ["torc_core.testing"],
    "sqlalchemy": ["torc_plugins.storage"],
    "sqlite3": [
        "torc_plugins.storage",
        "torc_server.copies",
        "torc_core.runner.metrics_file",
        "torc_core.runner.metrics_reading",
    ],
    "strictyaml": ["torc_core.spec", "torc_plugins.policy"],
    "tomllib": ["torc_core.config"],
    "yaml": ["torc_plugins.formats"],
}
"""Where a library may be imported. Those of the standard library are free unless they are listed."""


def modules(root):
    """Yield the dotted name and the syntax tree of every module below ``root``."""
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            parts = file.relative_to(root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield name, file, ast.parse(file.read_text(), str(file))


def imports(name, file, tree):
    """Yield line and dotted name of everything that a module imports, names from packages as modules of theirs."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = name.split(".") if file.name == "__init__.py" else name.split(".")[:-1]
                base = ".".join([*package[: len(package) - node.level + 1], *([base] if base else [])])
            # "from torc_core import units" imports a module, "from torc_core.units import X" does as well
            yield from ((node.lineno, f"{base}.{alias.name}" if base in PACKAGES else base) for alias in node.names)


def level(name):
    """Return the level of a module of the core; the package itself holds the version only."""
    parts = name.split(".")
    return LEVELS.get(parts[1]) if len(parts) > 1 else 0


def violations(root):
    found = []
    for name, file, tree in modules(root):
        own = name.partition(".")[0]
        if own == "torc_core" and level(name) is None:
            found.append(f"{name} has no level")
            continue
        for line, target in imports(name, file, tree):
            top = target.partition(".")[0]
            where = f"{name}:{line} imports {target}"
            if top in PACKAGES and top != own and top != "torc_core":
                found.append(f"{where}: {own} does not know {top}")
            elif top == own == "torc_core" and target != "torc_core.__version__":
                if (level(target) or 0) > level(name):
                    found.append(f"{where}: level {level(name)} imports level {level(target)}")
            elif top not in PACKAGES:
                rooms = ROOMS.get(top)
                if rooms is None and top not in sys.stdlib_module_names:
                    found.append(f"{where}: {top} has no room")
                elif rooms is not None and not any(name == room or name.startswith(f"{room}.") for room in rooms):
                    found.append(f"{where}: {top} belongs to {', '.join(rooms) or 'tests'}")
    return sorted(set(found))


def test_every_import_keeps_to_the_layers_and_rooms():
    assert violations(ROOT) == []


def test_the_check_has_seen_the_source():
    names = [name for name, _, _ in modules(ROOT)]
    assert {"torc_core.errors", "torc_core.cli.main", "torc_plugins.builtin", "torc_server"} <= set(names)


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("torc_core/spec/read.py", "from torc_core.service.api import Service", "level 2 imports level 4"),
        ("torc_core/spec/read.py", "from torc_core import config", "level 2 imports level 3"),
        ("torc_core/errors.py", "def f():\n    import torc_core.records.record", "level 0 imports level 1"),
        ("torc_core/engine/graph.py", "from ..runner import loop", "level 2 imports level 4"),
        ("torc_core/service/__init__.py", "from ..cli import main", "level 4 imports level 5"),
        ("torc_core/plugins.py", "import torc_plugins.builtin", "torc_core does not know torc_plugins"),
        ("torc_plugins/x.py", "from torc_server import app", "torc_plugins does not know torc_server"),
        ("torc_server/x.py", "if 1:\n    from torc_plugins.storage import y", "torc_server does not know torc_plugins"),
        ("torc_core/runner/loop.py", "import click", "click belongs to torc_core.cli"),
        ("torc_core/service/x.py", "def f():\n    import sqlite3", "sqlite3 belongs to torc_plugins.storage"),
        ("torc_plugins/formats_of_mine.py", "import yaml.scanner", "yaml belongs to torc_plugins.formats"),
        ("torc_core/units.py", "import requests", "requests has no room"),
        ("torc_core/utils.py", "", "torc_core.utils has no level"),
    ],
)
def test_a_broken_rule_is_found(tmp_path, path, source, complaint):
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(source)
    [found] = violations(tmp_path)
    assert complaint in found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("torc_core/cli/main.py", "import click\nfrom torc_core.service.api import Service\nfrom . import output"),
        ("torc_plugins/storage/deep/x.py", "import sqlite3\nfrom torc_core.contracts.storage import Storage"),
        (
            "torc_core/spec/read.py",
            "import re, os.path\nfrom torc_core import __version__, units\nfrom .plan import Plan",
        ),
    ],
)
def test_what_is_allowed_is_not_complained_about(tmp_path, path, source):
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(source)
    assert violations(tmp_path) == []
