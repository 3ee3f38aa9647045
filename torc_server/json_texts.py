"""JSON inside of records: text for older clients, objects for newer ones, one form for the service.

Clients before API 0.18 send and expect some fields as text that holds JSON, and compare what they get with what they
sent; so the text is kept beside what it says, for as long as the field still says so.
"""

from __future__ import annotations

import json
from typing import Any

from torc_core.errors import Invalid
from torc_core.records.provenance import RoCrateEntity
from torc_core.records.record import Record
from torc_core.records.resources import FailureHandler, Workflow
from torc_server.callers import Dialect, Form

OBJECTS: dict[type[Record], tuple[str, ...]] = {
    Workflow: ("metadata", "slurm_defaults", "resource_monitor_config", "execution_config"),
    RoCrateEntity: ("metadata",),
}
"""Fields that are text or an object, depending on who asks."""
TEXTS: dict[type[Record], tuple[str, ...]] = {FailureHandler: ("rules",)}
"""Fields that are text for every client of the published wire."""
_STDIO = {"mode": None, "delete_on_success": None}
_CLOSED: dict[str, dict[str, Any]] = {
    "execution_config": {
        "stdio": _STDIO, "job_stdio_overrides": {"*": _STDIO},
        **dict.fromkeys(
            ("enable_cpu_bind", "limit_resources", "mode", "oom_exit_code", "sigkill_headroom_seconds",
             "sigterm_lead_seconds", "srun_mpi", "srun_termination_signal", "staggered_start", "termination_signal",
             "timeout_exit_code")
        ),
    },
}  # fmt: skip
"""Members of what must not hold any other, since clients refuse those."""


def fields_of(kind: type[Record] | None) -> tuple[str, ...]:
    """Return the fields of a kind that may be text."""
    return (OBJECTS.get(kind) or TEXTS.get(kind) or ()) if kind is not None else ()


def taken_in(kind: type[Record], body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str | None]]:
    """Return a body with JSON in place of text, and the texts by field (None: it was no text).

    Text that holds something else stays as it is, and is looked at by nobody. Raises Invalid for what is no text and
    not what the text would hold.
    """
    texts: dict[str, str | None] = {}
    made = body
    for name in fields_of(kind):
        given = body.get(name)
        if given is None:
            continue
        wanted, words = (dict, "an object") if kind in OBJECTS else (list, "a list")
        texts[name] = given if isinstance(given, str) else None
        if isinstance(given, str):
            said = _read(given)
            if isinstance(said, wanted):
                made = {**made, name: said}
        elif not isinstance(given, wanted):
            raise Invalid(f"{name}: expected {words}, or text that holds its JSON", field=name)
    return made, texts


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def given_out(record: Record, dialect: Dialect) -> dict[str, Any]:
    """Return the fields of a record that may be text, in the form that a caller wants."""
    kind = type(record)
    kept: dict[str, str | None] = vars(record).get("json_texts") or {}
    made: dict[str, Any] = {}
    for name in fields_of(kind):
        value = vars(record).get(name)
        if value is None:
            continue
        text = kept.get(name)
        if text is not None and value != text and _read(text) != value:
            text = None  # it was changed since
        if dialect.form is Form.TEXT or kind in TEXTS:
            made[name] = text or (value if isinstance(value, str) else _written(value))
        elif dialect.form is Form.OBJECT:
            is_required = not kind.FIELDS[name].optional
            made[name] = _known(value, _CLOSED.get(name)) if isinstance(value, dict) else {} if is_required else None
        elif text is not None:
            made[name] = text
    return made


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _known(value: Any, members: dict[str, Any] | None) -> Any:
    """Return an object without members that its readers refuse."""
    if members is None or not isinstance(value, dict):
        return value
    anything = members.get("*")
    if anything is not None:
        return {name: _known(found, anything) for name, found in value.items()}
    return {name: _known(found, members[name]) for name, found in value.items() if name in members}
