"""The one interface to workflows: records by five typed verbs, everything else by a declared operation.

The owner of a database (``LocalService``) and the client of a far one (``RemoteService``) both implement it; the
command line, the runner and the interfaces know only this.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from torc_core.errors import Unsupported
from torc_core.operations import Operation, all_operations, operation
from torc_core.records import answers as a
from torc_core.records.record import MAX_LIMIT, Page, Record
from torc_core.records.resources import Job, NodeResources, Result, Workflow
from torc_core.status import JobStatus

R = TypeVar("R", bound=Record)


class Service:
    """What a service can do. A declared operation that a subclass does not define ends in ``perform``."""

    def perform(self, op: Operation, arguments: dict[str, Any]) -> Any:
        """Carry out a declared operation in the service's general way."""
        raise Unsupported(f"{op.name} is not offered by this service")

    def create(self, record: R) -> R:
        """Store a new record; the answer has its id."""
        raise Unsupported("this service does not create records")

    def get(self, kind: type[R], id: int) -> R:
        """Return the record with that id; raises NotFound."""
        raise Unsupported("this service does not keep records")

    def find(
        self,
        kind: type[R],
        workflow_id: int | None = None,
        offset: int = 0,
        limit: int = MAX_LIMIT,
        sort_by: str | None = None,
        reverse_sort: bool = False,
        **filters: Any,
    ) -> Page[R]:
        """Return one page of the records that match all ``filters``, by id unless ``sort_by`` names a field."""
        raise Unsupported("this service does not keep records")

    def each(self, kind: type[R], workflow_id: int | None = None, **filters: Any) -> Iterable[R]:
        """Yield all records that match, page by page, so that any number of them can be walked."""
        offset = 0
        while True:
            page = self.find(kind, workflow_id, offset, MAX_LIMIT, **filters)
            yield from page.items
            offset += len(page.items)
            if not page.has_more or not page.items:
                return

    def update(self, kind: type[R], id: int, changes: dict[str, Any]) -> R:
        """Change what ``changes`` names; the rest stays."""
        raise Unsupported("this service does not change records")

    def delete(self, kind: type[R], id: int) -> R:
        """Remove a record and what hangs on it; the answer is what it was."""
        raise Unsupported("this service does not delete records")

    def delete_all(self, kind: type[R], workflow_id: int) -> a.Deleted:
        """Remove all records of one kind from a workflow."""
        raise Unsupported("this service does not delete records")

    def on_change(self, workflow_id: int, notify: Callable[[], None]) -> Callable[[], None]:
        """Have ``notify`` called, from any thread, after changes of a workflow; returns what ends that.

        Changes may be told together. Where nothing better is known, a thread asks with long waits.
        """
        ended = threading.Event()

        def watch() -> None:
            version = 0
            while not ended.is_set():
                newer = self.wait_for_change(workflow_id, version, 20.0).version
                if newer != version and not ended.is_set():
                    notify()
                version = newer

        threading.Thread(target=watch, name=f"changes of workflow {workflow_id}", daemon=True).start()
        return ended.set

    def close(self) -> None:
        """Let go of what the service holds."""

    def abandon(self) -> None:
        """Let go without writing to what another process owns by now."""
        self.close()

    # system

    @operation("GET", "/ping", "system")
    def ping(self) -> a.Ping:
        """Say that the service is there."""

    @operation("GET", "/version", "system")
    def get_version(self) -> a.Version:
        """Say which release this is."""

    # workflows

    @operation("POST", "/workflows/whole", "workflows")
    def create_whole_workflow(self, new: a.NewWorkflow) -> a.CreatedWorkflow:
        """Store a workflow with everything in it, all or nothing."""

    @operation("GET", "/workflows/{id}/status", "workflows")
    def get_workflow_status(self, id: int) -> a.StatusSummary:
        """Count the jobs by status, with run times and runners."""

    @operation("PUT", "/workflows/{id}/cancel", "workflows")
    def cancel_workflow(self, id: int) -> Workflow:
        """Cancel running and pending jobs; hand out no more."""

    @operation("POST", "/workflows/{id}/archive", "workflows")
    def archive_workflow(self, id: int, is_archived: bool = True) -> Workflow:
        """Hide a finished workflow from lists, or show it again."""

    @operation("POST", "/workflows/{id}/reset_status", "workflows")
    def reset_workflow_status(self, id: int, force: bool = False) -> Workflow:
        """Clear canceled and archived and raise the run id; refused while something runs unless forced."""

    @operation("GET", "/workflows/{id}/is_complete", "workflows")
    def is_workflow_complete(self, id: int) -> a.Completeness:
        """Say whether every job has ended, or the workflow is canceled."""

    @operation("GET", "/workflows/{id}/is_uninitialized", "workflows")
    def is_workflow_uninitialized(self, id: int) -> a.Uninitialized:
        """Say whether no job has been initialized."""

    @operation("POST", "/workflows/{id}/initialize_jobs", "workflows")
    def initialize_jobs(
        self, id: int, only_uninitialized: bool = False, clear_ephemeral_user_data: bool = False
    ) -> a.Initialized:
        """Mark jobs blocked or ready by their dependencies, for the present run id."""

    @operation("POST", "/workflows/{id}/begin_run", "workflows")
    def begin_run(
        self, id: int, found: a.FileTimes, again: bool = False, force: bool = False, dry_run: bool = False
    ) -> a.BegunRun:
        """Begin a run: check files and data, raise the run id, initialize all jobs.

        ``again`` keeps what has ended and still holds: only changed, failed and unfinished work runs. ``force`` goes on
        without input files that are missing.
        """

    @operation("POST", "/workflows/{id}/tick", "workflows")
    def tick(self, id: int, report: a.Tick) -> a.TickAnswer:
        """Take what a runner reports and give it the next jobs, in one transaction."""

    @operation("GET", "/workflows/{id}/changes", "workflows")
    def wait_for_change(self, id: int, version: int = 0, wait_seconds: float = 0.0) -> a.Change:
        """Answer when the workflow's state is newer than ``version``, or when the wait is over."""

    @operation("POST", "/workflows/{id}/adopt_orphans", "workflows")
    def adopt_orphans(self, id: int, compute_node_ids: list[int], fail: bool = False) -> a.JobIds:
        """Take the jobs of runners that are gone: record the lost attempts, make them ready again or failed."""

    @operation("POST", "/workflows/{id}/claim_next_jobs", "workflows")
    def claim_next_jobs(self, id: int, limit: int = 10, labels: list[str] | None = None) -> a.ClaimedJobs:
        """Give up to ``limit`` ready jobs to a caller with ``labels``; no two callers get the same job."""

    @operation("POST", "/workflows/{id}/claim_jobs_based_on_resources/{limit}", "workflows")
    def claim_jobs_based_on_resources(
        self, id: int, limit: int, node: NodeResources, strict_scheduler_match: bool = False
    ) -> a.FittingJobs:
        """Like ``claim_next_jobs``, but only what fits into ``node`` together."""

    @operation("POST", "/workflows/{id}/reset_job_status", "workflows")
    def reset_job_status(self, id: int, failed_only: bool = False) -> a.ResetJobs:
        """Make all jobs (or those that did not succeed, and what follows them) uninitialized."""

    @operation("POST", "/workflows/{id}/reset_jobs", "workflows")
    def reset_jobs(self, id: int, choice: a.JobReset) -> a.JobsReset:
        """Make chosen jobs and everything downstream uninitialized, or only say which those are."""

    @operation("POST", "/workflows/{id}/process_changed_job_inputs", "workflows")
    def process_changed_job_inputs(self, id: int, dry_run: bool = False) -> a.ChangedInputs:
        """Make jobs uninitialized whose definition or data changed since they were initialized."""

    @operation("GET", "/workflows/{id}/ready_job_requirements", "workflows")
    def get_ready_job_requirements(self, id: int, scheduler_config_id: int | None = None) -> a.ReadyRequirements:
        """Add up what the ready jobs need."""

    @operation("GET", "/workflows/{id}/job_ids", "workflows")
    def list_job_ids(self, id: int) -> a.JobIds:
        """List the ids of all jobs."""

    @operation("GET", "/workflows/{id}/running_jobs", "workflows")
    def list_running_jobs(self, id: int, offset: int = 0, limit: int = MAX_LIMIT) -> Page[a.RunningJob]:
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

    # jobs

    @operation("POST", "/bulk_jobs", "jobs")
    def create_jobs(self, new: a.JobList) -> a.CreatedJobs:
        """Store many jobs of one workflow, all or none."""

    @operation("PUT", "/jobs/{id}/start_job/{run_id}/{compute_node_id}", "jobs")
    def start_job(self, id: int, run_id: int, compute_node_id: int) -> Job:
        """Say that a claimed job runs now."""

    @operation("POST", "/jobs/{id}/complete_job/{status}/{run_id}", "jobs")
    def complete_job(self, id: int, status: JobStatus, run_id: int, result: Result) -> Job:
        """Say how a job ended; what waited for it moves on."""

    @operation("POST", "/workflows/{id}/batch_complete_jobs", "jobs")
    def batch_complete_jobs(self, id: int, batch: a.Completions) -> a.CompletionAnswers:
        """Say how many jobs ended; each is taken or refused by itself."""

    @operation("PUT", "/jobs/{id}/manage_status_change/{status}/{run_id}", "jobs")
    def manage_status_change(self, id: int, status: JobStatus, run_id: int) -> Job:
        """Set a status by hand."""

    @operation("POST", "/jobs/{id}/retry/{run_id}", "jobs")
    def retry_job(self, id: int, run_id: int, max_retries: int) -> Job:
        """Make a job ready again with the next attempt number."""


OPERATIONS: dict[str, Operation] = all_operations(Service, a.Deleted)
