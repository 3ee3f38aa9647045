"""What tests may rely on wherever they run: signals that are not ignored and, in CI, that no part is missing."""

import os
import signal
from pathlib import Path

import pytest

SUITES = str(Path("torc_core", "testing"))
"""Tests of these suites are skipped by what a plugin says it can do; everybody else's because something is missing."""


def pytest_configure():
    """Take back that signals are ignored, as they are for what a script starts with ``&``: programs inherit it."""
    for number, usual in (
        (signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL), (signal.SIGQUIT, signal.SIG_DFL),
    ):  # fmt: skip
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


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
