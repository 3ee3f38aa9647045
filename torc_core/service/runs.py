"""Runs of a workflow: begin one, cancel it, reset jobs for the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torc_core.contracts.storage import Condition
from torc_core.engine import order, transitions
from torc_core.engine.changes import Changes
from torc_core.errors import Conflict, Invalid
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.answers import (
    Archiving,
    BegunRun,
    ChangedInputs,
    FileTimes,
    Initialized,
    JobReset,
    JobsReset,
    ResetJobs,
)
from torc_core.records.resources import File, Job, Result, UserData, Workflow
from torc_core.service import actions, queries, telling
from torc_core.service.api import Service
from torc_core.service.claims import changed_inputs, note_data
from torc_core.service.references import file_times
from torc_core.service.registry import handles
from torc_core.service.reruns import Files, Reruns
from torc_core.service.retrying import renumber
from torc_core.service.saving import drop_latest_results, let_go, save_all_statuses
from torc_core.service.state import WorkflowState
from torc_core.service.turn import Turn, of_workflow, with_ids
from torc_core.status import (
    CANCELED,
    FAILED,
    IS_ACTIVE,
    IS_COMPLETE,
    PENDING,
    PENDING_FAILED,
    RUNNING,
    TERMINATED,
)
from torc_core.units import counted


def change_all(turn: Turn, state: WorkflowState, decide: Callable[[], Changes]) -> Changes:
    """Carry out a decision about a whole workflow and write every status that it changed; returns what it did."""
    turn.touch(state.id)
    before = bytes(state.graph.status)
    changes = decide()
    save_all_statuses(turn, state, before)
    status, graph = state.graph.status, state.graph
    let_go(turn, state, [id for id in state.holders if status[graph.node(id)] not in (PENDING, RUNNING, CANCELED)])
    return changes


@handles(Service.initialize_jobs)
def initialize_jobs(
    turn: Turn, id: int, only_uninitialized: bool = False, clear_ephemeral_user_data: bool = False
) -> Initialized:
    """Derive every job's status anew; raises Invalid and names the jobs when they wait for each other."""
    return initialize(turn, id, only_uninitialized, clear_ephemeral=clear_ephemeral_user_data)


def initialize(
    turn: Turn, id: int, only_uninitialized: bool, *, clear_ephemeral: bool = False, only_reset: bool = False
) -> Initialized:
    """As ``initialize_jobs``; ``only_reset`` also leaves what did not succeed and was not reset."""
    state = turn.state(id)
    graph = state.graph
    cycle = order.find_cycle(graph)
    if cycle:
        names: dict[int, str] = dict(turn.rows(Job, ("id", "name"), with_ids(graph.job_ids(cycle))))
        path = " -> ".join(str(names[job]) for job in graph.job_ids(cycle))
        raise Invalid(f"jobs wait for each other: {path}", hint="Remove one of these dependencies.", id=id)
    if clear_ephemeral:
        made = sorted({i for ids in queries.data_use(turn, state).outputs.values() for i in ids})
        ephemeral = of_workflow(id, Condition("is_ephemeral", "equal", 1), *with_ids(made))
        turn.set(UserData, {"data": None}, ephemeral)  # what no job makes would be gone for ever
    renumber(turn, state)  # those that were reset, maybe in an earlier run
    changes = change_all(turn, state, lambda: transitions.initialize(graph, only_uninitialized, only_reset=only_reset))
    renumber(turn, state)
    actions.rearm(turn, state, full=not only_uninitialized)
    if state.run_id:  # in run 0 nothing can have a result of an earlier one
        _keep_latest_of_complete(turn, state)
    note_data(turn, state)
    telling.workflow_initialized(turn, state, only_uninitialized)
    telling.jobs_canceled(turn, state, changes.canceled)
    telling.jobs_ready(turn, state, changes.ready)
    counts = queries.counts_of(state)
    return Initialized(message=f"initialized {counted(len(graph), 'job')}", run_id=state.run_id, counts=counts)


