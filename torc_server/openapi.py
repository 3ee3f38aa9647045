"""The OpenAPI document, derived from the operations and the kinds of records: what strangers send and are answered.

It is one for all releases: what any of them knows is in it. Some shapes depend on who asks (``dialects``); there it
says what both are.
"""

from __future__ import annotations

import enum
import re
from functools import partial
from typing import Any, get_args, get_origin

from torc_core import __version__
from torc_core.operations import Operation, Parameter
from torc_core.records.access import AccessGroup, UserGroupMembership
from torc_core.records.record import MAX_LIMIT, Page, Record
from torc_core.records.tasks import Task
from torc_core.records.values import REQUIRED, Field, Value, bare
from torc_core.service.api import OPERATIONS
from torc_core.service.server_address import BASE
from torc_core.status import JobStatus

_JSON_TYPES = {int: "integer", float: "number", bool: "boolean", str: "string"}
_PAGE = {"offset": int, "max_limit": int, "count": int, "total_count": int, "has_more": bool}
_GROUP_PAGE = {"offset": int, "limit": int, "total_count": int, "has_more": bool}
_INT64 = 2**63 - 1
_BOOLEAN, _TEXT, _WHOLE = {"type": "boolean"}, {"type": "string"}, {"type": "integer"}
_COUNTS = {
    "type": "object", "properties": dict.fromkeys((str(status) for status in JobStatus), _WHOLE),
    "required": [str(status) for status in JobStatus],
}  # fmt: skip
_ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {"message": _TEXT, "error": _TEXT, "hint": _TEXT, "field": _TEXT},
            "required": ["message"],
        }
    },
    "required": ["error"],
}
_MORE: dict[str, dict[str, Any]] = {
    "WorkflowModel": {"status_id": _WHOLE, "has_detected_need_to_run_completion_script": _BOOLEAN},
    "WorkflowStatusResponse": {
        "id": _WHOLE, "has_detected_need_to_run_completion_script": _BOOLEAN,
        "jobs_by_status": {"$ref": "#/components/schemas/JobStatusCounts"},
    },
    "IsCompleteResponse": {"needs_to_run_completion_script": _BOOLEAN},
    "DeleteCountResponse": {"deleted_count": _WHOLE, "message": _TEXT},
    "ClaimActionResponse": {"success": _BOOLEAN},
    "ResultModel": {"job_name": _TEXT},
    "FailureHandlerModel": {"rules": {"type": "string", "description": "JSON: a list of rules, first match wins"}},
}  # fmt: skip
"""Members that answers have on this wire only, by the name of their schema."""
_REQUIRED = {
    "WorkflowModel": ("user",),
    "FailureHandlerModel": ("rules",),
    "IsCompleteResponse": ("needs_to_run_completion_script",),
    "EventModel": ("data",),
}
"""Fields that answers always have, though we do without them in requests."""
_VARIABLE = re.compile(r"{(\w+)}")
Schemas = dict[str, Any]


def document() -> dict[str, Any]:
    """Return the document."""
    schemas: Schemas = {"ErrorResponse": _ERROR, "JobStatusCounts": _COUNTS}
    paths: dict[str, Any] = {}
    known: dict[str, str] = {}  # what a path looks like without names, and its first form
    for op in OPERATIONS.values():
        path = known.setdefault(_VARIABLE.sub("{}", op.path), op.path)
        entry = _entry(op, schemas)
        _rename(entry, _VARIABLE.findall(op.path), _VARIABLE.findall(path))
        paths.setdefault(path, {})[op.method.lower()] = entry
    licence = {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"}
    logins = {"basic": {"type": "http", "scheme": "basic"}, "token": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "torc", "version": __version__, "license": licence},
        "servers": [{"url": BASE}],
        "security": [{}, {"basic": []}, {"token": []}],
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items())), "securitySchemes": logins},
    }


def _rename(entry: dict[str, Any], names: list[str], others: list[str]) -> None:
    """Give the variables of a path the names that they have with its other methods."""
    renamed = dict(zip(names, others, strict=True))
    for parameter in entry["parameters"]:
        if parameter["in"] == "path":
            parameter["name"] = renamed[parameter["name"]]


def _entry(op: Operation, schemas: Schemas) -> dict[str, Any]:
    see = partial(schema, schemas=schemas)
    lines = (op.doc or op.name).strip().splitlines()
    hidden = op.bend.without if op.bend is not None else {}
    entry: dict[str, Any] = {
        "operationId": op.name,
        "tags": [op.tag],
        "summary": lines[0],
        "parameters": [_parameter(p, see) for p in op.parameters if p.place != "body" and p.name not in hidden],
        "responses": _responses(op, see),
    }
    if len(lines) > 1:
        entry["description"] = " ".join(line.strip() for line in lines[1:] if line.strip())
    if op.body is not None:
        is_any = op.bend is not None and op.bend.wrap
        entry["requestBody"] = {"required": True, "content": _content({} if is_any else see(op.body.type))}
    if op.name == "initialize_jobs":
        entry["parameters"].append({"name": "async", "in": "query", "schema": _BOOLEAN})
    return entry


