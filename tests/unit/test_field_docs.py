"""Every field of a record says what it is: options, columns and the API document are made of that."""

import pytest

from torc_core.records.record import RECORDS
from torc_core.records.resources import NodeResources

OWN = {"id", "workflow_id"}
"""Fields that all records have."""
KINDS = [*RECORDS.values(), NodeResources]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_field_is_explained_by_its_name_alone(kind):
    bare = {
        name
        for name, f in kind.FIELDS.items()
        if name not in OWN and f.doc.lower().replace(" ", "_") in ("", name)
    }  # fmt: skip
    assert bare == set()


def test_texts_fit_behind_a_name_as_others_do():
    """They begin small, unless with a name or an abbreviation, and end without a stop."""
    docs = {f.doc for kind in KINDS for f in kind.FIELDS.values() if f.doc}
    assert [doc for doc in docs if doc.endswith(".")] == []
    words = {doc.split()[0] for doc in docs}
    assert {word for word in words if word[0].isupper() and word[1:].islower()} <= {"Slurm's", "Slurm", "Torc"}
