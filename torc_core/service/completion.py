"""Jobs that start and end: what is taken, what is refused, what moves on because of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from torc_core import reasons
from torc_core.contracts.storage import Condition
from torc_core.engine import transitions
from torc_core.errors import Invalid
from torc_core.records.answers import FinishedJob
from torc_core.records.resources import File, Job, Result
from torc_core.service import telling
from torc_core.service.references import file_times, owned
from torc_core.service.retrying import Retry, try_again
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

_RESULT = (
    "job_id", "workflow_id", "run_id", "attempt_id", "compute_node_id", "return_code", "status", "exec_time_minutes",
    "completion_time", "peak_memory_bytes", "avg_memory_bytes", "peak_cpu_percent", "avg_cpu_percent", "read_bytes",
    "write_bytes", "reason", "is_latest", "id",
)  # fmt: skip


class Report(NamedTuple):
    """The end of one attempt, whoever reports it."""

    job_id: int
    attempt_id: int
    compute_node_id: int
    found: FinishedJob | Result


class Outcome:
    """What became of many reports."""

    __slots__ = ("lost", "refused")

    def __init__(self) -> None:
        self.refused: list[tuple[Report, str]] = []
        self.lost: list[int] = []


def finish(turn: Turn, state: WorkflowState, reports: Sequence[Report], check_holder: bool = False) -> Outcome:
    """Take the reports that can be taken: store results, let go of the jobs, settle what waited for them.

    A report that was taken before is taken again without effect, so a runner may repeat itself. With ``check_holder``
    a job that somebody else holds by now, or that is at another attempt, is refused and named as lost.
    """
    outcome = Outcome()
    kept: list[Report] = []
    seen: set[int] = set()
    for report in reports:
        trouble = _trouble(state, report)
        if trouble is None and check_holder:
            trouble = _late(state, report, outcome)
        if trouble is None and report.job_id in seen:
            trouble = f"job {report.job_id} is reported twice"
        if trouble is None:
            seen.add(report.job_id)
            kept.append(report)
        else:
            outcome.refused.append((report, trouble))
    if check_holder and outcome.refused:
        _pass_over_repeated(turn, state, outcome)
    if kept:
        _keep(turn, state, kept)
    return outcome


def _trouble(state: WorkflowState, report: Report) -> str | None:
    """Return why a report makes no sense, whoever sends it."""
    try:
        status = state.graph.status[state.graph.node(report.job_id)]
    except KeyError:
        return f"there is no job {report.job_id} in workflow {state.id}"
    if not IS_REPORT[report.found.status.number]:
        return no_end(report.found.status)
    if IS_COMPLETE[status] and not _is_end_of_canceled(state, report, status):
        return f"job {report.job_id} is already complete"
    return None


def no_end(status: JobStatus) -> str:
    """Say that a job cannot end with a status."""
    return f"{status} is not a status that a job can end with"


def _is_end_of_canceled(state: WorkflowState, report: Report, status: int) -> bool:
    """Whether it tells how a job ended that was canceled while it ran, which is worth keeping."""
    return status == CANCELED and state.holders.get(report.job_id) == report.compute_node_id


def _late(state: WorkflowState, report: Report, outcome: Outcome) -> str | None:
    """Return why a report of a runner comes too late: the job has been given to somebody else, or taken back."""
    job_id = report.job_id
    status = state.graph.status[state.graph.node(job_id)]
    attempt, holder = state.attempt(job_id), state.holders.get(job_id)
    if attempt != report.attempt_id:
        trouble = f"job {job_id} is at attempt {attempt} now; attempt {report.attempt_id} was given up before"
    elif IS_ACTIVE[status] and holder != report.compute_node_id:
        trouble = f"job {job_id} is held by another runner now"
    elif not IS_ACTIVE[status] and status != CANCELED:
        trouble = f"job {job_id} was taken back before its end was reported"
    else:
        return None
    if not (attempt > report.attempt_id and holder == report.compute_node_id):  # else it runs again, there
        outcome.lost.append(job_id)
    return trouble


def _pass_over_repeated(turn: Turn, state: WorkflowState, outcome: Outcome) -> None:
    """Drop refusals of reports that had been taken when they came the first time."""
    ids = sorted({report.job_id for report, _ in outcome.refused})
    names = ("job_id", "attempt_id", "compute_node_id", "return_code")
    where = [Condition("job_id", "one_of", ids), Condition("run_id", "equal", state.run_id)]
    stored = set(turn.rows(Result, names, where))
    repeated = {r.job_id for r, _ in outcome.refused if (*r[:3], r.found.return_code) in stored}
    outcome.refused = [entry for entry in outcome.refused if entry[0].job_id not in repeated]
    outcome.lost = [job_id for job_id in outcome.lost if job_id not in repeated]


def _keep(turn: Turn, state: WorkflowState, kept: list[Report]) -> None:
    turn.touch(state.id)
    graph = state.graph
    ended: list[tuple[int, int]] = []
    again: list[Retry] = []
    held_no_more: list[tuple[None, int]] = []
    for report in kept:
        node, found = graph.node(report.job_id), report.found
        if graph.status[node] == CANCELED:
            held_no_more.append((None, report.job_id))
        elif isinstance(found, FinishedJob) and found.again and not graph.canceled:
            again.append(Retry(report.job_id, found.retry_delay_seconds, found.decided or "", found.recovery))
        else:
            ended.append((node, found.status.number))
    _insert_results(turn, state, kept)
    for report in kept:
        state.holders.pop(report.job_id, None)
    end(turn, state, ended, {report.job_id: report.found.return_code for report in kept})
    if held_no_more:
        turn.set_each(Job, ("compute_node_id",), held_no_more)
    if again:
        try_again(turn, state, again)


def end(
    turn: Turn, state: WorkflowState, ended: Sequence[tuple[int, int]], return_codes: Mapping[int, int | None]
) -> None:
    """Give jobs (nodes) their last statuses, settle what waited for them, write and tell all of it."""
    graph = state.graph
    was_complete = graph.is_complete
    changes = transitions.complete(graph, ended)
    rows = [(graph.status[node], None, graph.ids[node]) for node, _ in ended]
    turn.set_each(Job, ("status", "compute_node_id"), rows)
    save_statuses(turn, state, [*changes.ready, *changes.canceled, *changes.blocked])
    if turn.is_heard(state.id):
        telling.jobs_ended(turn, state, {id: return_codes[id] for id in graph.job_ids(changes.finished)})
        telling.jobs_canceled(turn, state, changes.canceled)
        telling.jobs_ready(turn, state, changes.ready)
        if graph.is_complete and not was_complete:
            telling.workflow_event(turn, state.id, "workflow_completed", f"workflow {state.id} is complete")


def _insert_results(turn: Turn, state: WorkflowState, reports: list[Report]) -> None:
    again = [r.job_id for r in reports if state.run_id > 1 or r.attempt_id > 1]
    if again:
        turn.storage.update(Result, {"is_latest": 0}, [Condition("job_id", "one_of", again)])
    state.has_results = True
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
    status, reason = found.status.number, found.reason
    if state.graph.status[state.graph.node(report.job_id)] == CANCELED:
        status, reason = CANCELED, reason or reasons.CANCELED
    return (
        report.job_id, state.id, state.run_id, report.attempt_id, report.compute_node_id, found.return_code, status,
        found.exec_time_minutes, found.completion_time, found.peak_memory_bytes, found.avg_memory_bytes,
        found.peak_cpu_percent, found.avg_cpu_percent, found.read_bytes, found.write_bytes, reason, 1, id,
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


def check_run(state: WorkflowState, run_id: int) -> None:
    """Refuse what belongs to another run."""
    if run_id != state.run_id:
        raise Invalid(f"run id {run_id} is not the present one of workflow {state.id}, {state.run_id}", field="run_id")
