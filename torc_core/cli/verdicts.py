"""Where a workflow stands, in a sentence, with what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torc_core.units import counted

if TYPE_CHECKING:
    from torc_core.records.answers import StatusSummary

BAD = ("failed", "terminated", "canceled", "pending_failed")
"""Statuses of jobs that did not succeed."""


def failures(summary: StatusSummary) -> str:
    """Return how many jobs did not succeed, by status, empty when all did: ``1 failed, 2 canceled``."""
    counts = summary.jobs_by_status
    return ", ".join(f"{counts[name]} {name.replace('_', ' ')}" for name in BAD if counts[name])


def has_only_new_jobs(summary: StatusSummary) -> bool:
    """Whether what is left of a workflow that was begun waits for the begin of its next run."""
    counts = summary.jobs_by_status
    left = sum(counts[name] for name in ("blocked", "ready", "pending", "running"))
    return bool(summary.run_id) and not left and 0 < counts["uninitialized"] < summary.total_jobs


def has_workers(summary: StatusSummary) -> bool:
    """Whether anybody works on it, or is asked for."""
    return bool(summary.active_compute_nodes or summary.active_scheduled_nodes or summary.pending_scheduled_nodes)


def waits_for_people(summary: StatusSummary) -> bool:
    """Whether nothing goes on by itself: what has not ended waits for decisions about jobs that failed."""
    counts = summary.jobs_by_status
    moving = sum(counts[name] for name in ("uninitialized", "ready", "pending", "running"))
    return bool(counts["pending_failed"]) and not moving and not summary.waiting_retries


def verdict(summary: StatusSummary) -> str:
    """Return one or two sentences on where a workflow stands and what to do next."""
    id, counts, bad = summary.workflow_id, summary.jobs_by_status, failures(summary)
    again = f"torc workflows reinit {id} && torc run {id}"
    if summary.is_archived:
        return f"The workflow is archived. Show it again with: torc workflows archive false {id}"
    if summary.is_canceled:
        return f"The workflow is canceled. Begin again with: {again}"
    if not summary.total_jobs:
        return f"The workflow has no jobs. Add some with: torc jobs create {id} --name NAME --command COMMAND"
    if summary.is_complete and bad:
        return f"The workflow is complete, with failures: {bad}. Run those again with: {again}"
    if summary.is_complete:
        return "The workflow is complete; all went well."
    if has_only_new_jobs(summary):
        option = " --only-reset" if bad else ""
        begin = f"torc workflows reinit {id}{option} && torc run {id}"
        return f"{counted(counts['uninitialized'], 'job')} added or reset. Go on with: {begin}"
    is_left = any(counts[name] for name in ("uninitialized", "ready", "running", "pending"))
    if not has_workers(summary) and (is_left or summary.waiting_retries):
        return f"Nobody is working on it. Run it with: torc run {id}"
    if counts["pending_failed"] and not (is_left or summary.waiting_retries):
        waiting = counted(counts["pending_failed"], "failed job")
        return f"{waiting} to decide about: torc jobs resolve --all --workflow-id {id} --retry (or --fail)"
    if summary.waiting_retries and not is_left:
        return f"{counted(summary.waiting_retries, 'job')} to be tried again, not before {summary.next_retry_at}."
    return "The workflow is in progress."
