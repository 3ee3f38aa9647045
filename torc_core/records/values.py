"""What a value holds, said once: names, types, meaning, rules. Reading, checking and writing follow from it.

Modules that declare values do not use ``from __future__ import annotations``: annotations are then types, not text.
"""

import enum
import re
import sys
from collections.abc import Callable
from types import NoneType, UnionType
from typing import Any, ClassVar, NamedTuple, Self, dataclass_transform, get_args, get_origin

from torc_core.contracts.formats import Plain
from torc_core.errors import Invalid
from torc_core.problems import Path, Problem, did_you_mean, dotted

Json = Any
"""Any JSON value."""


class _Required(enum.Enum):
    REQUIRED = "required"


REQUIRED: Any = _Required.REQUIRED
_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", dict: "a mapping"}
_NUMERALS = {_WORDS[int]: re.compile(r"-?[0-9]+"), _WORDS[float]: re.compile(r"-?[0-9]+(\.[0-9]+)?")}
_A_LIST = "a list"
_LONGEST_SHOWN = 60
_INT64 = 2**63
Trail = tuple[Any, Any] | None
"""A path as it is built while reading: (trail of the container, key); made into a Path only for a problem."""
Reader = Callable[[Any, Trail, list[Problem]], Any]


class Field(NamedTuple):
    """One field of a value; ``field`` makes it, the class fills in name and type."""

    doc: str = ""
    default: Any = REQUIRED
    filter: bool = False  # lists can be narrowed by it
    check: Callable[[Any], object] | None = None  # raises ValueError with the reason
    links: str = ""  # the list holds ids of records of that kind
    refers: str = ""  # the id of one record of that kind
    mentions: str = ""  # the same, of one of these kinds, kept when that record is gone; 0 is none
    internal: bool = False  # stored, never on the wire, and not loaded with the record
    beside: bool = False  # stored and loaded with the record, never on the wire
    read_only: bool = False  # the service's business
    cleared_by_null: bool = False  # in updates; elsewhere null is "unchanged"
    since: str = ""  # first API release that has it
    until: str = ""  # first API release without it
    template: bool = False  # parameter tokens are replaced in it (specs)
    name: str = ""
    type: Any = Any
    optional: bool = False


def field(doc: str = "", *, default: Any = REQUIRED, **rules: Any) -> Any:
    """Describe a field; without a default it is required. ``rules`` are the other members of Field."""
    return Field(doc, default, **rules)


def own_annotations(cls: type) -> dict[str, Any]:
    """Return the annotations written in the body of ``cls``, without those of its bases."""
    if sys.version_info >= (3, 14):  # there they are made when asked for, and never inherited
        return dict(cls.__annotations__)
    return dict(cls.__dict__.get("__annotations__", {}))


def path_of(trail: Trail) -> Path:
    """Return the path that a trail stands for."""
    parts: list[str | int] = []
    while trail is not None:
        trail, part = trail
        parts.append(part)
    return tuple(reversed(parts))


def reader(kind: Any) -> Reader:
    """Return the function that checks a JSON value against the type ``kind``."""
    kind = bare(kind)
    origin = get_origin(kind)
    if origin is list:
        return _list_reader(reader(get_args(kind)[0]))
    if origin is dict:
        return _dict_reader(reader(get_args(kind)[1]))
    if kind is Any:
        return lambda found, trail, problems: typed(found)
    if issubclass(kind, Value):
        read_value: Reader = kind.read_at
        return read_value
    if issubclass(kind, enum.Enum):
        return _enum_reader(kind)
    return _scalar_reader(kind)


def bare(kind: Any) -> Any:
    """Return ``int`` for ``int | None``."""
    if get_origin(kind) is UnionType:
        return next(k for k in get_args(kind) if k is not NoneType)
    return kind


def typed(found: Any) -> Any:
    """Return a free-form value with every Plain scalar replaced by what it reads as; other values are kept."""
    kind = type(found)
    if kind is Plain:
        return found.value
    if kind is dict:
        return {key: typed(value) for key, value in found.items()}
    if kind is list:
        return [typed(item) for item in found]
    return found


def _mismatch(problems: list[Problem], trail: Trail, expected: str, found: Any) -> None:
    text = found if isinstance(found, str) else _short(found)
    message, hint = f"expected {expected}, found {_short(found)}", _mend(expected, found)
    problems.append(Problem("type", message, path_of(trail), hint=hint, found=text))


