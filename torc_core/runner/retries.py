"""What becomes of attempts that failed here: decided by plugins and rules, prepared by recovery scripts, then reported.

Up to its report an attempt counts as running, so nobody else can be given the job meanwhile.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from torc_core import reasons
from torc_core.contracts.executor import SubmitError
from torc_core.contracts.failure import Decision, Verdict
from torc_core.engine.failures import decide, read_rules, rule_for
from torc_core.runner.companions import Companion
from torc_core.runner.outcomes import NOT_STARTED_CODE, outcome
from torc_core.runner.stopping import END, KILL
from torc_core.status import JobStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from torc_core.contracts.executor import Handle, Observation
    from torc_core.engine.failures import Rule
    from torc_core.records.answers import FinishedJob, JobLaunch
    from torc_core.runner.classifying import Classifier
    from torc_core.runner.companions import Scene
    from torc_core.runner.output_files import Streams

Key = tuple[int, int]
"""Job and attempt."""
_UNTOLD = f"not finished: {reasons.RUNNER_GONE}"
_NOT_RUN = "not run: the runner was stopped"


class _Kept:
    """An attempt that is not reported yet."""

    __slots__ = ("builtin", "decision", "gpu_ids", "handle", "job", "log", "result")

    def __init__(self, job: JobLaunch, result: FinishedJob, builtin: Decision) -> None:
        self.job = job
        self.result = result
        self.builtin = builtin  # what the rules say
        self.decision = builtin
        self.gpu_ids: tuple[str, ...] = ()
        self.handle: Handle | None = None
        self.log = ""

    @property
    def key(self) -> Key:
        return self.job.id, self.job.attempt_id


class Retries(Companion):
    """Keeps attempts back that failed until it is known what becomes of their jobs."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._kept: dict[Key, _Kept] = {}
        self._to_run: deque[_Kept] = deque()  # their scripts wait for room
        self._classifier: Classifier | None = None
        self._has_asked = False
        self._stop_level = 0
        self._kill_at: float | None = None
        scene.jobs.retries = self

    @property
    def is_busy(self) -> bool:
        """Whether an attempt is kept back."""
        return bool(self._kept)

    def held(self) -> list[Key]:
        """Return the attempts kept back."""
        return list(self._kept)

    def keep_back(self, job: JobLaunch, result: FinishedJob, streams: Streams | None) -> bool:
        """Decide about an attempt that did not succeed; returns whether to report it later.

        What the runner itself ended runs again anyway, unless a rule for its code is used up.
        """
        rules, was_ended = self._rules(job), result.again
        decision = decide(
            rules, result.status, result.return_code, job.attempt_id, asks=job.asks_on_failure and not was_ended
        )
        if decision is None or (was_ended and rule_for(rules, result.return_code) is None):
            return False
        kept = _Kept(job, result, decision)
        classifier = None if was_ended or self._stop_level >= KILL else self._who_judges()
        if classifier is None:
            return self._carry_out(kept)
        self._keep(kept)
        logs = {} if streams is None else {"stdout": streams.stdout, "stderr": streams.stderr}
        found = {name: path for name, path in logs.items() if path is not None}
        classifier.ask(job, result, found, time.monotonic())
        return True

    def _rules(self, job: JobLaunch) -> Sequence[Rule]:
        try:
            return read_rules(job.failure_rules)
        except ValueError as exc:
            self._scene.voice.say(f"the failure handler of job {job.name!r} is of no use: {exc}", "WARN")
            return ()

    def _who_judges(self) -> Classifier | None:
        """Return whom to ask before the rules."""
        scene = self._scene
        if not self._has_asked:
            self._has_asked = True
            classify = scene.host.failure_classifier() if scene.host is not None else None
            if classify is not None:
                from torc_core.runner.classifying import Classifier

                self._classifier = Classifier(classify, scene.wake, scene.voice.say)
        return None if self._classifier is None or self._classifier.is_closed else self._classifier

    def _carry_out(self, kept: _Kept) -> bool:
        """Write a decision into the report; returns whether a script comes before it."""
        result, decision = kept.result, kept.decision
        _write(decision, result)
        if not result.again or decision.recovery_script is None:
            return False
        if self._stop_level >= KILL:
            result.recovery = {"reason": _NOT_RUN}
            return False
        self._keep(kept)
        self._to_run.append(kept)
        self._start_scripts()
        return kept.key in self._kept

    def _keep(self, kept: _Kept) -> None:
        """Keep an attempt back; should this runner be killed, it is reported as the rules want it."""
        self._kept[kept.key] = kept
        told = kept.result.changed()
        _write(kept.builtin, told)
        if told.again and kept.builtin.recovery_script is not None:
            told.recovery = {"reason": _UNTOLD}
        self._scene.journal.write_kept(told)

    # recovery scripts

    def _start_scripts(self) -> None:
        """Start the scripts that there is room for; they have what their jobs had."""
        while self._to_run and self._scene.jobs.has_room(self._to_run[0].job):
            self._start_script(self._to_run.popleft())

    def _start_script(self, kept: _Kept) -> None:
        scene, job = self._scene, kept.job
        kept.gpu_ids = scene.jobs.reserve(job)
        script = kept.decision.recovery_script or ""
        request = scene.launcher.recovery_request(job, kept.result.return_code, script, kept.gpu_ids)
        kept.log = request.stdout or ""
        scene.voice.tell(f"job {job.name!r} failed ({kept.decision.reason}): its recovery script runs")
        answer = scene.side.start(request, lambda seen: self._script_ended(kept, seen))
        if isinstance(answer, SubmitError):
            self._release(kept, NOT_STARTED_CODE, answer.message)
            return
        kept.handle = answer
        scene.journal.write([(job.id, job.attempt_id, *answer)], [])

    def _script_ended(self, kept: _Kept, seen: Observation) -> None:
        code, reason = outcome(seen, self._scene.limits)[1:]
        self._release(kept, code, reason)

    def _release(self, kept: _Kept, code: int, reason: str | None) -> None:
        scene, job = self._scene, kept.job
        scene.jobs.free(job, kept.gpu_ids)
        recovery: dict[str, Any] = {"return_code": code, "log": kept.log}
        if reason is not None:
            recovery["reason"] = reason
        kept.result.recovery = recovery
        if code != 0:
            why = f" ({reason})" if reason else ""
            scene.voice.say(
                f"the recovery script of job {job.name!r} ended with code {code}{why}, see {kept.log};"
                " the job is tried again nevertheless", "WARN",
            )  # fmt: skip
        self._report(kept)

    def _report(self, kept: _Kept) -> None:
        if self._kept.pop(kept.key, None) is not None:
            self._scene.jobs.new_ends.append((kept.job, kept.result))

    # what the loop asks

    def wake_up(self, now: float) -> None:
        """Take the answers of plugins, start scripts, end those whose time is over."""
        if self._classifier is not None:
            for key, decision in self._classifier.answers(now):
                kept = self._kept.get(key)
                if kept is not None:
                    self._take_answer(kept, decision)
        self._start_scripts()
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            self.end_all(0.0)

    def _take_answer(self, kept: _Kept, decision: Decision | None) -> None:
        kept.decision = decision or kept.builtin
        if decision is not None and decision.reason and decision.verdict is not Verdict.RETRY:
            known = kept.result.reason  # whoever decides about the job should know why it was asked, or given up
            kept.result.reason = f"{known}; {decision.reason}" if known else decision.reason
        if not self._carry_out(kept):
            self._report(kept)

    def next_at(self) -> float | None:
        """Return when a plugin has had time enough, or scripts have."""
        times = [self._kill_at, self._classifier.next_at() if self._classifier is not None else None]
        return min((at for at in times if at is not None), default=None)

    def stop(self, level: int) -> None:
        """Give what is under way as long as jobs have that are ended gently; nothing when they are killed."""
        self._stop_level = max(level, self._stop_level)
        if level >= KILL:
            self.end_all(0.0)
        elif level >= END:
            self._kill_at = time.monotonic() + self._scene.limits.sigterm_lead_seconds

    def end_all(self, grace_seconds: float) -> None:
        """End all scripts and report what is kept back, by the rules where a plugin is being asked."""
        self._to_run.clear()
        self._scene.side.cancel([kept.handle for kept in self._kept.values() if kept.handle is not None], grace_seconds)
        for kept in list(self._kept.values()):
            if kept.handle is None:
                _write(kept.decision, kept.result)
                if kept.result.again and kept.decision.recovery_script is not None:
                    kept.result.recovery = {"reason": _NOT_RUN}
                self._report(kept)

    def drop(self, job_ids: Collection[int], grace_seconds: float) -> list[str]:
        """Forget attempts of jobs that belong to somebody else; returns the names of those jobs."""
        gone = [kept for kept in self._kept.values() if kept.job.id in job_ids]
        for kept in gone:
            del self._kept[kept.key]
        self._to_run = deque(kept for kept in self._to_run if kept.key in self._kept)
        self._scene.side.cancel([kept.handle for kept in gone if kept.handle is not None], grace_seconds)
        return [kept.job.name for kept in gone]

    def close(self) -> None:
        """Ask nobody any more."""
        if self._classifier is not None:
            self._classifier.close()


def _write(decision: Decision, result: FinishedJob) -> None:
    """Write into a report what becomes of the job."""
    result.decided = decision.reason or None
    result.again = decision.verdict is Verdict.RETRY
    result.retry_delay_seconds = decision.delay_seconds if result.again else 0.0
    if decision.verdict is Verdict.ASK:
        result.status = JobStatus.PENDING_FAILED
