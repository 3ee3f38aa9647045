"""Every field of a record or an answer says what it is: options, columns and the API document are made of that."""

import pytest

import torc_core.service.api  # noqa: F401  (which knows every record and answer)
from torc_core.records import answers
from torc_core.records.record import RECORDS
from torc_core.records.resources import NodeResources
from torc_core.records.values import Value

OWN = {"id", "workflow_id"}
"""Fields that all records have."""
ANSWERS = [kind for kind in Value.__subclasses__() if kind.__module__.startswith(answers.__name__)]
KINDS = [*RECORDS.values(), NodeResources, *ANSWERS]


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
