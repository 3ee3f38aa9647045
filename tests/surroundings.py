"""What tests may rely on wherever they run: signals that are not ignored, no settings and no server of whoever runs
them and, in CI, that no part is missing.
"""

import os
import signal
import tempfile
from pathlib import Path

import pytest

SUITES = str(Path("torc_core", "testing"))
"""Tests of these suites are skipped by what a plugin says it can do; everybody else's because something is missing."""


def pytest_configure(config):
    """Take the surroundings away that programs which tests start would inherit."""
    _heed_signals()
    _forget_the_user(config)


def _heed_signals():
    """Take back that signals are ignored, as they are for what a script starts with ``&``."""
    for number, usual in (
        (signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL), (signal.SIGQUIT, signal.SIG_DFL),
    ):  # fmt: skip
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


def _forget_the_user(config):
    """Neither the configuration nor a running server of whoever runs the tests is theirs to use."""
    for name in [name for name in os.environ if name.startswith("TORC_") and not name.startswith("TORC_TEST_")]:
        del os.environ[name]
    home = tempfile.TemporaryDirectory(prefix="torc-tests-", ignore_cleanup_errors=True)
    config.add_cleanup(home.cleanup)
    os.environ["XDG_CONFIG_HOME"] = os.environ["XDG_STATE_HOME"] = home.name


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """In CI a test that is skipped for a missing part has failed."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        file, line, reason = report.longrepr
        if SUITES not in file:
            report.outcome = "failed"
            report.longrepr = f"{file}:{line}: {reason}; in CI nothing may be missing"
    return report
