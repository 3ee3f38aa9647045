"""What every storage promises, as tests that a plugin's author can run.

class TestPostgres(StorageSuite):
    def make(self, tmp_path):
        return PostgresStorage(...)
"""

# ruff: noqa: D102  (the names of tests are sentences)

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from torc_core.contracts.storage import Condition, Storage, Where
from torc_core.errors import Conflict, Invalid
from torc_core.records.record import Record
from torc_core.records.resources import Event, File, Job, ResourceRequirements, Result, UserData, Workflow
from torc_core.status import READY


def add(storage: Storage, kind: type[Record], names: str, *rows: tuple[Any, ...]) -> list[int]:
    """Add rows with the columns ``names`` in one transaction and return their ids."""
    with storage.transaction():
        first = storage.next_ids(kind, len(rows))
        storage.insert(kind, ["id", *names.split()], [(first + i, *row) for i, row in enumerate(rows)])
    return list(range(first, first + len(rows)))


def column(storage: Storage, kind: type[Record], name: str, where: Where = (), **page: Any) -> list[Any]:
    """Return one column of the rows that match."""
    return [value for (value,) in storage.rows(kind, [name], where, **page)]


class _Left(Exception):
    """Leaves a transaction in a test."""


class StorageSuite:
    """A subclass, with a name that pytest collects, gives ``make``; every test gets a new and empty storage."""

    persistent = True
    """Whether a closed storage still has its rows when ``make`` opens it again in the same folder."""

    def make(self, tmp_path: Path) -> Storage:
        """Open the storage of this folder."""
        raise NotImplementedError

    def open_copy(self, storage: Storage, target: Path) -> Storage:
        """Open what ``storage`` wrote as a backup."""
        return type(storage)(str(target))

    @pytest.fixture
    def storage(self, tmp_path: Path) -> Iterator[Storage]:
        """Give an open storage without any rows."""
        storage = self.make(tmp_path)
        yield storage
        storage.close()

    @pytest.fixture
    def workflow(self, storage: Storage) -> int:
        """Give the id of a workflow that parts can refer to."""
        return add(storage, Workflow, "name", ("first",))[0]

    # what is put in comes out

    def test_columns_come_back_in_the_order_asked_for_and_the_others_are_null(
        self, storage: Storage, workflow: int
    ) -> None:
        add(storage, Job, "command workflow_id name", ("true", workflow, "a"))
        assert list(storage.rows(Job, ["name", "env", "command"])) == [("a", None, "true")]

    @pytest.mark.parametrize("text", ["", "Grüße 数据 🚀", 'it\'s "quoted"; -- no comment', "two\nlines\ttab", "%_\\"])
    def test_any_text_is_kept(self, storage: Storage, workflow: int, text: str) -> None:
        [job] = add(storage, Job, "workflow_id name command", (workflow, text, text))
        assert list(storage.rows(Job, ["id", "command"], [Condition("name", "equal", text)])) == [(job, text)]

    @pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 0, 2**53 + 1])
    def test_64_bit_numbers_are_exact(self, storage: Storage, workflow: int, number: int) -> None:
        [event] = add(storage, Event, "workflow_id timestamp data", (workflow, number, "{}"))
        for condition in (Condition("timestamp", "equal", number), Condition("timestamp", "one_of", [number])):
            assert list(storage.rows(Event, ["id", "timestamp"], [condition])) == [(event, number)]

    def test_floats_are_exact_and_stay_floats(self, storage: Storage, workflow: int) -> None:
        add(storage, File, "workflow_id name path st_mtime", (workflow, "a", "a", 1700000000.1234567))
        add(storage, File, "workflow_id name path st_mtime", (workflow, "b", "b", 5))
        times = column(storage, File, "st_mtime")
        assert times == [1700000000.1234567, 5.0]
        assert type(times[1]) is float

    def test_json_text_is_not_interpreted(self, storage: Storage, workflow: int) -> None:
        texts = ["5", "1.50", "true", "null", '{"b": 1, "a":[ ]}']
        add(storage, UserData, "workflow_id name data", *((workflow, text, text) for text in texts))
        assert column(storage, UserData, "data") == texts

    # conditions

    @pytest.fixture
    def jobs(self, storage: Storage, workflow: int) -> list[int]:
        """Give four jobs with different names, priorities and links."""
        return add(
            storage,
            Job,
            "workflow_id name command priority compute_node_id input_file_ids",
            (workflow, "Train_1", "python train.py", 3, None, "[1,12]"),
            (workflow, "train%2", "python train.py", 0, 7, "[2]"),
            (workflow, "évaluer", "true", 3, 8, "[12]"),
            (workflow, "last", "true", 1, None, None),
        )

    @pytest.mark.parametrize(
        ("field", "word", "value", "matching"),
        [
            ("priority", "equal", 3, [0, 2]),
            ("priority", "equal", 2, []),
            ("name", "equal", "last", [3]),
            ("name", "equal", "LAST", []),
            ("compute_node_id", "equal", None, [0, 3]),
            ("compute_node_id", "equal", 7, [1]),
            ("priority", "one_of", [0, 1, 99], [1, 3]),
            ("priority", "one_of", [3, 3], [0, 2]),
            ("priority", "one_of", [], []),
            ("name", "one_of", ("évaluer", "last"), [2, 3]),
            ("compute_node_id", "one_of", [7, None], [0, 1, 3]),
            ("compute_node_id", "one_of", [7], [1]),
            ("name", "contains", "train", [0, 1]),
            ("name", "contains", "IN%", [1]),
            ("name", "contains", "n_1", [0]),
            ("name", "contains", "ÉVAL", [2]),
            ("name", "contains", "", [0, 1, 2, 3]),
            ("invocation_script", "contains", "", []),
            ("priority", "after", 1, [0, 2]),
            ("priority", "after", 3, []),
            ("compute_node_id", "after", 0, [1, 2]),
            ("name", "after", "last", [1, 2]),
            ("input_file_ids", "has", 1, [0]),
            ("input_file_ids", "has", 2, [1]),
            ("input_file_ids", "has", 12, [0, 2]),
            ("input_file_ids", "has", 3, []),
        ],
    )
    def test_a_condition_means_what_its_word_says(
        self, storage: Storage, jobs: list[int], field: str, word: str, value: Any, matching: list[int]
    ) -> None:
        where = [Condition(field, word, value)]
        assert column(storage, Job, "id", where) == [jobs[i] for i in matching]
        assert storage.count(Job, where) == len(matching)

    @pytest.mark.parametrize(
        ("member", "value", "matching"),
        [
            ("category", "job", [0]),
            ("category", "jo", []),
            ("category", 5, [1]),
            ("category", 1, [2]),
            ("category", None, [3, 4, 5]),
            ("odd.name with 'quotes'", 0.5, [3]),
            ("missing", "job", []),
        ],
    )
    def test_inside_looks_at_one_member_of_an_object(
        self, storage: Storage, workflow: int, member: str, value: Any, matching: list[int]
    ) -> None:
        texts = [
            '{"category":"job","other":5}',
            '{"category":5}',
            '{"category":true,"other":"job"}',
            "{\"odd.name with 'quotes'\":0.5}",
            '["category"]',
            None,
        ]
        events = add(storage, Event, "workflow_id data", *((workflow, text) for text in texts))
        found = column(storage, Event, "id", [Condition(f"data.{member}", "inside", value)])
        assert found == [events[i] for i in matching]

    def test_all_conditions_of_a_call_hold(self, storage: Storage, jobs: list[int]) -> None:
        where = [Condition("priority", "equal", 3), Condition("command", "contains", "PYTHON")]
        assert column(storage, Job, "id", where) == [jobs[0]]

    def test_one_of_takes_a_hundred_thousand_values(self, storage: Storage, jobs: list[int]) -> None:
        ids = [Condition("id", "one_of", range(jobs[1], jobs[1] + 100_000))]
        assert column(storage, Job, "id", ids) == jobs[1:]
        names = [Condition("name", "one_of", [f"train%{i}" for i in range(100_000)])]
        assert column(storage, Job, "id", names) == [jobs[1]]

    def test_a_field_or_a_word_that_does_not_exist_is_refused(self, storage: Storage, jobs: list[int]) -> None:
        with pytest.raises(Invalid, match="nonsense"):
            column(storage, Job, "id", [Condition("nonsense", "equal", 1)])
        with pytest.raises(Invalid, match="below"):
            column(storage, Job, "id", [Condition("priority", "below", 1)])
        with pytest.raises(Invalid, match="nonsense"):
            column(storage, Job, "id", order="nonsense")

    # order and pages

    def test_ties_are_broken_by_ascending_id_in_both_directions(self, storage: Storage, jobs: list[int]) -> None:
        a, b, c, d = jobs  # priorities 3 0 3 1
        assert column(storage, Job, "id", order="priority") == [b, d, a, c]
        assert column(storage, Job, "id", order="priority", reverse=True) == [a, c, d, b]
        assert column(storage, Job, "id", reverse=True) == [d, c, b, a]

    def test_ties_are_broken_by_id_also_where_an_index_has_another_order(self, storage: Storage, workflow: int) -> None:
        names = [f"job {i:02}" for i in range(30, 0, -1)]
        jobs = add(storage, Job, "workflow_id name priority", *((workflow, name, 1) for name in names))
        where = [Condition("workflow_id", "equal", workflow), Condition("name", "one_of", sorted(names))]
        assert column(storage, Job, "id", where, order="priority") == jobs
        assert column(storage, Job, "id", where, order="priority", reverse=True) == jobs
        assert column(storage, Job, "id", where) == jobs

    def test_null_is_before_every_value(self, storage: Storage, jobs: list[int]) -> None:
        a, b, c, d = jobs  # compute nodes null 7 8 null
        assert column(storage, Job, "id", order="compute_node_id") == [a, d, b, c]
        assert column(storage, Job, "id", order="compute_node_id", reverse=True) == [c, b, a, d]

    def test_text_is_ordered_by_code_point(self, storage: Storage, jobs: list[int]) -> None:
        assert column(storage, Job, "name", order="name") == ["Train_1", "last", "train%2", "évaluer"]

    @pytest.mark.parametrize(
        ("offset", "limit", "page"),
        [(0, None, [0, 1, 2, 3]), (1, 2, [1, 2]), (3, 5, [3]), (2, None, [2, 3]), (0, 0, []), (9, 1, [])],
    )
    def test_a_page_is_cut_after_ordering(
        self, storage: Storage, jobs: list[int], offset: int, limit: int | None, page: list[int]
    ) -> None:
        assert column(storage, Job, "id", offset=offset, limit=limit) == [jobs[i] for i in page]

    def test_rows_come_however_many_there_are(self, storage: Storage, workflow: int) -> None:
        events = add(storage, Event, "workflow_id data", *((workflow, str(i)) for i in range(5_000)))
        assert column(storage, Event, "id") == events

    def test_tally_counts_every_value(self, storage: Storage, jobs: list[int]) -> None:
        assert storage.tally(Job, "priority") == {3: 2, 0: 1, 1: 1}
        assert storage.tally(Job, "compute_node_id") == {None: 2, 7: 1, 8: 1}
        assert storage.tally(Job, "priority", [Condition("command", "equal", "true")]) == {3: 1, 1: 1}

    # writes

    def test_update_changes_the_rows_that_match_and_says_how_many(self, storage: Storage, jobs: list[int]) -> None:
        with storage.transaction():
            changed = storage.update(Job, {"status": READY, "env": None}, [Condition("priority", "equal", 3)])
            none = storage.update(Job, {"status": READY}, [Condition("priority", "equal", 99)])
        assert (changed, none) == (2, 0)
        assert column(storage, Job, "status") == [READY, None, READY, None]
        assert column(storage, Job, "priority") == [3, 0, 3, 1]

    def test_update_each_gives_every_row_its_own_values(self, storage: Storage, jobs: list[int]) -> None:
        with storage.transaction():
            storage.update_each(Job, ["priority", "origin"], iter([(8, "x", jobs[2]), (9, None, jobs[0])]))
        assert list(storage.rows(Job, ["priority", "origin"])) == [(9, None), (0, None), (8, "x"), (1, None)]

    def test_reads_see_the_writes_of_the_open_transaction(self, storage: Storage, workflow: int) -> None:
        with storage.transaction():
            storage.insert(Event, ["id", "workflow_id", "data"], [(5, workflow, "1")])
            assert column(storage, Event, "id") == [5]

    def test_an_exception_undoes_the_whole_transaction(self, storage: Storage, workflow: int, jobs: list[int]) -> None:
        everything = [list(storage.rows(kind, list(kind.FIELDS))) for kind in (Workflow, Job, Event)]
        with pytest.raises(_Left), storage.transaction():
            storage.insert(Event, ["id", "workflow_id", "data"], [(1, workflow, "1")])
            storage.update(Job, {"priority": 77}, [])
            storage.insert(File, ["id", "workflow_id", "name"], [(1, workflow, "other")])
            storage.update_each(Job, ["name"], [("other", jobs[0])])
            storage.delete(Job, [Condition("id", "equal", jobs[1])])
            storage.delete(Workflow, [])
            raise _Left
        assert [list(storage.rows(kind, list(kind.FIELDS))) for kind in (Workflow, Job, Event)] == everything
        add(storage, File, "workflow_id name", (workflow, "other"))  # and what must be unique is free again

    def test_rows_that_fail_while_they_are_made_are_not_kept(self, storage: Storage, workflow: int) -> None:
        def made() -> Iterator[tuple[Any, ...]]:
            yield 1, workflow, "1"
            raise _Left

        with pytest.raises(_Left), storage.transaction():
            storage.insert(Event, ["id", "workflow_id", "data"], made())
        assert storage.count(Event) == 0

    # ids

    def test_ids_are_consecutive_and_each_kind_has_its_own(self, storage: Storage) -> None:
        with storage.transaction():
            assert storage.next_ids(Job, 3) == 1
            assert storage.next_ids(Job, 1) == 4
            assert storage.next_ids(File, 1) == 1

    def test_ids_are_not_used_again_after_their_rows_are_gone(
        self, storage: Storage, workflow: int, tmp_path: Path
    ) -> None:
        events = add(storage, Event, "workflow_id data", (workflow, "1"), (workflow, "2"))
        with storage.transaction():
            storage.insert(Event, ["id", "workflow_id", "data"], [(41, workflow, "3")])
        with storage.transaction():
            storage.delete(Event, [])
            assert storage.next_ids(Event, 1) == 42 > events[-1]
        if self.persistent:
            storage.close()
            storage = self.make(tmp_path)
        assert add(storage, Event, "workflow_id data", (workflow, "4")) == [43]
        storage.close()

    # uniqueness and references

    @pytest.fixture
    def files(self, storage: Storage, workflow: int) -> list[int]:
        """Give two files, whose names are unique in their workflow."""
        return add(storage, File, "workflow_id name", (workflow, "first"), (workflow, "last"))

    def test_what_must_be_unique_is_refused_twice(self, storage: Storage, workflow: int, files: list[int]) -> None:
        with pytest.raises(Conflict, match="last") as caught:
            add(storage, File, "workflow_id name", (workflow, "new"), (workflow, "last"))
        assert caught.value.details["field"] == "name"
        assert caught.value.details["value"] == "last"
        assert "file" in str(caught.value)
        with pytest.raises(Conflict), storage.transaction():
            storage.update(File, {"name": "last"}, [Condition("id", "equal", files[0])])
        with pytest.raises(Conflict), storage.transaction():
            storage.update_each(File, ["name"], [("last", files[0])])
        with pytest.raises(Conflict), storage.transaction():
            storage.insert(Event, ["id", "workflow_id", "data"], [(1, workflow, "1"), (1, workflow, "2")])
        assert column(storage, File, "name") == ["first", "last"]
        assert storage.count(Event) == 0

    def test_a_name_is_free_in_another_workflow_and_after_its_row_is_gone(
        self, storage: Storage, workflow: int
    ) -> None:
        [other] = add(storage, Workflow, "name", ("second",))
        [file, _] = add(storage, File, "workflow_id name", (workflow, "a"), (other, "a"))
        with storage.transaction():
            storage.update(File, {"name": "a"}, [Condition("id", "equal", file)])  # its own name is no conflict
            storage.delete(File, [Condition("id", "equal", file)])
        add(storage, File, "workflow_id name", (workflow, "a"))

    def test_unique_together_means_all_fields_and_nulls_differ(self, storage: Storage, workflow: int) -> None:
        [job] = add(storage, Job, "workflow_id name", (workflow, "a"))
        attempts = [(workflow, job, 1, 1), (workflow, job, 1, 2), (workflow, job, 2, 1)]
        add(storage, Result, "workflow_id job_id run_id attempt_id", *attempts)
        add(storage, Result, "workflow_id job_id run_id", (workflow, job, 3), (workflow, job, 3))
        with pytest.raises(Conflict):
            add(storage, Result, "workflow_id job_id run_id attempt_id", (workflow, job, 1, 2))

    def test_a_reference_to_nothing_is_refused(self, storage: Storage, workflow: int, jobs: list[int]) -> None:
        with pytest.raises(Invalid, match="99") as caught:
            add(storage, Job, "workflow_id name resource_requirements_id", (workflow, "b", None), (workflow, "c", 99))
        assert caught.value.details["field"] == "resource_requirements_id"
        with pytest.raises(Invalid, match="workflow_id"):
            add(storage, File, "workflow_id name", (workflow + 1, "f"))
        with pytest.raises(Invalid), storage.transaction():
            storage.update(Job, {"failure_handler_id": 3}, [Condition("id", "equal", jobs[0])])
        assert storage.count(Job) == len(jobs)

    def test_a_reference_may_be_to_a_row_of_the_same_transaction(self, storage: Storage) -> None:
        with storage.transaction():
            storage.insert(Workflow, ["id", "name"], [(6, "w")])
            storage.insert(File, ["id", "workflow_id", "name"], [(1, 6, "f")])
        assert column(storage, File, "workflow_id") == [6]

    def test_delete_takes_along_what_cannot_be_without(self, storage: Storage, workflow: int) -> None:
        [other] = add(storage, Workflow, "name", ("second",))
        gone, kept = add(storage, Job, "workflow_id name", (workflow, "a"), (other, "a"))
        add(storage, Result, "workflow_id job_id run_id", (workflow, gone, 1), (other, kept, 1))
        with storage.transaction():
            assert storage.delete(Workflow, [Condition("id", "equal", workflow)]) == 1
        assert column(storage, Workflow, "id") == [other]
        assert column(storage, Job, "id") == [kept]
        assert column(storage, Result, "job_id") == [kept]

    def test_delete_clears_optional_references(self, storage: Storage, workflow: int) -> None:
        small, large = add(storage, ResourceRequirements, "workflow_id name", (workflow, "small"), (workflow, "large"))
        add(
            storage, Job, "workflow_id name resource_requirements_id", (workflow, "a", small), (workflow, "b", large)
        )  # fmt: skip
        with storage.transaction():
            assert storage.delete(ResourceRequirements, [Condition("name", "equal", "small")]) == 1
        assert list(storage.rows(Job, ["name", "resource_requirements_id"])) == [("a", None), ("b", large)]

    def test_delete_without_conditions_removes_all(self, storage: Storage, jobs: list[int]) -> None:
        with storage.transaction():
            assert storage.delete(Job, []) == 4
        assert storage.count(Job) == 0

    def test_after_a_failed_write_the_next_transaction_works(
        self, storage: Storage, workflow: int, files: list[int]
    ) -> None:
        with pytest.raises(Conflict):
            add(storage, File, "workflow_id name", (workflow, "new"), (workflow, "last"))
        add(storage, File, "workflow_id name", (workflow, "new"))
        assert column(storage, File, "name", order="id") == ["first", "last", "new"]

    # the life of a storage

    def test_a_backup_has_all_rows_and_opens_by_itself(self, storage: Storage, jobs: list[int], tmp_path: Path) -> None:
        target = tmp_path / "copies" / "backup of today"
        target.parent.mkdir()
        storage.backup(target)
        with storage.transaction():
            storage.delete(Job, [])
            used = storage.next_ids(Job, 1)
        storage.backup(target)  # over the older copy, and again
        storage.backup(tmp_path / "second")
        assert [path.name for path in target.parent.iterdir()] == [target.name]
        copy = self.open_copy(storage, target)
        assert column(copy, Workflow, "name") == ["first"]
        assert column(copy, Job, "id") == []
        with copy.transaction():
            assert copy.next_ids(Job, 1) == used + 1
        copy.close()

    def test_rows_are_there_after_opening_again(
        self, storage: Storage, jobs: list[int], files: list[int], tmp_path: Path
    ) -> None:
        if not self.persistent:
            pytest.skip("this storage forgets when it is closed")
        kept = list(storage.rows(Job, list(Job.FIELDS)))
        storage.close()
        again = self.make(tmp_path)
        assert list(again.rows(Job, list(Job.FIELDS))) == kept
        with pytest.raises(Conflict), again.transaction():
            again.update(File, {"name": "last"}, [Condition("id", "equal", files[0])])
        again.close()

    def test_closing_twice_is_fine(self, storage: Storage) -> None:
        storage.close()
        storage.close()
