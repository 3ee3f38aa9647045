"""What a storage does: keep rows of records. It knows kinds and columns, never what a job is.

One owner uses a storage, from one thread at a time; it makes every decision in memory and stores what came of it, so a
storage needs no locks and no logic of its own. Values are in stored form: whole numbers, floats, text and None, with
everything else as JSON text (``records.record.stored``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from torc_core.errors import StorageError, Unsupported
from torc_core.records.record import Record

__all__ = ["WORDS", "Condition", "Row", "Storage", "StorageError", "Where"]

WORDS = ("equal", "one_of", "contains", "after", "inside", "has")
"""What a condition can say; every storage knows all of them and no others.

equal: the field equals the value (None: is null) · one_of: the field is one of a sequence of values, of any length ·
contains: the text field contains the text, whatever the case · after: the field is greater than the value ·
inside: ``field`` is ``column.member``; that member of the JSON object equals the value · has: the JSON list in the
field contains the whole number.
"""


class Condition(NamedTuple):
    """One condition on rows; all conditions of a call must hold."""

    field: str
    word: str
    value: Any


Where = Sequence[Condition]
Row = tuple[Any, ...]


class Storage(ABC):
    """Rows by kind. Everything but ``transaction``, reads and ``close`` happens inside a transaction."""

    scheme: ClassVar[str]
    """The word before the colon in locations of this storage: ``sqlite``."""

    @abstractmethod
    def __init__(self, location: str, *, durable: bool = False, shared_folder: bool = False) -> None:
        """Open (make) the storage and bring its tables to the version of the declared records.

        ``location`` is what follows the scheme. ``durable`` asks that commits survive a power cut, not only the death
        of the process. ``shared_folder`` says that the location is on a network file system whose locks cannot be
        trusted; the caller then vouches that nobody else opens it. Raises StorageError.
        """

    @classmethod
    def in_memory(cls, location: str, *, shared_folder: bool = False) -> Storage:
        """Open a copy in memory of what is at the location, if there is something; ``snapshot`` writes it back.

        Raises StorageError, and Unsupported by storages that have no such form.
        """
        raise Unsupported(f"{cls.scheme} databases cannot be kept in memory", hint="Name a file with --db.")

    def snapshot(self) -> Callable[[], None]:
        """Hold on to the rows of this moment, and return what writes them to the location of a copy in memory.

        That may be called once, later and in another thread. What is at the location stays until all is written.
        """
        raise Unsupported(f"{self.scheme} databases have no snapshots")

    def renew(self) -> bool:
        """Make sure that the rows are this process's own; True when another one may have changed them meanwhile.

        Asked before each read and each transaction, so that what is remembered of rows is then forgotten. A storage
        that cannot lose its rows to others while it is open, as with a file and its owner, has nothing to do. Raises
        Unavailable when another process has them, or nobody can be asked now.
        """
        return False

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """All writes inside are kept, or none. Not nested. Leaving by an exception undoes them.

        When a connection is lost, the Unavailable that is raised has a detail ``outcome``: "not sent" when nothing was
        kept, "unknown" when that could not be found out.
        """

    @abstractmethod
    def next_ids(self, kind: type[Record], count: int) -> int:
        """Return the first of ``count`` consecutive ids that were never used before."""

    @abstractmethod
    def insert(self, kind: type[Record], names: Sequence[str], rows: Iterable[Row]) -> None:
        """Add rows with the columns ``names``, ``id`` among them; others are null.

        Raises Conflict when a unique field is taken and Invalid when a referred record does not exist.
        """

    @abstractmethod
    def rows(
        self,
        kind: type[Record],
        names: Sequence[str],
        where: Where = (),
        *,
        order: str = "id",
        reverse: bool = False,
        offset: int = 0,
        limit: int | None = None,
    ) -> Iterator[Row]:
        """Yield the columns ``names`` of the rows that match; ties by ascending id; null sorts first."""

    @abstractmethod
    def count(self, kind: type[Record], where: Where = ()) -> int:
        """Return how many rows match."""

    @abstractmethod
    def tally(self, kind: type[Record], name: str, where: Where = ()) -> dict[Any, int]:
        """Return how many matching rows have each value of the column ``name``."""

    @abstractmethod
    def update(self, kind: type[Record], changes: dict[str, Any], where: Where) -> int:
        """Set columns of all rows that match; returns how many."""

    @abstractmethod
    def update_each(self, kind: type[Record], names: Sequence[str], rows: Iterable[Row]) -> None:
        """Set the columns ``names`` of single rows; each row is the values and then the id."""

    @abstractmethod
    def delete(self, kind: type[Record], where: Where) -> int:
        """Remove the rows that match and, in every kind, the rows that refer to them with a required field.

        Optional references to them become null. Returns how many of ``kind`` were removed.
        """

    @abstractmethod
    def backup(self, target: Path) -> None:
        """Write a consistent copy that can be opened by itself."""

    @property
    def copy_command(self) -> str:
        """How the database's own tools copy all of it to ``FILE``, without passwords; empty where it has none."""
        return ""

    @abstractmethod
    def close(self) -> None:
        """Let go; twice is fine."""

    def abandon(self) -> None:
        """Let go without writing a byte, for another process owns the location by now; closing it must not follow."""
        self.close()
