"""The one transaction of a recovery: correct requirements, reset the chosen jobs and no others, begin the next run."""

from __future__ import annotations

from torc_core.errors import Invalid
from torc_core.records.answers import JobReset, RequirementsChanges
from torc_core.records.answers.recovery import Recovered, Recovery
from torc_core.service import runs
from torc_core.service.api import Service
from torc_core.service.correcting import correct_requirements
from torc_core.service.registry import handles
from torc_core.service.turn import Turn
from torc_core.status import BY_NUMBER, CANCELED, FAILED, PENDING_FAILED, TERMINATED

_DID_NOT_SUCCEED = (FAILED, TERMINATED, CANCELED, PENDING_FAILED)


@handles(Service.recover_jobs)
def recover_jobs(turn: Turn, id: int, recovery: Recovery) -> Recovered:
    """Recover; raises Invalid while jobs are held by runners, or for a job that did not fail, and changes nothing."""
    state = turn.state(id)
    runs.refuse_archived(state)
    runs.refuse_active(state, "recover")
    if not recovery.job_ids:
        raise Invalid("no jobs were chosen", field="job_ids")
    for job_id in recovery.job_ids:
        status = state.graph.status[state.node(job_id)]
        if status not in _DID_NOT_SUCCEED:
            raise Invalid(f"job {job_id} is {BY_NUMBER[status]}; only jobs that did not succeed are recovered")
    made: list[int] = []
    if recovery.changes:
        corrected = correct_requirements(turn, id, RequirementsChanges(changes=recovery.changes))
        made = corrected.resource_requirements_ids
    runs.raise_run(turn, turn.state(id))  # first, for attempts are counted within a run
    reset = runs.reset_jobs(turn, id, JobReset(job_ids=recovery.job_ids))
    begun = runs.initialize(turn, id, only_uninitialized=True, only_reset=True)
    turn.event(
        id, category="user_action", action="recover", user=turn.caller.user, workflow_id=id, run_id=begun.run_id,
        job_ids=reset.chosen, resource_requirements_ids=made,
        **({} if recovery.report is None else {"report": recovery.report}),
    )  # fmt: skip
    return Recovered(
        workflow_id=id, run_id=begun.run_id, job_ids=reset.chosen, downstream_job_ids=reset.downstream,
        resource_requirements_ids=made, jobs_by_status=begun.counts,
    )  # fmt: skip
