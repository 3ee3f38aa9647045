"""Records that a plugin declares, which may be away now and then."""

from torc_core.records.record import RECORDS, WorkflowPart
from torc_core.records.resources import Workflow
from torc_core.records.values import field
from torc_core.testing.storage import add, column


def assert_table_outlives_absence(opened):
    """Records stay while their plugin is away, those of workflows that are deleted meanwhile go; ``opened`` opens the
    same database each time.
    """

    class Note(WorkflowPart, plural="notes_of_a_test"):
        text: str = field()

    try:
        storage = opened()
        [one, two] = add(storage, Workflow, "name", ("one",), ("two",))
        add(storage, Note, "workflow_id text", (one, "gone with it"), (two, "stays"))
        storage.close()
        del RECORDS[Note.PLURAL]
        storage = opened()
        with storage.transaction():
            storage.delete(Workflow, [("id", "equal", one)])
        storage.close()
        RECORDS[Note.PLURAL] = Note
        storage = opened()
        assert column(storage, Note, "text") == ["stays"]
        assert add(storage, Note, "workflow_id text", (two, "next")) == [3]
        storage.close()
    finally:
        RECORDS.pop(Note.PLURAL, None)
