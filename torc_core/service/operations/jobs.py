"""Single jobs and many of them: made, started, ended."""

from torc_core.operations import operation
from torc_core.records import answers as a
from torc_core.records.resources import Job, Result
from torc_core.status import JobStatus


class JobOperations:
    """Single jobs and many of them: made, started, ended."""

    @operation("PUT", "/jobs/{id}/start_job/{run_id}/{compute_node_id}", "jobs")
    def start_job(self, id: int, run_id: int, compute_node_id: int) -> Job:
        """Say that a claimed job runs now."""

    @operation("POST", "/jobs/{id}/complete_job/{status}/{run_id}", "jobs")
    def complete_job(self, id: int, status: JobStatus, run_id: int, result: Result) -> Job:
        """Say how a job ended; what waited for it moves on."""

    @operation("POST", "/workflows/{id}/batch_complete_jobs", "workflows")
    def batch_complete_jobs(self, id: int, batch: a.Completions) -> a.CompletionAnswers:
        """Say how many jobs ended; each is taken or refused by itself."""

    @operation("PUT", "/jobs/{id}/manage_status_change/{status}/{run_id}", "jobs")
    def manage_status_change(self, id: int, status: JobStatus, run_id: int) -> Job:
        """Set a status by hand."""

    @operation("POST", "/workflows/{id}/resolve_failures", "jobs")
    def resolve_failures(self, id: int, choice: a.FailureResolution) -> a.ResolvedFailures:
        """Decide about jobs that are pending_failed; each is taken or refused by itself."""

    @operation("POST", "/jobs/{id}/retry/{run_id}", "jobs")
    def retry_job(self, id: int, run_id: int, max_retries: int) -> Job:
        """Make a job ready again with the next attempt number."""
