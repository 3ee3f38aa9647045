"""The rules for all tests, tried on small ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import conftest, surroundings

ROOT = Path(__file__).parents[2]
RULES = "from tests.surroundings import pytest_configure, pytest_runtest_makereport\n"


@pytest.fixture
def outcome(tmp_path):
    """Runs a file of tests under the rules and gives the last line that pytest writes."""

    def run(source, name="test_it.py", before="", **env):
        (tmp_path / "conftest.py").write_text(RULES)
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"import os, signal, pytest\n{source}")
        command = f"{before} exec {sys.executable} -m pytest -q -p no:cacheprovider -p no:xdist {file}"
        clean = {key: value for key, value in os.environ.items() if key != "CI" and not key.startswith("PYTEST")}
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, env={**clean, "PYTHONPATH": str(ROOT), **env}, timeout=60, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return done.stdout.splitlines()[-1].partition(" in ")[0]

    return run


def test_the_rules_are_in_force():
    assert conftest.pytest_configure is surroundings.pytest_configure
    assert conftest.pytest_runtest_makereport is surroundings.pytest_runtest_makereport


SKIPPED = "def test():\n    pytest.skip('no ninja')\n"
MARKED = "@pytest.mark.skipif(True, reason='not root')\ndef test(): pass\n"
IN_A_FIXTURE = "@pytest.fixture\ndef part():\n    pytest.skip('no disk')\ndef test(part): pass\n"


@pytest.mark.parametrize(("source", "failure"), [(SKIPPED, "1 failed"), (MARKED, "1 error"), (IN_A_FIXTURE, "1 error")])
def test_a_missing_part_is_a_failure_in_ci_and_a_skip_elsewhere(outcome, source, failure):
    assert outcome(source) == "1 skipped"
    assert outcome(source, CI="true") == failure


def test_what_a_plugin_cannot_do_is_skipped_in_ci_too(outcome):
    assert outcome(SKIPPED, "torc_core/testing/test_suite.py", CI="true") == "1 skipped"


def test_signals_are_not_ignored_though_they_were_when_the_tests_began(outcome):
    shown = "'grep SigIgn /proc/self/status'"
    source = (
        "def test():\n    import subprocess\n"
        f"    shown = subprocess.run(['sh', '-c', {shown}], capture_output=True, text=True).stdout\n"
        "    ignored = int(shown.split()[1], 16)\n"
        "    assert not ignored & (1 << signal.SIGINT - 1 | 1 << signal.SIGHUP - 1 | 1 << signal.SIGQUIT - 1)\n"
    )
    assert outcome(source, before="trap '' INT HUP QUIT;") == "1 passed"


def test_the_configuration_and_the_servers_of_the_user_are_out_of_sight(outcome, tmp_path):
    source = (
        "def test():\n"
        "    from torc_core.config.layers import config_files\n"
        "    from torc_core.service import server_record\n"
        f"    assert not str(server_record.folder()).startswith({str(tmp_path)!r})\n"
        f"    assert not config_files('/w', os.environ)[1].path.startswith({str(tmp_path)!r})\n"
        "    assert 'TORC_API_URL' not in os.environ\n"
        "    assert 'TORC_TEST_SEQUENCES' in os.environ\n"
    )
    theirs = {
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "s"),
        "TORC_API_URL": "x",
        "TORC_TEST_SEQUENCES": "1",
    }
    assert outcome(source, **theirs) == "1 passed"
