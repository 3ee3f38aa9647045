"""What the log tells of requests, with ids as ``workflow_id=3 job_id=17``."""

from __future__ import annotations

import logging
import re
import time
from typing import Any
from urllib.parse import quote

from torc_core.errors import StorageError, Unavailable
from torc_core.operations import Operation
from torc_core.records.record import RECORDS
from torc_core.records.resources import Workflow
from torc_core.service.rights import rule_of

LOG = logging.getLogger("torc.server.requests")
USER = "torc.user"
"""Where the environment of a request has the name of whoever asks."""
_QUERY = re.compile(r"(?:^|&)(workflow_id|job_id|run_id|compute_node_id)=([0-9]{1,19})(?=&|$)")
_MADE = re.compile(rb'"id":([0-9]+)')
_QUIET_S = 60.0
"""Between two lines about one operation that the server is not able to carry out, which runners repeat."""


class RequestLog:
    """Tells of the requests for one operation: what people change at the level info, the rest at debug.

    What runners ask for all the time, and each job or file that is added, would drown the rest.
    """

    def __init__(self, op: Operation) -> None:
        rule, kind = rule_of(op), RECORDS.get(op.path.split("/")[1])
        is_told = not op.is_read_only and op.record in (None, Workflow) and rule is not None and not rule.worker
        self._op, self._level = op, logging.INFO if is_told else logging.DEBUG
        self._names = {"id": f"{kind.SINGULAR}_id"} if kind is not None else {}
        self._quiet_until = 0.0

    def failed(self, exc: Exception) -> None:
        """Tell of what whoever runs the server has to mend: a full disk, a database that is away."""
        now = time.monotonic()
        if isinstance(exc, Unavailable | StorageError) and now >= self._quiet_until:
            self._quiet_until = now + _QUIET_S
            LOG.warning("%s failed: %s", self._op.name, exc)

    def note(
        self, environ: dict[str, Any], variables: dict[str, str], status: int, body: Any, seconds: float, span: str
    ) -> None:
        """Tell of an answer."""
        if not LOG.isEnabledFor(self._level):
            return
        ids = dict(_QUERY.findall(environ.get("QUERY_STRING", "")))
        ids |= {self._names.get(name, name): text for name, text in variables.items() if text.isdecimal()}
        if self._op.record is Workflow and self._op.verb == "create" and (made := _MADE.search(body)):
            ids["workflow_id"] = made[1].decode()
        told = "".join(f" {name}={value}" for name, value in ids.items())
        LOG.log(
            self._level, "%s%s user=%s method=%s path=%s status=%s ms=%.1f address=%s span=%s", self._op.name, told,
            quote(environ.get(USER, ""), safe="@.+-"), environ["REQUEST_METHOD"],
            environ.get("REQUEST_URI", environ.get("PATH_INFO")), status, seconds * 1000,
            environ.get("REMOTE_ADDR", ""), span,
        )  # fmt: skip
