"""What can be asked of a service: declared as methods, derived for records, listed here.

An operation is its name, its route (method and path), its arguments with their place, its answer and its meaning. The
local service, the remote client, the connections between them, the routes of a server and the documents all read it.
"""

import enum
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple, ParamSpec, TypeVar, get_args, get_origin

from torc_core.problems import Problem
from torc_core.records.record import RECORDS, Page, Record
from torc_core.records.values import REQUIRED, Value, bare, raise_problems, reader

P = ParamSpec("P")
T = TypeVar("T")
PAGE = {"offset": int, "limit": int}
SORT = {"sort_by": str, "reverse_sort": bool}


class Parameter(NamedTuple):
    """One argument of an operation and where it travels."""

    name: str
    type: Any
    place: str  # path, query or body
    default: Any = REQUIRED


class Operation(NamedTuple):
    """One operation; ``call`` carries it out on a service with arguments by name."""

    name: str
    method: str
    path: str
    parameters: tuple[Parameter, ...]
    answer: Any
    doc: str
    tag: str
    call: Callable[[Any, dict[str, Any]], Any]
    record: type[Record] | None = None
    verb: str = ""  # of derived operations
    bend: "Bend | None" = None  # how the published wire departs from the rule; our own client does without

    @property
    def body(self) -> Parameter | None:
        """The parameter that travels as the body."""
        return next((p for p in self.parameters if p.place == "body"), None)

    @property
    def is_read_only(self) -> bool:
        """Whether nothing changes; every other operation is one transaction."""
        return self.method == "GET"

    @property
    def is_stream(self) -> bool:
        """Whether the answer comes piece by piece for as long as somebody listens."""
        return isinstance(self.answer, type) and issubclass(self.answer, Iterator)

    def read_arguments(self, given: dict[str, Any]) -> dict[str, Any]:
        """Check arguments as they came over a connection; raises Invalid naming every problem."""
        problems: list[Problem] = []
        arguments = {}
        for parameter in self.parameters:
            found = given.get(parameter.name)
            if found is not None:
                arguments[parameter.name] = self._read(parameter, found, problems)
            elif parameter.default is REQUIRED:
                problems.append(_missing(parameter.name))
        raise_problems(self.name, problems)
        return arguments

    def _read(self, parameter: Parameter, found: Any, problems: list[Problem]) -> Any:
        kind = parameter.type
        if parameter.place == "body" and self.method == "PUT" and self.record is not None:
            return self.record.read_changes(found)
        return reader(kind)(found, (None, parameter.name), problems)


def _missing(name: str) -> Problem:
    return Problem("missing", f"{name!r} is required, but missing", (name,))