def _keep_latest_of_complete(turn: Turn, state: WorkflowState) -> None:
    graph = state.graph
    again = [id for node, id in enumerate(graph.ids) if id and not IS_COMPLETE[graph.status[node]]]
    drop_latest_results(turn, state, again if len(again) < len(graph) else None)


def refuse_archived(state: WorkflowState) -> None:
    """Refuse what makes no sense for a workflow that was put away."""
    if state.is_archived:
        raise Invalid(
            f"workflow {state.id} is archived", hint=f"Show it again first: torc workflows archive false {state.id}"
        )


def refuse_active(state: WorkflowState, doing: str, *, can_force: bool = False) -> None:
    """Refuse while jobs are held by runners."""
    counts = state.graph.counts()
    active = counts[RUNNING] + counts[PENDING]
    if active:
        raise Invalid(
            f"cannot {doing} workflow {state.id}: {active} of its jobs are running or about to",
            hint="Wait for them, cancel the workflow, or use --force."
            if can_force
            else f"Wait for them, or cancel the workflow. When their runner is gone: torc sync-status {state.id}",
        )


@handles(Service.reset_workflow_status)
def reset_workflow_status(turn: Turn, id: int, force: bool = False) -> Workflow:
    """Make the workflow ready for a new run."""
    state = turn.state(id)
    refuse_archived(state)
    if not force:
        refuse_active(state, "reset", can_force=True)
        _refuse_allocated(turn, id)
    raise_run(turn, state, by=0 if turn.caller.raises_run else 1)
    turn.event(
        id, category="user_action", action="reset_workflow_status", user=turn.caller.user, workflow_id=id, force=force
    )
    telling.workflow_event(turn, id, "workflow_reset", f"workflow {id} was reset for run {state.run_id}", force=force)
    return turn.get(Workflow, id)


def _refuse_allocated(turn: Turn, workflow_id: int) -> None:
    """Refuse while nodes are asked for or given whose runners would come up in the next run."""
    unended = Condition("status", "one_of", ["pending", "active"])
    count = turn.storage.count(ScheduledComputeNode, of_workflow(workflow_id, unended))
    if count:
        raise Invalid(
            f"cannot reset workflow {workflow_id}: {counted(count, 'allocation')} of it pending or active",
            hint="Wait for them, cancel the workflow, or use --force.",
        )


def raise_run(turn: Turn, state: WorkflowState, by: int = 1) -> None:
    """Begin the next run id, neither canceled nor archived; clients that raise it themselves do so ``by`` 0."""
    turn.touch(state.id)
    state.run_id += by
    state.has_results = not by  # whoever did not raise it goes on with the results of this run
    state.is_archived = False
    state.graph.canceled = False
    changes = {"run_id": state.run_id, "is_canceled": False, "is_archived": False}
    turn.set(Workflow, changes, [Condition("id", "equal", state.id)])


@handles(Service.cancel_workflow)
def cancel_workflow(turn: Turn, id: int) -> Workflow:
    """Cancel; runners hear of it at once and end their jobs."""
    state = turn.state(id)
    turn.touch(id)
    changes = transitions.cancel_all(state.graph)
    canceled = state.graph.job_ids(changes.canceled)
    if canceled:
        turn.storage.update(Job, {"status": CANCELED}, with_ids(canceled))
    turn.set(Workflow, {"is_canceled": True}, [Condition("id", "equal", id)])
    turn.event(
        id, category="workflow_canceled", message=f"workflow {id} was canceled", workflow_id=id, run_id=state.run_id
    )
    telling.workflow_event(turn, id, "workflow_canceled", f"workflow {id} was canceled", "warning")
    telling.jobs_ended(turn, state, dict.fromkeys(canceled))
    return turn.get(Workflow, id)


