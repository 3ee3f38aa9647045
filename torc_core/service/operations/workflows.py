"""Workflows as a whole: made, looked at, canceled, archived."""

from torc_core.operations import operation
from torc_core.records import answers as a
from torc_core.records.resources import Workflow


class WorkflowOperations:
    """Workflows as a whole: made, looked at, canceled, archived."""

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
    def archive_workflow(self, id: int, request: a.Archiving) -> Workflow:
        """Hide a finished workflow from lists, or show it again."""

    @operation("GET", "/workflows/{id}/is_complete", "workflows")
    def is_workflow_complete(self, id: int) -> a.Completeness:
        """Say whether every job has ended, or the workflow is canceled."""

    @operation("GET", "/workflows/{id}/is_uninitialized", "workflows")
    def is_workflow_uninitialized(self, id: int) -> a.Uninitialized:
        """Say whether no job has been initialized."""

    @operation("GET", "/workflows/{id}/changes", "workflows")
    def wait_for_change(self, id: int, version: int = 0, wait_seconds: float = 0.0) -> a.Change:
        """Answer when the workflow's state is newer than ``version``, or when the wait is over."""

    @operation("POST", "/workflows/{id}/correct_requirements", "workflows")
    def correct_requirements(self, id: int, corrections: a.RequirementsChanges) -> a.CorrectedRequirements:
        """Change requirements, or give some jobs requirements of their own; all changes or none."""
