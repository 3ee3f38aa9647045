"""A stored resource: a value with a table, an id, usually a workflow, and filters for lists."""

import enum
import json
from collections.abc import Callable
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar, get_origin

from torc_core.records.values import Field, Json, Value, field

R = TypeVar("R", bound="Record")
V = TypeVar("V", bound=Value)
MAX_LIMIT = 100_000
ALL_VERBS = ("create", "get", "find", "update", "delete", "delete_all")
RECORDS: dict[str, type["Record"]] = {}
"""Every kind of record by its plural name, in the order of declaration (parents first)."""


class Filter(NamedTuple):
    """A filter of lists that is not simply "field equals value"; ``how`` is one of the words in ``storage.WORDS`` or
    one that the service resolves first (``service/filters.py``).
    """

    name: str
    type: Any
    how: str
    field: str = ""
    default: Any = None


class Record(Value):
    """Base of all stored resources; class keywords say what cannot be seen from the fields."""

    PLURAL: ClassVar[str] = ""
    SINGULAR: ClassVar[str] = ""
    FILTERS: ClassVar[dict[str, Filter]] = {}
    VERBS: ClassVar[tuple[str, ...]] = ()
    UNIQUE: ClassVar[tuple[str, ...]] = ()
    INDEXES: ClassVar[tuple[str, ...]] = ()
    SORTED_BY: ClassVar[str] = "id"

    id: int = field("given by the service, ascending, never used again", default=0, read_only=True)

    def __init_subclass__(
        cls,
        plural: str = "",
        singular: str = "",
        verbs: str = " ".join(ALL_VERBS),
        filters: tuple[Filter, ...] = (),
        unique: tuple[str, ...] = (),
        indexes: tuple[str, ...] = (),
        sorted_by: str = "id",
        wire: str = "",
    ) -> None:
        """Register the kind; the fields in ``unique`` are unique together, an index has comma-separated fields.

        Lists are in the order of the field ``sorted_by`` unless asked otherwise.
        """
        super().__init_subclass__(wire=wire or f"{cls.__name__}Model")
        if not plural:
            return  # an intermediate base such as WorkflowPart
        cls.PLURAL = plural
        cls.SINGULAR = singular or plural.removesuffix("s")
        cls.VERBS = tuple(verbs.split())
        cls.UNIQUE = unique
        cls.INDEXES = indexes
        cls.SORTED_BY = sorted_by
        equal = (Filter(f.name, f.type, "equal", f.name) for f in cls.FIELDS.values() if f.filter)
        cls.FILTERS = {f.name: f for f in (*equal, *filters)}
        RECORDS[plural] = cls

    @classmethod
    def title(cls) -> str:
        """Return what messages call such a record: ``resource requirements``."""
        return cls.SINGULAR.replace("_", " ") or super().title()


class WorkflowPart(Record):
    """A record that belongs to a workflow and goes with it."""

    workflow_id: int = field("the workflow it belongs to", refers="workflows")


class Page(Generic[V]):
    """One page of a list."""

    def __init__(self, items: list[V], total_count: int, offset: int = 0, limit: int = MAX_LIMIT) -> None:
        self.items = items
        self.total_count = total_count
        self.offset = offset
        self.limit = limit

    @property
    def has_more(self) -> bool:
        """Whether another page follows."""
        return self.offset + len(self.items) < self.total_count

    def wire(self) -> dict[str, Any]:
        """Return the JSON object of a list answer."""
        return {
            "items": self.items,
            "offset": self.offset,
            "max_limit": MAX_LIMIT,
            "count": len(self.items),
            "total_count": self.total_count,
            "has_more": self.has_more,
        }


# What storages keep: whole numbers, numbers, text; everything else as JSON text.

ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=lambda value: value.wire())
_SCALARS = {int: "INTEGER", bool: "INTEGER", float: "REAL", str: "TEXT"}


def stored_type(f: Field) -> str:
    """Return INTEGER, REAL or TEXT for the column of a field."""
    return _SCALARS.get(f.type) or ("INTEGER" if hasattr(f.type, "number") else "TEXT")


def stored(f: Field, value: Any) -> Any:
    """Return ``value`` of field ``f`` the way storages keep it; the inverse of ``loader``."""
    if value is None or f.type in (str, int, float):
        return value
    if f.type is bool:
        return int(value)
    if isinstance(value, enum.Enum):
        return value.number if hasattr(value, "number") else value.value
    return ENCODER.encode(value)


def loader(f: Field) -> Callable[[Any], Any] | None:
    """Return the function that turns a kept value (not None) into the field's, or None when it is the same."""
    kind = f.type
    if kind in (str, int, float):
        return None
    if kind is bool:
        return bool
    if kind is Json or get_origin(kind) in (list, dict):
        return json.loads
    if issubclass(kind, enum.Enum):
        return list(kind).__getitem__ if hasattr(kind, "number") else kind
    value_kind: type[Value] = kind
    return lambda text: value_kind.of(json.loads(text))


def row_reader(kind: type[R], with_links: bool = True) -> Callable[[tuple[Any, ...]], R]:
    """Return the function that makes a record of a row with all loaded columns; written out once per kind."""
    name = "_row_reader" if with_links else "_plain_row_reader"
    reader: Callable[[tuple[Any, ...]], R] | None = kind.__dict__.get(name)
    if reader is None:
        parts: list[str] = []
        known: dict[str, Any] = {"of": kind.of}
        for i, f in enumerate(loaded_fields(kind, with_links)):
            load, text = loader(f), f"row[{i}]"
            if load is not None:
                known[f"load{i}"] = load
                text = f"None if {text} is None else load{i}({text})"
            parts.append(f"{f.name!r}: {text}")
        reader = eval(f"lambda row: of({{{', '.join(parts)}}})", known)  # noqa: S307  (our own field names)
        setattr(kind, name, reader)
    assert reader is not None
    return reader


def loaded_fields(kind: type[Record], with_links: bool = True) -> list[Field]:
    """Return the fields that reading a record loads: all but the internal ones, and links only when wanted."""
    return [f for f in kind.FIELDS.values() if not f.internal and (with_links or not f.links)]
