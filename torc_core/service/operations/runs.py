"""Runs of a workflow: begun, initialized, reset."""

from torc_core.operations import operation
from torc_core.records import answers as a
from torc_core.records.answers.recovery import Recovered, Recovery
from torc_core.records.resources import Workflow


class RunOperations:
    """Runs of a workflow: begun, initialized, reset."""

    @operation("POST", "/workflows/{id}/begin_run", "workflows")
    def begin_run(
        self,
        id: int,
        found: a.FileTimes,
        again: bool = False,
        force: bool = False,
        dry_run: bool = False,
        after_run: int | None = None,
        only_reset: bool = False,
    ) -> a.BegunRun:
        """Begin a run: check files and data, raise the run id, initialize all jobs.

        ``again`` keeps what has ended and still holds: only changed, failed and unfinished work runs. ``only_reset``
        keeps more: only jobs that were reset or added run, and what follows them. ``force`` goes on without input
        files that are missing. With ``after_run`` it is refused (Conflict) when that is not the present
        run any more, because somebody else was faster.
        """

    @operation("POST", "/workflows/{id}/initialize_jobs", "workflows")
    def initialize_jobs(
        self, id: int, only_uninitialized: bool = False, clear_ephemeral_user_data: bool = False
    ) -> a.Initialized:
        """Mark jobs blocked or ready by their dependencies, for the present run id."""

    @operation("POST", "/workflows/{id}/reset_status", "workflows")
    def reset_workflow_status(self, id: int, force: bool = False) -> Workflow:
        """Clear canceled and archived and raise the run id; refused while something runs unless forced."""

    @operation("POST", "/workflows/{id}/reset_job_status", "workflows")
    def reset_job_status(self, id: int, failed_only: bool = False) -> a.ResetJobs:
        """Make all jobs (or those that did not succeed, and what follows them) uninitialized."""

    @operation("POST", "/workflows/{id}/reset_jobs", "workflows")
    def reset_jobs(self, id: int, choice: a.JobReset) -> a.JobsReset:
        """Make chosen jobs and everything downstream uninitialized, or only say which those are."""

    @operation("POST", "/workflows/{id}/recover_jobs", "workflows")
    def recover_jobs(self, id: int, recovery: Recovery) -> Recovered:
        """Correct requirements, reset chosen jobs and what follows, begin the next run; all or nothing."""

    @operation("POST", "/workflows/{id}/process_changed_job_inputs", "workflows")
    def process_changed_job_inputs(self, id: int, dry_run: bool = False) -> a.ChangedInputs:
        """Make jobs uninitialized whose definition or data changed since they were initialized."""
