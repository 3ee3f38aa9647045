"""The half of the storage suite that reads: what comes out again, conditions, order and pages."""

# ruff: noqa: D102  (the names of tests are sentences)

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from torc_core.contracts.storage import Condition, Storage, Where
from torc_core.errors import Invalid
from torc_core.records.record import Record
from torc_core.records.resources import Event, File, Job, UserData, Workflow


def add(storage: Storage, kind: type[Record], names: str, *rows: tuple[Any, ...]) -> list[int]:
    """Add rows with the columns ``names`` in one transaction and return their ids."""
    with storage.transaction():
        first = storage.next_ids(kind, len(rows))
        storage.insert(kind, ["id", *names.split()], [(first + i, *row) for i, row in enumerate(rows)])
    return list(range(first, first + len(rows)))


def column(storage: Storage, kind: type[Record], name: str, where: Where = (), **page: Any) -> list[Any]:
    """Return one column of the rows that match."""
    return [value for (value,) in storage.rows(kind, [name], where, **page)]


class StorageReads:
    """How a storage is opened, and what reading it promises; see ``storage.StorageSuite``."""

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