def _responses(op: Operation, see: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if op.is_stream:
        found["200"] = {"description": "Events as they happen.", "content": {"text/event-stream": {"schema": _TEXT}}}
    elif op.answer is not Task or op.method == "GET":
        found["200"] = {"description": "Done.", "content": _content(see(_answer(op)))}
    if op.name == "initialize_jobs" or (op.answer is Task and op.method == "POST"):
        found["202"] = {"description": "Begun, as a task.", "content": _content(see(Task))}
    refused = {"description": "Refused.", "content": _content({"$ref": "#/components/schemas/ErrorResponse"})}
    return found | {"4XX": refused, "5XX": refused}


def _answer(op: Operation) -> Any:
    """Return the published shape of an answer; that of an operation with a reply has the record's members, too."""
    if op.bend is not None and op.bend.answer is not REQUIRED:
        return op.bend.answer
    return op.answer


def _content(body: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": body}}


def _parameter(p: Parameter, see: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"name": p.name, "in": p.place, "schema": _with_range(p.name, see(bare(p.type)))}
    if p.place == "path" or p.default is REQUIRED:
        found["required"] = True
    return found


def _with_range(name: str, kind: dict[str, Any]) -> dict[str, Any]:
    if kind.get("type") != "integer":
        return kind
    least, most = {"offset": (0, _INT64), "limit": (0, MAX_LIMIT)}.get(name, (-_INT64, _INT64))
    return kind | {"minimum": least, "maximum": most}


def schema(kind: Any, schemas: Schemas) -> dict[str, Any]:
    """Return the schema of a type; those with a name are added to ``schemas``."""
    kind = bare(kind)
    if kind is Any:
        return {}
    if kind in _JSON_TYPES:
        return {"type": _JSON_TYPES[kind]}
    origin = get_origin(kind)
    if origin is list:
        return {"type": "array", "items": schema(get_args(kind)[0], schemas)}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema(get_args(kind)[1], schemas)}
    if origin is Page:
        return _page_schema(get_args(kind)[0], schemas)
    name = kind.__name__ if issubclass(kind, enum.Enum) else kind.WIRE_NAME
    if name not in schemas:
        schemas[name] = {}
        schemas[name] = _named(kind, name, schemas)
    return {"$ref": f"#/components/schemas/{name}"}


def _named(kind: type, name: str, schemas: Schemas) -> dict[str, Any]:
    if issubclass(kind, enum.Enum):
        return {"type": "string", "enum": [member.value for member in kind]}
    assert issubclass(kind, Value)
    fields = [f for f in kind.FIELDS.values() if not (f.internal or f.beside)]
    more = _MORE.get(name, {})
    properties = {f.name: more.get(f.name) or _property(f, schemas) for f in fields}
    made: dict[str, Any] = {"type": "object", "properties": properties | more}
    required = [f.name for f in fields if not f.optional or f.name in _REQUIRED.get(name, ())]
    required += [extra for extra in _REQUIRED.get(name, ()) if extra not in required]
    if required:
        made["required"] = required
    if kind.CLOSED:
        made["additionalProperties"] = False
    return made | ({"description": " ".join(kind.__doc__.split())} if kind.__doc__ else {})


def _property(f: Field, schemas: Schemas) -> dict[str, Any]:
    found = schema(f.type, schemas)
    if f.optional and found:
        found = {"anyOf": [found, {"type": "null"}]}
    if f.optional and f.default is not None and f.name != "id":
        found = found | {"default": getattr(f.default, "value", f.default)}
    found = found | getattr(f.check, "schema", {})
    return found | ({"description": f.doc} if f.doc and "$ref" not in found else {})


def _page_schema(item: type[Value], schemas: Schemas) -> dict[str, Any]:
    name = _page_name(item)
    members = _GROUP_PAGE if item in (AccessGroup, UserGroupMembership) else _PAGE
    if name not in schemas:
        schemas[name] = {}
        items = schema(list[item], schemas)  # type: ignore[valid-type]
        properties = {"items": items} | {n: schema(t, schemas) for n, t in members.items()}
        schemas[name] = {"type": "object", "properties": properties, "required": list(properties)}
    return {"$ref": f"#/components/schemas/{name}"}


def _page_name(item: type[Value]) -> str:
    """Return the name of a page: ListJobsResponse; two kinds, which came later, are named otherwise."""
    if issubclass(item, Record):
        return f"List{_camel(item.PLURAL)}Response"
    noun = item.WIRE_NAME.removesuffix("Model")
    plural = f"{noun[:-1]}ies" if noun.endswith("cy") else f"{noun}s" if not noun.endswith("Data") else noun
    return f"{plural}Response" if noun in ("RunningJob", "SlurmJobCorrelation") else f"List{plural}Response"


def _camel(text: str) -> str:
    return re.sub(r"(?:^|_)(\w)", lambda found: found[1].upper(), text)
