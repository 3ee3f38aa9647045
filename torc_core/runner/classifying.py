"""Asks plugins about failures, in a thread of its own: they may read logs or ask somebody far away."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from torc_core.errors import PluginError

if TYPE_CHECKING:
    from torc_core.contracts.failure import Classify, Decision
    from torc_core.records.answers import FinishedJob, JobLaunch

LONGEST_SECONDS = 60.0
"""An answer that takes longer is not waited for."""


class Question(NamedTuple):
    """About one attempt; ``log_files`` by the name of the stream."""

    key: tuple[int, int]
    job: JobLaunch
    result: FinishedJob
    log_files: Mapping[str, str]


class Classifier:
    """One question after the other. A plugin that does not answer in time is not asked again."""

    def __init__(self, classify: Classify, wake: Callable[[], None], say: Callable[[str, str], None]) -> None:
        self._classify, self._wake, self._say = classify, wake, say
        self._questions: queue.SimpleQueue[Question | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[tuple[int, int], Decision | None, str]] = queue.SimpleQueue()
        self._open: dict[tuple[int, int], float] = {}  # with the latest time for an answer, in the order of asking
        self._thread: threading.Thread | None = None
        self._troubles: set[str] = set()
        self.is_closed = False

    def ask(self, job: JobLaunch, result: FinishedJob, log_files: Mapping[str, str], now: float) -> None:
        """Ask about an attempt, unless it is closed."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="classifier", daemon=True)
            self._thread.start()
        before = next(reversed(self._open.values()), now)  # it has to wait for those
        key = job.id, job.attempt_id
        self._open[key] = max(before, now) + LONGEST_SECONDS
        self._questions.put(Question(key, job.changed(), result.changed(), log_files))

    def _work(self) -> None:
        while (question := self._questions.get()) is not None:
            decision, trouble = None, ""
            try:
                decision = self._classify(question.job, question.result, question.job.attempt_id, question.log_files)
            except PluginError as exc:
                trouble = str(exc)
            except Exception as exc:  # noqa: BLE001  (whoever asked waits for an answer)
                trouble = repr(exc)
            self._answers.put((question.key, decision, trouble))
            self._wake()

    def answers(self, now: float) -> Iterator[tuple[tuple[int, int], Decision | None]]:
        """Yield what is decided by now; None leaves it to the rules."""
        while not self._answers.empty():
            key, decision, trouble = self._answers.get()
            if trouble and trouble not in self._troubles:
                self._troubles.add(trouble)
                self._say(f"{trouble}; failures are left to their rules", "WARN")
            if self._open.pop(key, None) is not None:
                yield key, decision
        if self._open and now >= next(iter(self._open.values())):
            self._say(f"no plugin has judged a failure within {LONGEST_SECONDS:g} s: they are not asked again", "WARN")
            self.close()
            left = list(self._open)
            self._open.clear()
            for key in left:
                yield key, None

    def next_at(self) -> float | None:
        """Return when the first answer is late."""
        return next(iter(self._open.values()), None)

    def close(self) -> None:
        """Ask nothing more."""
        self.is_closed = True
        self._questions.put(None)
