"""What differs between callers, at the edge and nowhere else: the core knows one shape.

Answers hold every field of every release, since clients leave alone what they do not know. What cannot be had at the
same time is decided by who asks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, get_origin

from torc_core.errors import NoAuthFile, TorcError
from torc_core.operations import Operation
from torc_core.records import answers as a
from torc_core.records.access import AccessGroup, UserGroupMembership
from torc_core.records.allocations import SlurmStats
from torc_core.records.answers.actions import ClaimedAction
from torc_core.records.record import Page, Record
from torc_core.records.resources import Job, Result, Workflow
from torc_core.records.tasks import Task
from torc_core.records.values import Value
from torc_server import json_texts, seeds
from torc_server.callers import UNKNOWN, Dialect
from torc_server.params import Texts

_RELEASES = {"0.22": "0.22.2", "1.0": "1.0.0"}
"""The release that a command line expects, which refuses to work with others."""
_OLD = ("0.12", "0.22")
_OLD_LIMIT = "10000"
_CLAIMS = ("claim_next_jobs", "claim_jobs_based_on_resources")
_LINKS = tuple(field.name for field in Job.FIELDS.values() if field.links)
_CONTAINED = {("files", "path"): "path_contains", ("compute_nodes", "hostname"): "hostname_contains"}
"""Filters that newer clients mean as a part of the text."""
Names = Callable[[list[int]], dict[int, str]]
"""Returns names of jobs by id."""


class Given(NamedTuple):
    """A request in our own shape; ``texts`` are JSON fields that came as text."""

    query: Texts
    body: Any
    texts: dict[str, str | None] = {}


# requests


def incoming(op: Operation, query: Texts, body: Any, dialect: Dialect) -> Given:
    """Return query and body of a request in our own shape."""
    if dialect.is_ours:
        return Given(query, body)
    query = _query(op, query, dialect)
    if dialect == UNKNOWN:
        body = seeds.completed(op, body)
    if isinstance(body, dict):
        body = _without_status(op, body)
        if op.verb in ("create", "update") and json_texts.fields_of(op.record):
            assert op.record is not None
            return Given(query, *json_texts.taken_in(op.record, body))
    return Given(query, body)


def _query(op: Operation, query: Texts, dialect: Dialect) -> Texts:
    found = dict(query)
    is_page = any(parameter.name == "offset" for parameter in op.parameters)
    if is_page and dialect.release in _OLD and found.get("limit", ["-"])[-1].startswith("-"):
        found.pop("limit", None)  # none: all of them
        if "limit" not in query and dialect.release == "0.12":
            found["limit"] = [_OLD_LIMIT]
    if op.name == "claim_next_jobs" and "num_jobs" in found:
        found.setdefault("limit", found["num_jobs"])
    if op.name == "claim_next_jobs" and dialect.release not in _OLD and found.get("limit", [""])[-1].startswith("-"):
        found["limit"] = ["0"]
    if op.name == "initialize_jobs" and dialect != UNKNOWN:
        found.pop("clear_ephemeral_user_data", None)  # these clients send it, and mean nothing by it
    if op.verb == "find" and dialect.release in ("0.35", "1.0"):
        for (plural, name), other in _CONTAINED.items():
            if op.record is not None and plural == op.record.PLURAL and name in found:
                found[other] = found.pop(name)
    return found


def _without_status(op: Operation, body: dict[str, Any]) -> dict[str, Any]:
    """New jobs are uninitialized whatever is sent; numbers, as in the database, are sent by hand."""
    if op.name == "create_job" and type(body.get("status")) is int:
        return {name: value for name, value in body.items() if name != "status"}
    if op.name == "create_jobs" and isinstance(body.get("jobs"), list):
        jobs = [
            {n: v for n, v in job.items() if n != "status"} if isinstance(job, dict) and type(job.get("status")) is int
            else job for job in body["jobs"]
        ]  # fmt: skip
        return {**body, "jobs": jobs}
    return body


def keep_texts(op: Operation, arguments: dict[str, Any], texts: dict[str, str | None]) -> None:
    """Have the record remember what came as text."""
    if not texts or op.body is None:
        return
    record = arguments[op.body.name]
    if isinstance(record, dict):
        record["json_texts"] = texts
    else:
        vars(record)["json_texts"] = {name: text for name, text in texts.items() if text is not None} or None


def arguments_for(op: Operation, arguments: dict[str, Any], dialect: Dialect) -> dict[str, Any]:
    """Return arguments with what depends on the caller's release and is in the path."""
    if op.name == "claim_jobs_based_on_resources" and dialect.release in _OLD and arguments["limit"] < 0:
        return {**arguments, "limit": 2**31}  # no limit
    return arguments


# answers