def _mend(expected: str, found: Any) -> str:
    """Return what to write instead of a text that is right but for its form, else nothing."""
    if type(found) is not str or len(found) > _LONGEST_SHOWN:
        return ""
    if expected == _WORDS[bool]:
        return "Write it without quotes." if found in ("true", "false") else ""
    if expected in (_WORDS[int], _WORDS[float]):
        return "Write it without quotes." if _NUMERALS[expected].fullmatch(found) else ""
    return f'Write ["{found}"].' if expected == _A_LIST and found and '"' not in found else ""


def _short(found: Any) -> str:
    if isinstance(found, dict):
        return "a mapping"
    if isinstance(found, list):
        return "a list"
    if found is None or isinstance(found, bool):
        return {None: "null", True: "true", False: "false"}[found]
    text = found if isinstance(found, Plain) else repr(found)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


def _list_reader(read_item: Reader) -> Reader:
    def read(found: Any, trail: Trail, problems: list[Problem]) -> Any:
        if type(found) is list:
            return [read_item(item, (trail, i), problems) for i, item in enumerate(found)]
        _mismatch(problems, trail, _A_LIST, found)
        return []

    return read


def _dict_reader(read_item: Reader) -> Reader:
    def read(found: Any, trail: Trail, problems: list[Problem]) -> Any:
        if type(found) is dict:
            return {key: read_item(item, (trail, key), problems) for key, item in found.items()}
        _mismatch(problems, trail, "a mapping", found)
        return {}

    return read


def _enum_reader(kind: type[enum.Enum]) -> Reader:
    members = {str(member.value): member for member in kind}

    def read(found: Any, trail: Trail, problems: list[Problem]) -> Any:
        if isinstance(found, str) and found in members:
            return members[found]
        hint = did_you_mean(found, members) if isinstance(found, str) else ""
        message = f"expected one of {', '.join(members)}; found {_short(found)}"
        problems.append(Problem("choice", message, path_of(trail), hint=hint, found=str(found)))
        return None

    return read


