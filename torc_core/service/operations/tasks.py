"""Long operations that go on after their request was answered."""

from torc_core.operations import operation
from torc_core.records import answers as a
from torc_core.records.answers.tasks import ActiveTask
from torc_core.records.tasks import Task


class TaskOperations:
    """Long operations that go on after their request was answered; at most one of a workflow."""

    @operation("POST", "/workflows/{id}/tasks/initialize_jobs", "tasks")
    def start_initialize_jobs(
        self, id: int, only_uninitialized: bool = False, clear_ephemeral_user_data: bool = False
    ) -> Task:
        """Begin ``initialize_jobs``; while it goes on, the same request is answered with the same task.

        Conflict, with ``existing_task_id`` and ``existing_operation``, while another one goes on.
        """

    @operation("POST", "/workflows/{id}/tasks/begin_run", "tasks")
    def start_begin_run(
        self, id: int, found: a.FileTimes, again: bool = False, force: bool = False, only_reset: bool = False
    ) -> Task:
        """Begin ``begin_run``, whose checks are made at once; else like ``start_initialize_jobs``."""

    @operation("GET", "/workflows/{id}/active_task", "workflows")
    def get_active_task_for_workflow(self, id: int) -> ActiveTask:
        """Say which task of a workflow goes on, if any."""
