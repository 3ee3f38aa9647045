"""Which job waits for which, and what reads and writes what."""

from torc_core.operations import operation
from torc_core.records import answers as a
from torc_core.records.record import MAX_LIMIT, Page


class RelationOperations:
    """Which job waits for which, and what reads and writes what."""

    @operation("GET", "/workflows/{id}/job_ids", "workflows")
    def list_job_ids(self, id: int) -> a.JobIds:
        """List the ids of all jobs."""

    @operation("GET", "/workflows/{id}/running_jobs", "workflows")
    def get_running_jobs(self, id: int, offset: int = 0, limit: int = MAX_LIMIT) -> Page[a.RunningJob]:
        """List the running jobs and where they run."""

    @operation("GET", "/workflows/{id}/job_dependencies", "workflows")
    def list_job_dependencies(
        self, id: int, offset: int = 0, limit: int = MAX_LIMIT, sort_by: str | None = None, reverse_sort: bool = False
    ) -> Page[a.JobDependency]:
        """List which job waits for which, for whatever reason."""

    @operation("GET", "/workflows/{id}/job_file_relationships", "workflows")
    def list_job_file_relationships(
        self, id: int, offset: int = 0, limit: int = MAX_LIMIT, sort_by: str | None = None, reverse_sort: bool = False
    ) -> Page[a.JobFileRelationship]:
        """List producers and consumers of every file."""

    @operation("GET", "/workflows/{id}/job_user_data_relationships", "workflows")
    def list_job_user_data_relationships(
        self, id: int, offset: int = 0, limit: int = MAX_LIMIT, sort_by: str | None = None, reverse_sort: bool = False
    ) -> Page[a.JobUserDataRelationship]:
        """List producers and consumers of all user data."""

    @operation("GET", "/workflows/{id}/missing_user_data", "workflows")
    def list_missing_user_data(self, id: int) -> a.MissingUserData:
        """List user data that should have a value and has none."""

    @operation("GET", "/workflows/{id}/required_existing_files", "workflows")
    def list_required_existing_files(self, id: int) -> a.RequiredFiles:
        """List files that must exist before a run: read by a job, written by none, or made by a completed job."""
