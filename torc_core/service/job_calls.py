"""The calls about single jobs: started, ended, tried again, set by hand, decided by somebody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from torc_core.contracts.storage import Condition
from torc_core.engine import transitions
from torc_core.engine.failures import is_used_up
from torc_core.errors import Conflict, Invalid
from torc_core.records.answers import (
    CompletionAnswers,
    CompletionError,
    Completions,
    FailureResolution,
    Resolution,
    ResolvedFailures,
)
from torc_core.records.resources import Job, Result
from torc_core.service.api import Service
from torc_core.service.clock import utc_text
from torc_core.service.completion import Report, begin, check_run, end, finish, no_end
from torc_core.service.references import check_node, is_node, no_node
from torc_core.service.registry import handles
from torc_core.service.retrying import Retry, renumber, try_again
from torc_core.service.saving import save_statuses
from torc_core.service.state import WorkflowState
from torc_core.service.turn import Turn, with_ids
from torc_core.status import BY_NUMBER, FAILED, IS_ACTIVE, IS_COMPLETE, IS_REPORT, PENDING_FAILED, JobStatus


def _job(turn: Turn, id: int) -> tuple[Job, WorkflowState]:
    job = turn.get(Job, id)
    return job, turn.state(job.workflow_id)


@handles(Service.start_job)
def start_job(turn: Turn, id: int, run_id: int, compute_node_id: int) -> Job:
    """Mark one claimed job as running."""
    job, state = _job(turn, id)
    check_run(state, run_id)
    if job.status is not JobStatus.PENDING:
        raise Invalid(f"job {id} is {job.status}, not pending", field="status")
    check_node(turn, state, compute_node_id)
    if begin(turn, state, [(id, utc_text(turn.now))], compute_node_id):
        raise Conflict(f"job {id} is held by compute node {job.compute_node_id}", id=id)
    return turn.get(Job, id)


@handles(Service.complete_job)
def complete_job(turn: Turn, id: int, status: JobStatus, run_id: int, result: Result) -> Job:
    """Take the end of one job."""
    _, state = _job(turn, id)
    check_run(state, run_id)
    refused = _complete(turn, state, [(id, status, run_id, result)])
    if refused:
        raise Invalid(refused[0][1], id=id)
    return turn.get(Job, id)


@handles(Service.batch_complete_jobs)
def batch_complete_jobs(turn: Turn, id: int, batch: Completions) -> CompletionAnswers:
    """Take the ends of many jobs; each is judged by itself."""
    state = turn.state(id)
    entries = [(c.job_id, c.status, c.run_id, c.result) for c in batch.completions]
    refused = _complete(turn, state, entries)
    taken = Counter(job_id for job_id, *_ in entries) - Counter(job_id for job_id, _ in refused)
    errors = [CompletionError(job_id=job_id, message=message) for job_id, message in refused]
    return CompletionAnswers(completed=list(taken), errors=errors)


def _complete(
    turn: Turn, state: WorkflowState, entries: Sequence[tuple[int, JobStatus, int, Result]]
) -> list[tuple[int, str]]:
    """Take ends as the compatible calls report them; returns job and reason of those refused."""
    refused: list[tuple[int, str]] = []
    reports: list[Report] = []
    stored = _attempts_with_results(turn, state, [job_id for job_id, *_ in entries])
    for job_id, status, run_id, result in entries:
        key = (job_id, result.attempt_id)
        trouble = _disagreement(state, job_id, status, run_id, result)
        if trouble is None and not is_node(turn, state, result.compute_node_id):
            trouble = no_node(state, result.compute_node_id)
        if trouble is None:
            trouble = _wrong_attempt(state, result)
        is_undecided = trouble is None and key in stored and _is_undecided(state, job_id, status)
        if trouble is None and key in stored and not is_undecided:
            trouble = f"attempt {result.attempt_id} of job {job_id} has a result in run {run_id} already"
        if trouble is not None:
            refused.append((job_id, trouble))
            continue
        if is_undecided:  # what is said now takes the place of the end that nobody had judged
            turn.touch(state.id)
            turn.delete(Result, _of_attempt(state, job_id, result.attempt_id))
        stored.add(key)
        reports.append(Report(job_id, result.attempt_id, result.compute_node_id, result))
    outcome = finish(turn, state, reports)
    unused = {report.job_id for report, _ in outcome.refused}
    _count_on(turn, state, [report for report in reports if report.job_id not in unused])
    return refused + [(report.job_id, why) for report, why in outcome.refused]


def _count_on(turn: Turn, state: WorkflowState, taken: Sequence[Report]) -> None:
    """Go on counting attempts from what clients say."""
    rows = [(r.attempt_id, r.job_id) for r in taken if r.attempt_id > state.attempt(r.job_id)]
    if rows:
        turn.set_each(Job, ("attempt_id",), rows)
        state.attempts.update((job_id, attempt) for attempt, job_id in rows)


def _is_undecided(state: WorkflowState, job_id: int, status: JobStatus) -> bool:
    """Whether a report judges the end of a job that is pending_failed."""
    return state.graph.status[state.node(job_id)] == PENDING_FAILED and bool(IS_COMPLETE[status.number])


def _of_attempt(state: WorkflowState, job_id: int, attempt_id: int) -> list[Condition]:
    values = {"job_id": job_id, "run_id": state.run_id, "attempt_id": attempt_id}
    return [Condition(name, "equal", value) for name, value in values.items()]


def _wrong_attempt(state: WorkflowState, result: Result) -> str | None:
    """Return why a result is of an attempt that was given up.

    Clients that do not count attempts say 1 always, so whoever holds the job may say so.
    """
    job_id, present = result.job_id, state.attempt(result.job_id)
    if result.attempt_id >= present:
        return None
    status = state.graph.status[state.node(job_id)]
    if IS_ACTIVE[status] and state.holders.get(job_id) in (None, result.compute_node_id):
        return None
    return f"job {job_id} is at attempt {present} now; attempt {result.attempt_id} was given up before"


def _disagreement(state: WorkflowState, job_id: int, status: JobStatus, run_id: int, result: Result) -> str | None:
    if result.job_id != job_id:
        return f"the result is of job {result.job_id}, not of job {job_id}"
    try:
        state.graph.node(job_id)
    except KeyError:
        return f"there is no job {job_id} in workflow {state.id}"
    if result.workflow_id != state.id:
        return f"the result is of workflow {result.workflow_id}, not of workflow {state.id}"
    if result.run_id != run_id or run_id != state.run_id:
        return f"the result is of run {result.run_id}; the present run of workflow {state.id} is {state.run_id}"
    if not IS_REPORT[status.number]:
        return no_end(status)
    if result.status is not status:
        return f"the result says {result.status}, the request {status}"
    return None


def _attempts_with_results(turn: Turn, state: WorkflowState, job_ids: Sequence[int]) -> set[tuple[int, int]]:
    where = [Condition("job_id", "one_of", job_ids), Condition("run_id", "equal", state.run_id)]
    return set(turn.rows(Result, ("job_id", "attempt_id"), where))  # type: ignore[arg-type]


@handles(Service.retry_job)
def retry_job(turn: Turn, id: int, run_id: int, max_retries: int) -> Job:
    """Make one job ready again."""
    job, state = _job(turn, id)
    check_run(state, run_id)
    if job.status not in (JobStatus.RUNNING, JobStatus.FAILED, JobStatus.TERMINATED, JobStatus.PENDING_FAILED):
        raise Invalid(f"job {id} is {job.status}; only running, failed and terminated jobs are retried", id=id)
    if is_used_up(job.attempt_id, max_retries):
        raise Invalid(f"job {id} has used its {max_retries} attempts", id=id)
    try_again(turn, state, [Retry(id)])
    return turn.get(Job, id)


@handles(Service.manage_status_change)
def manage_status_change(turn: Turn, id: int, status: JobStatus, run_id: int) -> Job:
    """Set a status that is not an end."""
    job, state = _job(turn, id)
    if job.status is status:
        return job
    check_run(state, run_id)
    if IS_COMPLETE[status.number]:
        raise Invalid(f"{status} is set by reporting how the job ended", field="status")
    graph, node = state.graph, state.node(id)
    turn.touch(state.id)
    changes = transitions.set_status(graph, node, status.number)
    state.holders.pop(id, None)
    turn.set_each(Job, ("status", "compute_node_id"), [(status.number, None, id)])
    touched = (*changes.reset, *changes.ready, *changes.blocked, *changes.canceled)
    save_statuses(turn, state, dict.fromkeys(n for n in touched if n != node))
    renumber(turn, state, [id, *graph.job_ids(changes.reset)])
    turn.tell(
        state.id, "job_status_changed", job_id=id, job_name=job.name, previous_status=job.status.value,
        status=status.value, user=turn.caller.user,
    )  # fmt: skip
    return turn.get(Job, id)


@handles(Service.resolve_failures)
def resolve_failures(turn: Turn, id: int, choice: FailureResolution) -> ResolvedFailures:
    """Decide about jobs whose failure nobody had judged; each is taken or refused by itself."""
    state = turn.state(id)
    taken, errors = [], []
    for job_id in dict.fromkeys(choice.job_ids):
        trouble = _not_undecided(state, job_id)
        if trouble is None:
            taken.append(job_id)
        else:
            errors.append(CompletionError(job_id=job_id, message=trouble))
    who = turn.caller.user
    why = f"decided by {who}" + (f": {choice.reason}" if choice.reason else "")
    if taken and choice.decision is Resolution.RETRY:
        try_again(turn, state, [Retry(job_id, choice.delay_seconds, why) for job_id in taken])
    elif taken:
        _fail(turn, state, taken, why)
    return ResolvedFailures(resolved=taken, errors=errors)


def _not_undecided(state: WorkflowState, job_id: int) -> str | None:
    try:
        status = state.graph.status[state.graph.node(job_id)]
    except KeyError:
        return f"there is no job {job_id} in workflow {state.id}"
    if status != PENDING_FAILED:
        return f"job {job_id} is {BY_NUMBER[status]}, not {JobStatus.PENDING_FAILED}"
    return None


def _fail(turn: Turn, state: WorkflowState, job_ids: Sequence[int], why: str) -> None:
    """Let jobs have failed; what waits for them moves on. Their latest results say so from now on."""
    turn.touch(state.id)
    names: dict[int, str] = dict(turn.rows(Job, ("id", "name"), with_ids(job_ids)))
    latest = [
        Condition("job_id", "one_of", job_ids),
        Condition("is_latest", "equal", 1),
        Condition("status", "equal", PENDING_FAILED),
    ]
    codes: dict[int, int | None] = dict.fromkeys(job_ids)
    codes |= dict(turn.rows(Result, ("job_id", "return_code"), latest))
    turn.set(Result, {"status": JobStatus.FAILED}, latest)
    end(turn, state, [(state.graph.node(job_id), FAILED) for job_id in job_ids], codes)
    for job_id in job_ids:
        turn.event(
            state.id, event_type="job_failed", job_id=job_id, job_name=names[job_id], run_id=state.run_id,
            attempt_id=state.attempt(job_id), message=f"job {names[job_id]} has failed: {why}",
        )  # fmt: skip
