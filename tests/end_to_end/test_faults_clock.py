"""A clock that is set back by two hours during a run: durations stay true, and the order of jobs too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.end_to_end.faults import assert_clear, lines, results, told, torc, write_spec

BACK = """
import os, time

if "CLOCK_SET_BACK" in os.environ:
    true_time, true_time_ns = time.time, time.time_ns

    def behind() -> int:
        return 7200 if os.path.exists(os.environ["CLOCK_SET_BACK"]) else 0

    time.time = lambda: true_time() - behind()
    time.time_ns = lambda: true_time_ns() - behind() * 10**9
"""
"""Python runs this at its start; the clock is set back from the moment at which the file appears."""


@pytest.fixture
def set_back(tmp_path: Path) -> Path:
    """A workflow of which one of the first jobs sets the clock back, run to its end; returns its folder."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(BACK)
    layers = [
        {"name": "first_{i}", "command": "echo first >> ran.txt; test {i} = 3 && touch back; sleep 0.02"},
        {"name": "second_{i}", "command": "echo second >> ran.txt", "depends_on_regexes": ["^first_"]},
        {"name": "third_{i}", "command": "echo third >> ran.txt", "depends_on_regexes": ["^second_"]},
    ]
    write_spec(tmp_path, *({**layer, "parameters": {"i": "1:6"}} for layer in layers))
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
    env = {**os.environ, "PYTHONPATH": path, "CLOCK_SET_BACK": str(tmp_path / "back")}
    done = torc(tmp_path, "run", "spec.json", "--max-parallel-jobs", "2", env=env)
    assert_clear(done.stdout + done.stderr)
    assert "18 completed" in done.stdout + done.stderr or "completed" in done.stdout, done.stdout + done.stderr
    return tmp_path


def test_no_duration_is_negative_or_hours_long(set_back):
    found = results(set_back)
    assert len({result["completion_time"][:13] for result in found}) > 1, "the clock was not set back"
    assert all(0 <= result["exec_time_minutes"] < 1 for result in found)
    (node,) = told(set_back, "compute-nodes", "list", "1")["items"]
    assert 0 <= node["duration_seconds"] < 60
    status = told(set_back, "status", "1")
    assert 0 <= status["total_exec_time_minutes"] < 1


def test_jobs_still_wait_for_each_other(set_back):
    assert lines(set_back / "ran.txt") == ["first"] * 6 + ["second"] * 6 + ["third"] * 6


def test_results_and_events_keep_the_order_in_which_they_came(set_back):
    ids = [result["id"] for result in results(set_back)]
    assert ids == sorted(ids)
    layers = [result["job_name"].partition("_")[0] for result in results(set_back)]
    assert layers == ["first"] * 6 + ["second"] * 6 + ["third"] * 6
