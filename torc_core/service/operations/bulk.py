"""Many records at once, all or none, and what is kept beside workflows."""

from torc_core.operations import operation
from torc_core.records import answers as a
from torc_core.records.allocations import RemoteWorker
from torc_core.records.record import MAX_LIMIT, Page


class BulkOperations:
    """Many records at once, all or none, and what is kept beside workflows."""

    @operation("POST", "/bulk_jobs", "jobs")
    def create_jobs(self, new: a.JobList) -> a.CreatedJobs:
        """Store many jobs of one workflow, all or none."""

    @operation("POST", "/bulk_files", "files")
    def create_files(self, new: a.FileList) -> a.CreatedFiles:
        """Store many files of one workflow, all or none."""

    @operation("POST", "/bulk_user_data", "user_data")
    def create_user_data_list(self, new: a.UserDataList) -> a.CreatedUserData:
        """Store much user data of one workflow, all or none."""

    @operation("PUT", "/workflows/{id}/status", "workflows")
    def update_workflow_status(self, id: int, status: a.WorkflowStatus) -> a.WorkflowStatus:
        """Write the run id and the flags of a workflow as they are sent, as clients before 0.35 do."""

    @operation("GET", "/workflows/{id}/slurm_job_correlations", "workflows")
    def get_slurm_job_correlations(self, id: int, offset: int = 0, limit: int = MAX_LIMIT) -> Page[a.SlurmCorrelation]:
        """List which Slurm job each finished job ran in."""

    @operation("POST", "/workflows/{id}/remote_workers", "remote_workers")
    def create_remote_workers(self, id: int, body: list[str]) -> list[RemoteWorker]:
        """Add machines by name, like ``user@host:22``; known ones stay. The answer has those named."""

    @operation("DELETE", "/workflows/{id}/remote_workers/{worker}", "remote_workers")
    def delete_remote_worker(self, id: int, worker: str) -> RemoteWorker:
        """Forget a machine."""
