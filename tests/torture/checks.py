"""What must be true of a workflow that was shot at: every job ended right, nothing was recorded twice or run twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.torture.workflows import BROKEN_CODE, FLAKY, FLAKY_CODE, NOTES, Wanted, statuses_of
from torc_core.records.resources import Job, Result
from torc_core.service.api import Service

LOST_CODES = (-128, 137, 143)
"""Nobody saw it end; it was ended by a signal."""


def lines(folder: Path) -> list[str]:
    """Return what jobs have noted."""
    file = folder / NOTES
    return file.read_text().splitlines() if file.exists() else []


def check(service: Service, workflow_id: int, folder: Path, jobs: Sequence[Wanted]) -> None:
    """Look at everything that was stored and noted; raises AssertionError."""
    stored = {int(job.name[1:]): job for job in service.each(Job, workflow_id)}
    found = {number: str(job.status) for number, job in stored.items()}
    assert found == dict(enumerate(statuses_of(list(jobs)))), f"jobs ended otherwise: {found}"
    results = list(service.each(Result, workflow_id, all_runs=True))
    attempts = Counter((r.job_id, r.attempt_id) for r in results)
    assert set(attempts.values()) <= {1}, f"an attempt is recorded twice: {attempts.most_common(1)}"
    notes = lines(folder)
    starts = Counter(tuple(map(int, line.split()[1:])) for line in notes if line.startswith("start"))
    assert set(starts.values()) <= {1}, f"an attempt was started twice: {starts.most_common(1)}"
    assert set(starts) <= set(attempts), f"started and never recorded: {set(starts) - set(attempts)}"
    for number, job in enumerate(jobs):
        mine = sorted((r for r in results if r.job_id == stored[number].id), key=lambda r: r.attempt_id)
        _check_job(job, stored[number], mine, notes)
    assert not service.get_workflow_status(workflow_id).active_compute_nodes, "dead runners count as active"


def _check_job(wanted: Wanted, job: Job, mine: Sequence[Result], notes: Sequence[str]) -> None:
    what = f"{job.name} ({wanted.kind}, {job.status}): " + ", ".join(f"{r.attempt_id}:{r.return_code}" for r in mine)
    attempts = [r.attempt_id for r in mine]
    assert attempts == sorted(set(attempts)), what
    if job.status == "canceled":
        assert not mine, f"it was canceled and ran: {what}"
        return
    assert mine, f"it ended without a result: {what}"
    last, earlier = mine[-1], mine[:-1]
    assert last.status == job.status, what
    assert last.return_code == (0 if job.status == "completed" else BROKEN_CODE), what
    codes = Counter(r.return_code for r in earlier)
    assert set(codes) <= {*LOST_CODES, *([FLAKY_CODE] if wanted.kind == FLAKY else [])}, f"ran after its end: {what}"
    assert codes[FLAKY_CODE] <= 1, what
    for result in mine:
        if result.return_code == 0:
            assert f"end {job.id} {result.attempt_id}" in notes, f"recorded as done without being so: {what}"


def counts(values: Mapping[Any, int]) -> str:
    """Write a tally in one line."""
    return ", ".join(f"{count} {name}" for name, count in sorted(values.items()))
