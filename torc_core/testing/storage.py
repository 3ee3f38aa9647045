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

from torc_core.contracts.storage import Condition, Storage
from torc_core.errors import Conflict, Invalid
from torc_core.records.resources import Event, File, Job, ResourceRequirements, Result, Workflow
from torc_core.status import READY
from torc_core.testing.storage_reads import StorageReads, add, column


class _Left(Exception):
    """Leaves a transaction in a test."""


class StorageSuite(StorageReads):
    """A subclass, with a name that pytest collects, gives ``make``; every test gets a new and empty storage."""

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