def _scalar_reader(kind: type) -> Reader:
    def read(found: Any, trail: Trail, problems: list[Problem]) -> Any:
        given = type(found)
        if given is Plain:
            if kind is str:
                return str(found)
            found = found.value
            given = type(found)
        if given is kind:
            if kind is int and not -_INT64 <= found < _INT64:
                problems.append(Problem("range", "the number does not fit 64 bits", path_of(trail), found=str(found)))
            return found
        if kind is float and given is int:
            return found
        _mismatch(problems, trail, _WORDS[kind], found)
        return None

    return read


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
class Value:
    """Something with declared fields that travels as a JSON object.

    Null is the same as absent, which is the same as the default. Fields that were not loaded show their default.
    """

    FIELDS: ClassVar[dict[str, Field]] = {}
    WIRE_NAME: ClassVar[str] = ""
    CLOSED: ClassVar[bool] = False
    _plan: ClassVar[list[tuple[str, Any, Reader, Any, Any, bool]]] = []
    _hidden: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, wire: str = "", closed: bool | None = None) -> None:
        """Complete the declared fields; ``closed`` values refuse unknown members."""
        cls.WIRE_NAME = wire or cls.__name__
        if closed is not None:
            cls.CLOSED = closed
        cls.FIELDS = dict(cls.FIELDS)
        for name, annotation in own_annotations(cls).items():
            if get_origin(annotation) is not ClassVar:
                cls.FIELDS[name] = _complete(name, annotation, cls.__dict__.get(name, REQUIRED))
        for name, f in cls.FIELDS.items():
            setattr(cls, name, None if f.default is REQUIRED else f.default)
        cls._hidden = frozenset(n for n, f in cls.FIELDS.items() if f.internal or f.beside)
        cls._plan = [
            (f.name, f.type, reader(f.type), f.default, f.check, f.cleared_by_null)
            for f in cls.FIELDS.values()
            if not (f.internal or f.beside)
        ]

    def __init__(self, **values: Any) -> None:
        """Take values by name; missing optional fields get their default."""
        unknown = values.keys() - self.FIELDS.keys()
        missing = [n for n, f in self.FIELDS.items() if f.default is REQUIRED and n not in values]
        if unknown or missing:
            raise TypeError(f"{type(self).__name__}: unknown {sorted(unknown)}, missing {missing}")
        self.__dict__.update(values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in vars(self).items())})"

    def __eq__(self, other: object) -> bool:
        """Compare by kind and the values of all fields."""
        return type(self) is type(other) and all(getattr(self, n) == getattr(other, n) for n in self.FIELDS)

    __hash__ = None  # type: ignore[assignment]  # values change

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Return an instance that takes ``values`` over unchecked (stored rows, data already read)."""
        instance = cls.__new__(cls)
        instance.__dict__ = values
        return instance

    @classmethod
    def title(cls) -> str:
        """Return what messages call such a value."""
        return cls.WIRE_NAME

    @classmethod
    def read(cls, data: object) -> Self:
        """Check JSON data and return the value; raises Invalid naming every problem at once."""
        problems: list[Problem] = []
        value: Self = cls.read_at(data, None, problems)
        raise_problems(cls.title(), problems)
        return value

    @classmethod
    def read_changes(cls, data: object) -> dict[str, Any]:
        """Check JSON data of an update and return only what it changes; raises Invalid."""
        problems: list[Problem] = []
        changes: dict[str, Any] = cls.read_at(data, None, problems, partial=True)
        raise_problems(cls.title(), problems)
        return changes

    @classmethod
    def read_at(cls, data: Any, trail: Trail, problems: list[Problem], partial: bool = False) -> Any:
        """Read ``data`` found at ``trail``, adding to ``problems``; ``partial`` takes only what is there."""
        if type(data) is not dict:
            _mismatch(problems, trail, "a mapping", data)
            return {} if partial else cls.of({})
        values: dict[str, Any] = {}
        used = 0
        for name, kind, read, default, check, clears in cls._plan:
            found = data.get(name)
            if found is None or (type(found) is Plain and found.value is None):
                used += name in data
                if partial:
                    if clears:
                        values[name] = None
                    continue
                if default is REQUIRED:
                    message = f"{name!r} is required, but missing"
                    problems.append(Problem("missing", message, path_of((trail, name)), found=""))
                values[name] = None if default is REQUIRED else default
                continue
            used += 1
            value = found if type(found) is kind and kind is not int else read(found, (trail, name), problems)
            values[name] = value
            if check is not None and value is not None:
                _run_check(check, value, (trail, name), problems)
        if cls.CLOSED and used < len(data):
            _refuse_unknown(cls, data, trail, problems)
        return values if partial else cls.of(values)

    def wire(self) -> dict[str, Any]:
        """Return the JSON object; nested values are left to the encoder."""
        if self._hidden.isdisjoint(self.__dict__):
            return self.__dict__
        return {n: v for n, v in self.__dict__.items() if n not in self._hidden}

    def changed(self, **values: Any) -> Self:
        """Return a copy with some fields changed."""
        return type(self).of({**self.__dict__, **values})


def _complete(name: str, annotation: Any, given: Any) -> Field:
    spec = given if isinstance(given, Field) else Field(default=given)
    return spec._replace(name=name, type=bare(annotation), optional=spec.default is not REQUIRED)


def _run_check(check: Callable[[Any], object], value: Any, trail: Trail, problems: list[Problem]) -> None:
    try:
        check(value)
    except ValueError as exc:
        problems.append(Problem("value", str(exc), path_of(trail), found=str(value)))


def _refuse_unknown(cls: type[Value], data: dict[str, Any], trail: Trail, problems: list[Problem]) -> None:
    for name in data:
        if name not in cls.FIELDS:
            hint = did_you_mean(name, cls.FIELDS) or f"Known: {', '.join(cls.FIELDS)}"
            problems.append(
                Problem("unknown-field", f"unknown field {name!r}", path_of((trail, name)), hint=hint, found=name)
            )


def raise_problems(name: str, problems: list[Problem]) -> None:
    """Turn the problems of a request into one error that names them all; none is fine."""
    if problems:
        text = "; ".join(f"{dotted(p.path) or 'body'}: {p.message}" for p in problems)
        raise Invalid(f"{name}: {text}", field=dotted(problems[0].path), value=problems[0].found)


def at_least(minimum: int) -> Callable[[int], None]:
    """Return a check for numbers."""

    def check(value: int) -> None:
        if value < minimum:
            raise ValueError(f"must be at least {minimum}")

    check.schema = {"minimum": minimum}  # type: ignore[attr-defined]
    return check
