"""Jobs that start and end: what is taken, what is refused, what moves on because of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from torc_core.contracts.storage import Condition
from torc_core.engine import transitions
from torc_core.engine.changes import Changes
from torc_core.errors import Invalid
from torc_core.records.answers import CompletionAnswers, Completions, FinishedJob
from torc_core.records.resources import File, Job, Result
from torc_core.service import telling
from torc_core.service.api import Service
from torc_core.service.clock import utc_text
from torc_core.service.references import check_node, file_times, is_node, no_node, owned
from torc_core.service.registry import handles
from torc_core.service.saving import save_statuses
from torc_core.service.state import WorkflowState
from torc_core.service.turn import Turn
from torc_core.status import (
    CANCELED,
    IS_ACTIVE,
    IS_COMPLETE,
    IS_REPORT,
    PENDING,
    READY,
    RUNNING,
    JobStatus,
)

LOST = -128
"""Return code of an attempt that nobody saw end."""
_RESULT = (
    "job_id", "workflow_id", "run_id", "attempt_id", "compute_node_id", "return_code", "status", "exec_time_minutes",
    "completion_time", "peak_memory_bytes", "avg_memory_bytes", "peak_cpu_percent", "avg_cpu_percent", "read_bytes",
    "write_bytes", "reason",
    "is_latest", "id",
)  # fmt: skip


class Report(NamedTuple):
    """The end of one attempt, whoever reports it."""

    job_id: int
    attempt_id: int
    compute_node_id: int
    found: FinishedJob | Result


class Outcome:
    """What became of many reports."""

    __slots__ = ("accepted", "lost", "refused")

    def __init__(self) -> None:
        self.accepted: list[int] = []
        self.refused: list[tuple[Report, str]] = []
        self.lost: list[int] = []


def finish(turn: Turn, state: WorkflowState, reports: Sequence[Report], check_holder: bool = False) -> Outcome:
    """Take the reports that can be taken: store results, let go of the jobs, settle what waited for them.

    A report that was taken before is taken again without effect, so a runner may repeat itself. With ``check_holder``
    a job that somebody else holds by now is refused and named as lost.
    """
    outcome = Outcome()
    graph = state.graph
    ended: list[tuple[int, int]] = []
    kept: list[Report] = []
    seen: set[int] = set()
    for report in reports:
        trouble = _look(state, report, check_holder, outcome)
        if trouble is None and report.job_id in seen:
            trouble = f"job {report.job_id} is reported twice"
        seen.add(report.job_id)
        if trouble is None:
            node = graph.node(report.job_id)
            if graph.status[node] != CANCELED:
                ended.append((node, report.found.status.number))
            kept.append(report)
        elif trouble:
            outcome.refused.append((report, trouble))
    if kept:
        _keep(turn, state, kept, ended)
        outcome.accepted += [report.job_id for report in kept]
    return outcome


def _look(state: WorkflowState, report: Report, check_holder: bool, outcome: Outcome) -> str | None:
    """Return None for a report to take, nothing ("") for one taken before, else why not."""
    graph, job_id = state.graph, report.job_id
    try:
        status = graph.status[graph.node(job_id)]
    except KeyError:
        return f"there is no job {job_id} in workflow {state.id}"
    if not IS_REPORT[report.found.status.number]:
        return f"{report.found.status} is not a status that a job can end with"
    attempt, holder = state.attempt(job_id), state.holders.get(job_id)
    if status == CANCELED and holder is not None and holder == report.compute_node_id:
        return None  # how a canceled job ended is worth keeping
    if check_holder and IS_ACTIVE[status] and holder != report.compute_node_id:
        outcome.lost.append(job_id)
        return f"job {job_id} is held by another runner now"
    if check_holder and attempt != report.attempt_id:
        return f"job {job_id} is at attempt {attempt} now; attempt {report.attempt_id} was given up before"
    if check_holder and not IS_ACTIVE[status]:
        if IS_COMPLETE[status]:
            outcome.accepted.append(job_id)
            return ""
        outcome.lost.append(job_id)
        return f"job {job_id} was taken back before its end was reported"
    if IS_COMPLETE[status]:
        return f"job {job_id} is already complete"
    return None


def _keep(turn: Turn, state: WorkflowState, kept: list[Report], ended: list[tuple[int, int]]) -> None:
    turn.touch(state.id)
    graph = state.graph
    was_complete = graph.is_complete
    changes = transitions.complete(graph, ended)
    _insert_results(turn, state, kept)
    for report in kept:
        state.holders.pop(report.job_id, None)
    rows = [(graph.status[graph.node(report.job_id)], None, report.job_id) for report in kept]
    turn.set_each(Job, ("status", "compute_node_id"), rows)
    save_statuses(turn, state, [*changes.ready, *changes.canceled, *changes.blocked])
    if turn.is_heard(state.id):
        _tell(turn, state, kept, changes, was_complete)
    again = [r.job_id for r in kept if getattr(r.found, "again", False)]
    if again and not graph.canceled:
        try_again(turn, state, again)


def _tell(turn: Turn, state: WorkflowState, kept: list[Report], changes: Changes, was_complete: bool) -> None:
    finished = set(state.graph.job_ids(changes.finished))
    codes = {report.job_id: report.found.return_code for report in kept if report.job_id in finished}
    telling.jobs_ended(turn, state, codes)
    telling.jobs_canceled(turn, state, changes.canceled)
    telling.jobs_ready(turn, state, changes.ready)
    if state.graph.is_complete and not was_complete:
        telling.workflow_event(turn, state.id, "workflow_completed", f"workflow {state.id} is complete")


def _insert_results(turn: Turn, state: WorkflowState, reports: list[Report]) -> None:
    again = [r.job_id for r in reports if state.run_id > 1 or r.attempt_id > 1]
    if again:
        turn.storage.update(Result, {"is_latest": 0}, [Condition("job_id", "one_of", again)])
    first = turn.storage.next_ids(Result, len(reports))
    turn.storage.insert(Result, _RESULT, [_result_row(state, report, id) for id, report in enumerate(reports, first)])
    times = _file_times(report.found for report in reports)
    if times:
        mine = owned(turn, File, state.id, times)
        turn.set_each(File, ("st_mtime",), [(times[id], id) for id in sorted(mine)])


def _file_times(found: Iterable[Any]) -> dict[int, float | None]:
    """Return the times of written files by id; raises Invalid."""
    times: dict[int, float | None] = {}
    for report in found:
        given = getattr(report, "file_mtimes", None)
        if given:
            times |= file_times(given, "file_mtimes")
    return times


def _result_row(state: WorkflowState, report: Report, id: int) -> tuple[Any, ...]:
    found = report.found
    status = CANCELED if state.graph.status[state.graph.node(report.job_id)] == CANCELED else found.status.number
    return (
        report.job_id, state.id, state.run_id, report.attempt_id, report.compute_node_id, found.return_code, status,
        found.exec_time_minutes, found.completion_time, found.peak_memory_bytes, found.avg_memory_bytes,
        found.peak_cpu_percent, found.avg_cpu_percent, found.read_bytes, found.write_bytes, found.reason, 1, id,
    )  # fmt: skip


def begin(turn: Turn, state: WorkflowState, started: Sequence[tuple[int, str]], holder: int) -> list[int]:
    """Mark claimed jobs (id, start time) as running with ``holder``; returns those that are not its to start."""
    graph = state.graph
    mine: list[tuple[int, str]] = []
    lost: list[int] = []
    for job_id, moment in started:
        try:
            node = graph.node(job_id)
        except KeyError:
            lost.append(job_id)
            continue
        if graph.status[node] == PENDING and state.holders.get(job_id, holder) == holder:
            mine.append((job_id, moment))
        elif state.holders.get(job_id) != holder:
            lost.append(job_id)
    if mine:
        turn.touch(state.id)
        transitions.start(graph, graph.nodes([job_id for job_id, _ in mine]))
        state.holders.update((job_id, holder) for job_id, _ in mine)
        rows = [(RUNNING, holder, moment, job_id) for job_id, moment in mine]
        turn.set_each(Job, ("status", "compute_node_id", "start_time"), rows)
        telling.jobs_started(turn, state, [job_id for job_id, _ in mine], holder)
    return lost


def give_back(turn: Turn, state: WorkflowState, job_ids: Sequence[int]) -> None:
    """Make jobs that were claimed and not started ready again."""
    graph = state.graph
    nodes = [node for node in graph.nodes(job_ids) if IS_ACTIVE[graph.status[node]]]
    if nodes:
        turn.touch(state.id)
        transitions.release(graph, nodes)
        rows = [(READY, None, None, id) for id in graph.job_ids(nodes)]
        turn.set_each(Job, ("status", "compute_node_id", "start_time"), rows)
        for id in graph.job_ids(nodes):
            state.holders.pop(id, None)
        telling.jobs_ready(turn, state, nodes)


def try_again(turn: Turn, state: WorkflowState, job_ids: Sequence[int], origin: str | None = "retry") -> None:
    """Make jobs ready again with the next attempt number."""
    graph = state.graph
    turn.touch(state.id)
    touched: list[int] = []
    for job_id in job_ids:
        node = graph.node(job_id)
        changes = transitions.retry(graph, node)
        touched += [n for n in (*changes.blocked, *changes.ready, *changes.canceled) if n != node]
        state.attempts[job_id] = state.attempt(job_id) + 1
        state.holders.pop(job_id, None)
    rows = [(READY, None, None, state.attempts[id], origin, id) for id in job_ids]
    turn.set_each(Job, ("status", "compute_node_id", "start_time", "attempt_id", "origin"), rows)
    save_statuses(turn, state, dict.fromkeys(touched))
    telling.jobs_retried(turn, state, job_ids)


# the single calls


def check_run(state: WorkflowState, run_id: int) -> None:
    """Refuse what belongs to another run."""
    if run_id != state.run_id:
        raise Invalid(f"run id {run_id} is not the present one of workflow {state.id}, {state.run_id}", field="run_id")


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
    begin(turn, state, [(id, utc_text(turn.now))], compute_node_id)
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
    bad = {job_id for job_id, _ in refused}
    completed = [job_id for job_id, *_ in entries if job_id not in bad]
    errors = [{"job_id": job_id, "message": message} for job_id, message in refused]
    return CompletionAnswers(completed=completed, errors=errors)


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
        if trouble is None and key in stored:
            trouble = f"attempt {result.attempt_id} of job {job_id} has a result in run {run_id} already"
        if trouble is not None:
            refused.append((job_id, trouble))
        else:
            stored.add(key)
            reports.append(Report(job_id, result.attempt_id, result.compute_node_id, result))
    outcome = finish(turn, state, reports)
    return refused + [(report.job_id, why) for report, why in outcome.refused]


def _disagreement(state: WorkflowState, job_id: int, status: JobStatus, run_id: int, result: Result) -> str | None:
    if result.job_id != job_id:
        return f"the result is of job {result.job_id}, not of job {job_id}"
    if result.workflow_id != state.id:
        return f"the result is of workflow {result.workflow_id}, not of workflow {state.id}"
    if result.run_id != run_id or run_id != state.run_id:
        return f"the result is of run {result.run_id}; the present run of workflow {state.id} is {state.run_id}"
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
    if job.attempt_id >= max_retries:
        raise Invalid(f"job {id} has used its {max_retries} attempts", id=id)
    try_again(turn, state, [id], job.origin or "retry")
    turn.event(
        state.id, event_type="job_retried", job_id=id, job_name=job.name, previous_attempt=job.attempt_id,
        new_attempt=job.attempt_id + 1, run_id=run_id, message=f"job {job.name} is tried again",
    )  # fmt: skip
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
    turn.tell(
        state.id, "job_status_changed", job_id=id, job_name=job.name, previous_status=job.status.value,
        status=status.value, user=turn.caller.user,
    )  # fmt: skip
    return turn.get(Job, id)