def operation(method: str, path: str, tag: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Declare a service method as an operation; its body is its docstring, calling it ends in ``perform``."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        declared = _declared(function, method, path, tag)
        names = [p.name for p in declared.parameters]

        def method_body(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            return self.perform(declared, dict(zip(names, args, strict=False), **kwargs))

        method_body.__name__, method_body.__doc__ = function.__name__, function.__doc__
        method_body.operation = declared  # type: ignore[attr-defined]
        return method_body  # type: ignore[return-value]

    return decorate


def _declared(function: Any, method: str, path: str, tag: str) -> Operation:
    code, hints = function.__code__, dict(function.__annotations__)
    answer = hints.pop("return")
    names = code.co_varnames[1 : code.co_argcount]
    defaults = dict(zip(reversed(names), reversed(function.__defaults__ or ()), strict=False))
    in_path = re.findall(r"{(\w+)}", path)
    parameters = tuple(
        Parameter(n, bare(hints[n]), _place(n, hints[n], in_path), defaults.get(n, REQUIRED)) for n in names
    )
    name = function.__name__
    return Operation(
        name, method, path, parameters, answer, function.__doc__ or "", tag,
        lambda service, arguments: getattr(service, name)(**arguments),
    )  # fmt: skip


def _place(name: str, kind: Any, in_path: list[str]) -> str:
    if name in in_path:
        return "path"
    kind = bare(kind)
    return "body" if name == "body" or (isinstance(kind, type) and issubclass(kind, Value)) else "query"


def derived(kind: type[Record], delete_answer: Any) -> list[Operation]:
    """Return the operations that a kind of record has by rule."""
    plural, singular = kind.PLURAL, kind.SINGULAR
    flat, single = f"/{plural}", f"/{plural}/{{id}}"
    item, body = Parameter("id", int, "path"), Parameter("body", kind, "body")
    is_part = "workflow_id" in kind.FIELDS
    parent = (Parameter("workflow_id", int, "query"),) if is_part else ()
    asked = PAGE | SORT | {f.name: f.type for f in kind.FILTERS.values()}
    query = tuple(Parameter(n, t, "query", None) for n, t in asked.items())
    rules: dict[str, tuple[str, str, str, tuple[Parameter, ...], Any, Callable[[Any, dict[str, Any]], Any]]] = {
        "create": (f"create_{singular}", "POST", flat, (body,), kind,
                   lambda service, args: service.create(**_new(args))),
        "get": (f"get_{singular}", "GET", single, (item,), kind,
                lambda service, args: service.get(kind, args["id"])),
        "find": (f"list_{plural}", "GET", flat, parent + query, Page[kind],  # type: ignore[valid-type]
                 lambda service, args: service.find(kind, **args)),
        "update": (f"update_{singular}", "PUT", single, (item, body), kind,
                   lambda service, args: service.update(kind, args["id"], args["body"])),
        "delete": (f"delete_{singular}", "DELETE", single, (item,), kind,
                   lambda service, args: service.delete(kind, args["id"])),
        "delete_all": (f"delete_{plural}", "DELETE", flat, parent, delete_answer,
                       lambda service, args: service.delete_all(kind, args["workflow_id"])),
    }  # fmt: skip
    made = []
    for verb in kind.VERBS:
        name, method, path, parameters, answer, call = rules[verb]
        doc = f"{verb.replace('_', ' ').capitalize()}: {kind.__doc__}"
        op = Operation(name, method, path, parameters, answer, doc, plural, call, kind, verb)
        made.append(_bent(op, BENDS.get((plural, verb))))
    return made


def _new(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``Service.create``; a workflow in the path is in the record as well."""
    return {"record": arguments["body"]} | {n: v for n, v in arguments.items() if n not in ("body", "workflow_id")}


class Bend(NamedTuple):
    """What differs from the rule for one derived operation on the published wire."""

    name: str = ""
    path: str = ""
    tag: str = ""
    without: dict[str, Any] = {}  # parameters that are taken but not published
    extra: dict[str, Any] = {}  # parameters beside those that follow from the record
    wrap: str = ""  # the body is the value of this field alone
    answer: Any = REQUIRED  # the published shape of the answer
    reply: Callable[[Any], Any] | None = None  # makes that of the answer


BENDS: dict[tuple[str, str], Bend] = {}
"""Bends by plural name and verb; filled before the operations are listed."""


def _bent(op: Operation, bend: Bend | None) -> Operation:
    if bend is None:
        return op
    path = bend.path or op.path
    in_path = re.findall(r"{(\w+)}", path)
    kept = [p._replace(place="path", default=REQUIRED) if p.name in in_path else p for p in op.parameters]
    known = {p.name for p in kept}
    added = [Parameter(name, int, "path") for name in in_path if name not in known]
    more = [Parameter(name, kind, "query", None) for name, kind in bend.extra.items()]
    parameters = (*added, *kept, *more)
    return op._replace(name=bend.name or op.name, path=path, tag=bend.tag or op.tag, parameters=parameters, bend=bend)


def all_operations(service: type, delete_answer: Any) -> dict[str, Operation]:
    """Return every operation by name: those derived from records and those declared on ``service``."""
    found = {op.name: op for kind in RECORDS.values() for op in derived(kind, delete_answer)}
    for part in reversed(service.__mro__):
        for member in vars(part).values():
            declared = getattr(member, "operation", None)
            if declared is not None:
                found[declared.name] = declared
    return found


def verbs_of(operations: dict[str, Operation]) -> dict[tuple[type[Record], str], Operation]:
    """Return the derived operations by kind and verb."""
    return {(op.record, op.verb): op for op in operations.values() if op.record is not None}


def shaped(kind: Any, data: Any) -> Any:
    """Return decoded JSON as the declared answer; it is trusted, since a service made it."""
    shape = _shape_of(bare(kind))
    return data if shape is None or data is None else shape(data)


Shape = Callable[[Any], Any]


@lru_cache(maxsize=1024)
def _shape_of(kind: Any) -> Shape | None:
    """Return what turns decoded JSON into a value of ``kind``, or None when it is one already."""
    origin = get_origin(kind)
    if origin is Page:
        return _page_shape(_shape_of(get_args(kind)[0]))
    if origin is list:
        item = _shape_of(bare(get_args(kind)[0]))
        return None if item is None else lambda data: [item(entry) for entry in data]
    if not isinstance(kind, type):
        return None
    if issubclass(kind, Value):
        return _value_shape(kind)
    if issubclass(kind, enum.Enum):
        return {member.value: member for member in kind}.__getitem__
    return None


def _page_shape(item: Shape | None) -> Shape:
    def shape(data: Any) -> Any:
        items = data["items"] if item is None else [item(entry) for entry in data["items"]]
        return Page(items, data["total_count"], data["offset"])

    return shape


def _value_shape(kind: type[Value]) -> Shape:
    found = ((f.name, _shape_of(bare(f.type))) for f in kind.FIELDS.values())
    shapes = [(name, convert) for name, convert in found if convert is not None]
    make = kind.of

    def shape(data: Any) -> Any:
        for name, convert in shapes:
            value = data.get(name)
            if value is not None:
                data[name] = convert(value)
        return make(data)

    return shape