def outgoing(op: Operation, answer: Any, dialect: Dialect, names: Names) -> tuple[int, Any]:
    """Return status and JSON data of an answer as the caller expects it."""
    status = 202 if isinstance(answer, Task) and op.method == "POST" else 200
    if dialect.is_ours:
        return status, answer
    bend = op.bend
    if bend is not None and bend.reply is not None:
        return status, bend.reply(answer) | (
            json_texts.given_out(answer, dialect) if isinstance(answer, Record) else {}
        )
    if isinstance(answer, Page):
        if bend is not None and get_origin(bend.answer) is list:
            return status, _items(answer.items, dialect, names)
        return status, _page(op, answer, dialect, names)
    if isinstance(answer, list):
        return status, _items(answer, dialect, names)
    return status, _shown(answer, dialect, names)


def _page(op: Operation, page: Page[Any], dialect: Dialect, names: Names) -> dict[str, Any]:
    body = page.wire()
    items = body["items"] = _items(page.items, dialect, names)
    kind = type(page.items[0]) if page.items else None
    if (
        op.record in (AccessGroup, UserGroupMembership)
        or kind in (AccessGroup, UserGroupMembership)
        or (op.tag == "access_control")
    ):
        body["limit"] = page.limit
    if op.record is SlurmStats:
        body["max_limit"] = page.limit
    if dialect == UNKNOWN:
        body[op.record.PLURAL if op.record is not None else op.path.rpartition("/")[2]] = items
    return body


def _items(items: list[Any], dialect: Dialect, names: Names) -> list[Any]:
    if not items:
        return items
    kind = type(items[0])
    if kind is Job:
        for job in items:
            _sort_links(job)
    if kind is Result:
        known = names(sorted({result.job_id for result in items}))
        return [{**result.wire(), "job_name": known.get(result.job_id)} for result in items]
    if kind is Workflow or json_texts.fields_of(kind if issubclass(kind, Record) else None):
        return [_shown(item, dialect, names) for item in items]
    return items


def _sort_links(job: Job) -> Job:
    """Have what a job is linked with in the order of ids; we keep the order in which it was given."""
    values = vars(job)
    for name in _LINKS:
        ids = values.get(name)
        if ids:
            values[name] = sorted(ids)
    return job


def _shown(answer: Any, dialect: Dialect, names: Names) -> Any:
    """Return one answer with what other releases have besides."""
    kind: Any = type(answer)
    if kind is Job:
        return _sort_links(answer)
    if kind is Workflow:
        made = {**answer.wire(), "status_id": answer.id, **_NO_SCRIPT_FOUND}
        return made | json_texts.given_out(answer, dialect)
    if kind is Result:
        return {**answer.wire(), "job_name": names([answer.job_id]).get(answer.job_id)}
    if isinstance(answer, Record) and json_texts.fields_of(kind):
        return answer.wire() | json_texts.given_out(answer, dialect)
    if isinstance(answer, Value) and not isinstance(answer, Record):
        if kind is ClaimedAction:
            return _claimed(answer, dialect)
        more = _MORE.get(kind)
        return _usual(kind) | answer.wire() | (more(answer, dialect) if more is not None else {})
    return answer


@cache
def _usual(kind: type[Value]) -> dict[str, Any]:
    """Return what fields hold that were left out: answers are made with what is worth saying."""
    return {f.name: f.default for f in kind.FIELDS.values() if f.optional and f.default is not None}


_NO_SCRIPT_FOUND = {"has_detected_need_to_run_completion_script": False}


def _claimed(answer: Any, dialect: Dialect) -> dict[str, Any]:
    """Return one of two words: the command lines take them for one and fail on both, Python clients know the other."""
    word = "claimed" if dialect.is_command_line else "success"
    return {"action_id": answer.action_id, word: answer.claimed}


def _version(answer: a.Version, dialect: Dialect) -> dict[str, Any]:
    release = _RELEASES.get(dialect.release) if dialect.is_command_line else None
    return {"version": release or answer.version, "api_version": answer.api_version}


_MORE: dict[type, Callable[[Any, Dialect], dict[str, Any]]] = {
    a.StatusSummary: lambda answer, _: {"id": answer.workflow_id, **_NO_SCRIPT_FOUND},
    a.Completeness: lambda answer, _: {"needs_to_run_completion_script": False},
    a.Deleted: lambda answer, _: {"deleted_count": answer.count, "message": f"deleted {answer.count} records"},
    a.Version: _version,
}
"""Members that some releases expect, by the kind of answer."""


def error(exc: TorcError, dialect: Dialect) -> dict[str, Any]:
    """Return the JSON of an error."""
    body = exc.wire()
    if exc.code == 422 and not dialect.is_ours and not isinstance(exc, NoAuthFile):
        body["error"].pop("error", None)
    return body
