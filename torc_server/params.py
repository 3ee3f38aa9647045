"""Arguments of operations, read from the path, the query and the body of a request.

What cannot be read is Malformed (400); what can be read and is wrong is Invalid (422), as on the published wire.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from typing import Any, get_args, get_origin
from urllib.parse import parse_qs, unquote

from torc_core.errors import Malformed
from torc_core.operations import Operation, Parameter
from torc_core.problems import Problem
from torc_core.records.values import REQUIRED, Value, bare, raise_problems, reader

Texts = dict[str, list[str]]
_INT64 = 2**63
_WITH_COMMAS = frozenset({"labels", "compute_node_ids"})
"""Lists that may be written with commas in one value; others are repeated."""
_MAX_PARAMETERS = 1000


def read_query(text: str) -> Texts:
    """Return the values of a query by name; raises Malformed."""
    if not text:
        return {}
    try:
        return parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS)
    except UnicodeDecodeError as exc:
        raise Malformed("the query cannot be read: what is encoded in it is not UTF-8") from exc
    except ValueError as exc:
        raise Malformed(f"the query cannot be read: {exc}") from exc


def read_path_value(text: str) -> str:
    """Return a value of the path, in which everything may be encoded; raises Malformed."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as exc:
        raise Malformed("the path cannot be read: what is encoded in it is not UTF-8") from exc


def parser(parameter: Parameter) -> Callable[[list[str]], Any]:
    """Return what reads the texts of one parameter."""
    kind = bare(parameter.type)
    if get_origin(kind) is list:
        read_item = _scalar(parameter.name, get_args(kind)[0])
        if parameter.name in _WITH_COMMAS:
            return lambda texts: [read_item(part) for text in texts for part in text.split(",") if part]
        return lambda texts: [read_item(text) for text in texts if text]
    read = _scalar(parameter.name, kind)
    return lambda texts: read(texts[-1])


def _is_empty_fine(parameter: Parameter) -> bool:
    """Whether nothing behind the ``=`` is a value: no text, or an empty list."""
    kind = bare(parameter.type)
    return kind is str or get_origin(kind) is list


def _scalar(name: str, kind: Any) -> Callable[[str], Any]:
    if kind is str:
        return str
    expected, convert = _EXPECTED.get(kind) or _words(kind)

    def read(text: str) -> Any:
        try:
            return convert(text)
        except (ValueError, KeyError):
            raise Malformed(f"{name}: cannot read {text[:60]!r}: expected {expected}", field=name, value=text) from None

    return read


def _words(kind: type[enum.Enum]) -> tuple[str, Callable[[str], Any]]:
    by_text: dict[str, Any] = {str(member.value): member for member in kind}
    by_text |= {str(member.number): member for member in kind if hasattr(member, "number")}  # as storages keep them
    return "one of " + ", ".join(str(member.value) for member in kind), by_text.__getitem__


def _whole(text: str) -> int:
    if not text.removeprefix("-").isdecimal() or not text.isascii():
        raise ValueError
    number = int(text) if len(text) < 21 else _INT64
    if not -_INT64 <= number < _INT64:
        raise ValueError
    return number


def _number(text: str) -> float:
    number = float(text)
    if math.isnan(number) or "_" in text:
        raise ValueError
    return number


_EXPECTED: dict[Any, tuple[str, Callable[[str], Any]]] = {
    int: ("a whole number of 64 bits", _whole),
    float: ("a number", _number),
    bool: ("true or false", {"true": True, "false": False}.__getitem__),
}


class Arguments:
    """Reads what one operation takes."""

    def __init__(self, op: Operation) -> None:
        self._op = op
        self._path = [(p.name, parser(p)) for p in op.parameters if p.place == "path"]
        self._query = [(p, parser(p), _is_empty_fine(p)) for p in op.parameters if p.place == "query"]
        self._read_body = _body_reader(op) if op.body is not None else None

    @property
    def has_body(self) -> bool:
        """Whether the operation takes a body; others ignore one."""
        return self._read_body is not None

    def of(self, variables: dict[str, str], query: Texts, body: Any, wrap: str = "") -> dict[str, Any]:
        """Return the arguments; raises Malformed, Invalid. ``wrap`` names the field that the body is the value of."""
        arguments = {name: parse([read_path_value(variables[name])]) for name, parse in self._path}
        if query or self._query:
            for parameter, parse, is_empty_fine in self._query:
                texts = query.get(parameter.name)
                if texts is not None and (texts != [""] or is_empty_fine):
                    arguments[parameter.name] = parse(texts)
                elif parameter.default is REQUIRED:
                    raise Malformed(f"the query parameter {parameter.name} is required", field=parameter.name)
        if self._read_body is not None:
            assert self._op.body is not None
            arguments[self._op.body.name] = self._read_body({wrap: body} if wrap else body, arguments)
        return arguments


def _body_reader(op: Operation) -> Callable[[Any, dict[str, Any]], Any]:
    assert op.body is not None
    kind, name = bare(op.body.type), op.body.name
    is_value = isinstance(kind, type) and issubclass(kind, Value)
    in_path = [p.name for p in op.parameters if p.place == "path" and p.name != "id"]
    in_both = [name for name in in_path if is_value and name in kind.FIELDS]
    path_wins = op.verb == "create"  # elsewhere the service judges a body that disagrees with its path
    if op.method == "PUT" and op.record is not None:
        return lambda data, arguments: op.record.read_changes(data)  # type: ignore[union-attr]
    read, label = (kind.read_at, kind.WIRE_NAME) if is_value else (reader(kind), name)

    def read_body(data: Any, arguments: dict[str, Any]) -> Any:
        problems: list[Problem] = []
        if in_both and type(data) is dict:
            said = {n: arguments[n] for n in in_both}
            data = data | said if path_wins else said | data
        value = read(data, None, problems)
        raise_problems(label, problems)
        return value

    return read_body
