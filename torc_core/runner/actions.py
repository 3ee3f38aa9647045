"""Actions that a runner was given: commands one after the other beside its jobs, nodes asked for in a thread.

Each step is reported with a turn. A runner that is stopped before an action is done gives it back, with what was done;
one that is killed loses it to another runner, which begins with the command that had not been reported (at least once).
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from torc_core.contracts.executor import SubmitError
from torc_core.records.actions import ActionRunStatus
from torc_core.records.answers.actions import ActionReport
from torc_core.runner.allocating import Allocator
from torc_core.runner.companions import Companion
from torc_core.runner.outcomes import NOT_STARTED_CODE, Outcome, outcome
from torc_core.runner.stopping import END, KILL
from torc_core.spec.choices import ActionType
from torc_core.status import JobStatus

if TYPE_CHECKING:
    from torc_core.contracts.executor import Handle, LaunchRequest, Observation
    from torc_core.records.answers.actions import ActionLaunch
    from torc_core.runner.companions import Scene

_STOPPED = "the runner was stopped"
_TAIL_BYTES = 4096  # of what a command wrote that are kept with the record


class _Commands:
    """An action of which the commands run."""

    __slots__ = ("action", "commands", "done", "handle", "request")

    def __init__(self, action: ActionLaunch) -> None:
        self.action = action
        self.commands: list[str] = list(action.action_config["commands"])
        self.done = action.done
        self.handle: Handle | None = None
        self.request: LaunchRequest | None = None


class Actions(Companion):
    """Carries out what turns bring. Actions run beside each other, the commands of one follow each other."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._allocator = Allocator(scene)
        self._begun: set[int] = set()  # an answer may give again what an earlier one gave
        self._running: dict[int, _Commands] = {}
        self._allocating: dict[int, ActionLaunch] = {}
        self._said: SimpleQueue[ActionReport] = SimpleQueue()  # by threads
        self._level = 0
        self._refused: set[str] = set()  # kinds of actions that this runner cannot carry out
        self._folder = Path(scene.options.output_dir).absolute()
        scene.turns.actions.can_run = [str(ActionType.RUN_COMMANDS)]

    @property
    def is_busy(self) -> bool:
        """Whether anything runs, waits to begin or is to be told."""
        mail = self._scene.turns.actions
        return bool(self._running or self._allocating or mail.given or mail.reports)

    def next_at(self) -> float | None:
        """Begin at once what a turn has brought."""
        return 0.0 if self._scene.turns.actions.given else None

    def wake_up(self, now: float) -> None:
        """Begin what was given, and tell what threads have done."""
        mail = self._scene.turns.actions
        self._learn(mail.unable)
        mail.unable = ()
        given, mail.given = mail.given, deque()
        for action in given:
            if action.action_run_id not in self._begun:
                self._begun.add(action.action_run_id)
                self._begin(action)
        while not self._said.empty():
            report = self._said.get()
            if report.status is not ActionRunStatus.RUNNING:
                self._tell_end(report, self._allocating.pop(report.action_run_id or 0, None))
            mail.add(report)

    def lets_go(self) -> bool:
        """Ask for what is due when a runner leaves, once; then let it leave."""
        mail = self._scene.turns.actions
        if self._level >= KILL or mail.is_leaving or not mail.has_more_for_the_end:
            return True
        mail.leave()
        return False

    def _learn(self, kinds: tuple[str, ...]) -> None:
        """Find out whether this runner could do what is due and was not given to it."""
        mail = self._scene.turns.actions
        for kind in kinds:
            if kind in mail.can_run or kind in self._refused:
                continue
            if self._allocator.can(kind):
                mail.can_run = [*mail.can_run, kind]
                mail.is_urgent = True
            else:
                self._refused.add(kind)

    def _begin(self, action: ActionLaunch) -> None:
        if self._level >= KILL:
            self._give_back(action, action.done)
        elif action.action_type == ActionType.RUN_COMMANDS:
            self._scene.voice.tell(f"action {action.action_id} ({action.trigger_type}) runs its commands")
            run = self._running[action.action_run_id] = _Commands(action)
            self._next_command(run)
        else:
            self._scene.voice.tell(f"action {action.action_id} ({action.trigger_type}) asks for nodes")
            self._allocating[action.action_run_id] = action
            self._allocator.begin(action, self._hear)

    def _hear(self, report: ActionReport) -> None:
        self._said.put(report)
        self._scene.wake()

    def _next_command(self, run: _Commands) -> None:
        if run.done >= len(run.commands):
            self._end(run, ActionRunStatus.COMPLETED, Outcome(JobStatus.COMPLETED, 0))
            return
        command = run.commands[run.done]
        seconds = self._scene.limits.sigterm_lead_seconds if self._level >= END else None
        run.request = self._scene.launcher.action_request(
            run.action, run.done + 1, command, self._scene.compute_node_id, seconds
        )
        answer = self._scene.side.start(run.request, lambda seen: self._ended(run, seen))
        if isinstance(answer, SubmitError):
            self._end(run, ActionRunStatus.FAILED, Outcome(JobStatus.FAILED, NOT_STARTED_CODE, answer.message))
        else:
            run.handle = answer

    def _ended(self, run: _Commands, seen: Observation) -> None:
        run.handle = None
        if seen.reason == "canceled":
            del self._running[run.action.action_run_id]
            self._give_back(run.action, run.done)
            return
        result = outcome(seen, self._scene.limits)
        if result.return_code != 0:
            self._end(run, ActionRunStatus.FAILED, result)
            return
        run.done += 1
        if run.done < len(run.commands):
            self._report(run.action, ActionRunStatus.RUNNING, done=run.done)
        self._next_command(run)

    def _end(self, run: _Commands, status: ActionRunStatus, result: Outcome) -> None:
        """Report how an action went; after a failure the commands that are left are not run."""
        del self._running[run.action.action_run_id]
        failed = run.commands[run.done] if status is ActionRunStatus.FAILED else None
        log, text = _last_words(run.request)
        self._report(
            run.action, status, done=run.done, return_code=result.return_code, command=failed, reason=result.reason,
            output=text, log=log,
        )  # fmt: skip

    def _give_back(self, action: ActionLaunch, done: int) -> None:
        self._report(action, ActionRunStatus.LOST, done=done, reason=_STOPPED)

    def _report(self, action: ActionLaunch, status: ActionRunStatus, **more: Any) -> None:
        report = ActionReport(action_run_id=action.action_run_id, status=status, **more)
        if status is not ActionRunStatus.RUNNING:
            self._tell_end(report, action)
        self._scene.turns.actions.add(report)

    def _tell_end(self, report: ActionReport, action: ActionLaunch | None = None) -> None:
        what = f"action {action.action_id} ({action.trigger_type})" if action else "an action"
        if report.status is ActionRunStatus.COMPLETED:
            self._scene.voice.tell(f"{what} is done")
        elif report.status is ActionRunStatus.LOST:
            self._scene.voice.say(f"{what} is given back: {report.reason}", "WARN")
        else:
            code = "" if report.return_code is None else f" with code {report.return_code}"
            why = f": {report.reason}" if report.reason else ""
            where = f", see {report.log}" if report.log else ""
            command = f" at {report.command!r}" if report.command else ""
            self._scene.voice.say(f"{what} failed{command}{code}{why}{where}", "WARN")

    def stop(self, level: int) -> None:
        """Let commands end (1), end them with time to clean up (2), or kill them (3)."""
        self._level = level
        self._scene.turns.actions.is_closed = True
        if level >= END:
            handles = [run.handle for run in self._running.values() if run.handle is not None]
            self._scene.side.cancel(handles, self._scene.limits.sigterm_lead_seconds if level == END else 0.0)

    def close(self) -> None:
        """Wait for threads that ask for nodes: what they asked for has to be written down."""
        self._allocator.close()


def _last_words(request: LaunchRequest | None) -> tuple[str | None, str | None]:
    """Return the log file of a command that most likely says how it went, and how that ends."""
    if request is None:
        return None, None
    for path in (request.stderr, request.stdout):
        text = _tail(path)
        if text:
            return path, text
    return request.stdout, None


def _tail(path: str | None) -> str | None:
    """Return the end of a file, None when there is nothing in it."""
    if path is None:
        return None
    try:
        with Path(path).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return None
    return text or None