@handles(Service.archive_workflow)
def archive_workflow(turn: Turn, id: int, request: Archiving) -> Workflow:
    """Hide or show."""
    state, is_archived = turn.state(id), request.is_archived
    turn.touch(id)
    state.is_archived = is_archived
    turn.set(Workflow, {"is_archived": is_archived}, [Condition("id", "equal", id)])
    action = "archive_workflow" if is_archived else "unarchive_workflow"
    turn.event(id, category="user_action", action=action, user=turn.caller.user, workflow_id=id)
    return turn.get(Workflow, id)


@handles(Service.reset_job_status)
def reset_job_status(turn: Turn, id: int, failed_only: bool = False) -> ResetJobs:
    """Make jobs uninitialized; the next run takes them up."""
    state = turn.state(id)
    refuse_archived(state)
    graph = state.graph
    count = len(graph.find(FAILED, CANCELED, TERMINATED, PENDING_FAILED)) if failed_only else len(graph)
    reset = transitions.reset_failed if failed_only else transitions.reset_all
    change_all(turn, state, lambda: reset(graph))
    renumber(turn, state)
    turn.event(
        id, category="user_action", action="reset_job_status", user=turn.caller.user, workflow_id=id,
        failed_only=failed_only, updated_count=count,
    )  # fmt: skip
    _tell_reset(turn, id, count, failed_only=failed_only)
    return ResetJobs(workflow_id=id, updated_count=count, reset_type="failed_only" if failed_only else None)


def _tell_reset(turn: Turn, id: int, count: int, **more: Any) -> None:
    message = f"reset: {counted(count, 'job')} of workflow {id}"
    telling.workflow_event(turn, id, "jobs_reset", message, updated_count=count, **more)


@handles(Service.reset_jobs)
def reset_jobs(turn: Turn, id: int, choice: JobReset) -> JobsReset:
    """Reset chosen jobs and all that follows from them."""
    state = turn.state(id)
    refuse_archived(state)
    graph = state.graph
    chosen = _chosen(turn, state, choice)
    if not chosen:
        raise Invalid("no job matches", hint="List them with: torc jobs list", reset_count=0)
    is_chosen = set(chosen)
    below = [n for n in transitions.downstream(graph, chosen) if n not in is_chosen]
    if not choice.dry_run:
        change_all(turn, state, lambda: transitions.reset(graph, chosen))
        renumber(turn, state)
        count = len(chosen) + len(below)
        turn.event(
            id, category="user_action", action="reset_job_status", user=turn.caller.user, workflow_id=id,
            failed_only=False, updated_count=count,
        )  # fmt: skip
        _tell_reset(turn, id, count)
    return JobsReset(chosen=graph.job_ids(chosen), downstream=graph.job_ids(below))


def _chosen(turn: Turn, state: WorkflowState, choice: JobReset) -> list[int]:
    ways = [choice.job_ids is not None, choice.statuses is not None, choice.return_code is not None]
    if sum(ways) != 1:
        raise Invalid("choose jobs in exactly one way: ids, statuses or a return code")
    if choice.job_ids is not None:
        return [state.node(job_id) for job_id in dict.fromkeys(choice.job_ids)]
    if choice.statuses is not None:
        return state.graph.find(*(status.number for status in choice.statuses))
    latest = of_workflow(
        state.id, Condition("is_latest", "equal", 1), Condition("return_code", "equal", choice.return_code)
    )
    return [state.node(job_id) for (job_id,) in turn.rows(Result, ("job_id",), latest)]


@handles(Service.process_changed_job_inputs)
def process_changed_job_inputs(turn: Turn, id: int, dry_run: bool = False) -> ChangedInputs:
    """Find jobs whose inputs are others than those they ran with.

    Clients of the published API also mean those that did not run yet and would be given other data than at the start.
    """
    state = turn.state(id)
    graph = state.graph
    found = [(graph.node(job), name) for job, name, _ in changed_inputs(turn, state)]
    skipped = IS_ACTIVE if not turn.caller.is_ours else [not complete for complete in IS_COMPLETE]
    changed = [(node, name) for node, name in found if not skipped[graph.status[node]]]
    if changed and not dry_run:
        change_all(turn, state, lambda: transitions.reset(graph, [node for node, _ in changed], only_these=True))
    return ChangedInputs(reinitialized_jobs=[name for _, name in changed])


