"""What a server counts, in the text form of Prometheus."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_BATCHES = (1, 2, 4, 8, 16, 32, 64)
Labeled = Mapping[tuple[tuple[str, str], ...], float]
Gauge = Callable[[], float | Labeled]
"""Returns a number, or numbers by labels."""


class Histogram:
    """How often values were at most so large."""

    def __init__(self, limits: tuple[float, ...]) -> None:
        self._limits = limits
        self._counts = [0] * (len(limits) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Count a value; one thread at a time."""
        self._counts[bisect_left(self._limits, value)] += 1
        self._sum += value

    def lines(self, name: str, labels: str = "") -> Iterator[str]:
        """Yield the lines of the text form."""
        total = 0
        before = f"{labels}," if labels else ""
        for limit, count in zip((*self._limits, "+Inf"), self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{{before}le="{limit}"}} {total}'
        after = f"{{{labels}}}" if labels else ""
        yield f"{name}_sum{after} {self._sum:.6f}"
        yield f"{name}_count{after} {total}"


class Metrics:
    """Counts of one server. For any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds: dict[str, Histogram] = {}
        self._batches = Histogram(_BATCHES)
        self._gauges: list[tuple[str, str, Gauge]] = []
        self._began = time.time()

    def observe(self, operation: str, status: int, seconds: float) -> None:
        """Count an answer."""
        with self._lock:
            self._requests[operation, status] += 1
            histogram = self._seconds.get(operation)
            if histogram is None:
                histogram = self._seconds[operation] = Histogram(_BUCKETS)
            histogram.add(seconds)

    def observe_batch(self, size: int) -> None:
        """Count a transaction with so many requests in it."""
        with self._lock:
            self._batches.add(size)

    def gauge(self, name: str, doc: str, read: Gauge) -> None:
        """Add something that is looked at whenever it is asked for."""
        self._gauges.append((name, doc, read))

    def text(self) -> str:
        """Return everything."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        with self._lock:
            requests = sorted(self._requests.items())
            seconds = [(name, list(h.lines("torc_request_seconds", f'operation="{name}"'))) for name, h in
                       sorted(self._seconds.items())]  # fmt: skip
            batches = list(self._batches.lines("torc_transaction_requests"))
        yield from _head("torc_requests_total", "counter", "Answers by operation and status.")
        for (name, status), count in requests:
            yield f'torc_requests_total{{operation="{name}",status="{status}"}} {count}'
        yield from _head("torc_request_seconds", "histogram", "Time from a whole request to its answer.")
        for _, lines in seconds:
            yield from lines
        yield from _head("torc_transaction_requests", "histogram", "Requests that were stored by one transaction.")
        yield from batches
        yield from _head("torc_start_time_seconds", "gauge", "When the server started, in seconds since 1970.")
        yield f"torc_start_time_seconds {self._began:.3f}"
        for name, doc, read in self._gauges:
            yield from _head(name, "gauge", doc)
            found = read()
            for labels, value in ({(): found} if isinstance(found, int | float) else found).items():
                shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
                yield f"{name}{{{shown}}} {value}" if shown else f"{name} {value}"


def _head(name: str, kind: str, doc: str) -> tuple[str, str]:
    return f"# HELP {name} {doc}", f"# TYPE {name} {kind}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
