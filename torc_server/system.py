"""What is asked about the server itself: whether it is well, which release it is, what it counts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import bottle

from torc_core import __version__
from torc_core.errors import TorcError
from torc_core.records.resources import Job, Workflow
from torc_core.service.turn import Caller
from torc_core.status import BY_NUMBER
from torc_server import metrics as counts
from torc_server.app import PREFIX, refusal, written
from torc_server.callers import Identify, dialect_of
from torc_server.codec import encode
from torc_server.openapi import document
from torc_server.replies import Answer

if TYPE_CHECKING:
    from torc_core.service.local import LocalService
    from torc_server.hub import Hub

LOG = logging.getLogger("torc.server")


def add_system_routes(app: bottle.Bottle, service: LocalService, metrics: counts.Metrics, identify: Identify) -> None:
    """Add what is outside of operations. Health is told to everybody, the rest to whoever may log in."""

    def health() -> bottle.HTTPResponse:
        try:
            service.owner.read(lambda turn: turn.storage.count(Workflow), Caller())
        except TorcError as exc:
            LOG.warning("not healthy: %s", exc)
            return written(Answer(503, encode({"status": "unavailable", "message": str(exc)})))
        return written(Answer(200, encode({"status": "ok", "version": __version__})))

    def asked(answer: Callable[[], bottle.HTTPResponse]) -> Callable[[], bottle.HTTPResponse]:
        def handle() -> bottle.HTTPResponse:
            environ: dict[str, Any] = bottle.request.environ
            try:
                identify(environ, dialect_of(environ.get("HTTP_USER_AGENT", ""), False))
            except TorcError as exc:
                return refusal(exc)
            return answer()

        return handle

    def counted() -> Answer:
        return Answer(200, metrics.text().encode(), content_type=counts.CONTENT_TYPE)

    app.route("/health", "GET", health)
    app.route("/version", "GET", asked(lambda: written(Answer(200, encode(service.get_version())))))
    for path in ("/openapi.json", f"{PREFIX}/openapi.json"):
        app.route(path, "GET", asked(lambda: written(Answer(200, encode(document())))))
    app.route("/metrics", "GET", asked(lambda: written(counted())))


def add_gauges(metrics: counts.Metrics, service: LocalService, hub: Hub) -> None:
    """Have the metrics tell where things stand."""

    def jobs() -> counts.Labeled:
        found = service.owner.read(lambda turn: turn.storage.tally(Job, "status"), Caller())
        return {(("status", str(status)),): found.get(number, 0) for number, status in enumerate(BY_NUMBER)}

    metrics.gauge("torc_jobs", "Jobs of all workflows by status.", jobs)
    metrics.gauge("torc_waiting_requests", "Requests that wait for something to happen.", lambda: len(hub.waiting))
    metrics.gauge("torc_event_streams", "Listeners of events.", lambda: len(hub.streams))
    metrics.gauge("torc_connections", "Open connections.", lambda: hub.size)
    info: counts.Labeled = {(("version", __version__),): 1.0}
    metrics.gauge("torc_info", "The release.", lambda: info)