@handles(Service.begin_run)
def begin_run(
    turn: Turn, id: int, found: FileTimes, again: bool = False, force: bool = False, dry_run: bool = False,
    after_run: int | None = None, only_reset: bool = False,
) -> BegunRun:  # fmt: skip
    """Check, raise the run id and initialize, all in one."""
    again = again or only_reset
    state = turn.state(id)
    refuse_archived(state)
    if after_run is not None and after_run != state.run_id:
        raise Conflict(
            f"run {state.run_id} of workflow {id} was begun meanwhile", hint=f"Take part in it: torc run {id}", id=id,
            run_id=state.run_id,
        )  # fmt: skip
    if not dry_run:
        refuse_active(state, "begin a run of")
    files = Files.of(turn, state, file_times(found.st_mtimes or {}, "st_mtimes"))
    reruns = Reruns(turn, state, files, only_reset=only_reset) if again else None
    answer = _outlook(turn, state, files, reruns, explain=dry_run)
    if dry_run:
        return answer
    _refuse_missing(answer, force)
    raise_run(turn, state)
    if reruns is not None:
        change_all(turn, state, lambda: transitions.reset(state.graph, reruns.nodes))
    else:
        change_all(turn, state, lambda: transitions.reset_all(state.graph, keep_disabled=True))
    new_times = [(files.found.get(i), i) for i in files.changed_for_none_that_stays(state)]
    if new_times:
        turn.set_each(File, ("st_mtime",), new_times)
    renumber(turn, state)
    begun = initialize(turn, id, again, clear_ephemeral=not again, only_reset=only_reset)
    answer.run_id, answer.jobs_by_status = state.run_id, begun.counts
    return answer


def check_begin(turn: Turn, id: int, found: FileTimes, force: bool) -> None:
    """Raise what ``begin_run`` would raise, as far as that can be known beforehand."""
    state = turn.state(id)
    refuse_archived(state)
    refuse_active(state, "begin a run of")
    files = Files.of(turn, state, file_times(found.st_mtimes or {}, "st_mtimes"))
    _refuse_missing(_outlook(turn, state, files, None, explain=False), force)


def _outlook(turn: Turn, state: WorkflowState, files: Files, reruns: Reruns | None, *, explain: bool) -> BegunRun:
    """Return what a run would begin with; ``explain`` says why jobs run again."""
    missing = [files.paths[i] for i in files.missing(state)]
    missing_data = queries.names_of(turn, UserData, queries.missing_data(turn, state, with_completed=False))
    answer = BegunRun(
        workflow_id=state.id, run_id=state.run_id, safe=not missing and not missing_data, missing_input_files=missing,
        missing_user_data=missing_data, existing_output_files=[files.paths[i] for i in files.existing_outputs()],
        changed_files=[files.paths[i] for i in files.changed()] if reruns else [], rerun_jobs=[],
    )  # fmt: skip
    if reruns is not None:
        answer.rerun_jobs = queries.names_of(turn, Job, state.graph.job_ids(reruns.ended()))
        if explain:
            answer.reruns = reruns.explain()
            answer.jobs_by_status = queries.counts_of(state)
    return answer


def _refuse_missing(answer: BegunRun, force: bool) -> None:
    if answer.missing_input_files and not force:
        raise Conflict(
            f"missing: {counted(len(answer.missing_input_files), 'input file')}: {_some(answer.missing_input_files)}",
            hint="Make them, or go on without them with --force.",
            missing_input_files=answer.missing_input_files,
        )
    if answer.missing_user_data:
        raise Conflict(
            f"user data without a value that no job makes: {_some(answer.missing_user_data)}",
            hint="Give it a value in the spec (data), or with: torc user-data update ID --data JSON",
            missing_user_data=answer.missing_user_data,
        )


def _some(names: Sequence[str]) -> str:
    text = ", ".join(names[:10])
    return text if len(names) <= 10 else f"{text} and {len(names) - 10} more"
