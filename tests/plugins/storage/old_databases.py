"""What must be true of a database of an older release after it was opened, whatever the storage."""

import pytest

from torc_core.errors import Conflict
from torc_core.records.resources import FailureHandler, File, Job, Workflow
from torc_core.testing.storage import add, column


def assert_upgraded(storage):
    """The old workflow and job are there, ids are not used again, new columns and unique indexes work."""
    assert list(storage.rows(Workflow, ["id", "name", "user"])) == [(3, "old", "ann")]
    assert list(storage.rows(Job, ["id", "workflow_id", "name", "command", "status"])) == [(7, 3, "a", "true", 5)]
    [handler] = add(storage, FailureHandler, "workflow_id name", (3, "retry"))
    assert add(storage, Job, "workflow_id name failure_handler_id", (3, "c", handler)) == [9]  # 8 was used
    add(storage, File, "workflow_id name", (3, "f"))
    with pytest.raises(Conflict):
        add(storage, File, "workflow_id name", (3, "f"))
    with storage.transaction():
        storage.delete(FailureHandler, [])
    assert column(storage, Job, "failure_handler_id") == [None, None]
