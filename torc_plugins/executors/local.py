"""Run commands on this machine: one process group each, no polling, no thread per command where pidfds exist."""

from __future__ import annotations

import errno
import heapq
import os
import select
import shlex
import signal
import time
from collections.abc import Collection, Mapping, Sequence

from torc_core.contracts.executor import Capabilities, Executor, Handle, LaunchRequest, Observation, SubmitError
from torc_core.problems import Problem
from torc_plugins.executors.local_command import bash_argv, direct_argv, find_program, in_directory
from torc_plugins.executors.local_processes import (
    Former,
    boot_id,
    group_members,
    leaders_with,
    own_peak_kib,
    signal_group,
    ticks_since_boot,
)
from torc_plugins.executors.local_waiting import Waiter, best_waiter

_LOG_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_MODE = 0o666
# Python ignores these two; what it starts should not. Its handlers for other signals end with exec anyway.
_DEFAULT_SIGNALS = [signal.SIGPIPE, signal.SIGXFSZ]
_LOOK_SECONDS = 0.05  # how often a group is looked at whose leader has obeyed SIGTERM
_REMEMBERED = 4096  # ended commands that poll() still knows
_CLOSE_SECONDS = 5.0  # how long close() waits for killed commands
_PEAK_MARGIN_KIB = 2048  # the kernel's counts are that rough


class _Child:
    """A command that runs, or whose group is being ended."""

    __slots__ = (
        "ended_at", "expires_at", "gentle", "handle", "kill_at", "lingers", "pid", "reason", "started_at",
        "started_wall",
    )  # fmt: skip

    def __init__(self, pid: int, handle: Handle, gentle: bool, started_at: float, started_wall: float) -> None:
        self.pid = pid
        self.handle = handle
        self.gentle = gentle
        self.started_at = started_at  # monotonic, as all times here but started_wall
        self.started_wall = started_wall
        self.expires_at: float | None = None  # its walltime is over then
        self.kill_at: float | None = None  # it has got SIGTERM and gets SIGKILL then
        self.reason: str | None = None
        self.ended_at: float | None = None
        self.lingers = False  # the leader has ended after SIGTERM, others of its group have not


class LocalExecutor(Executor):
    """Starts commands as children of this process; each leads a session of its own, without a terminal.

    A handle's id is ``pid:start:boot``. Handles do not outlive the object, with one exception: ``poll`` and ``cancel``
    recognise commands that a former object on this machine left behind, so that they can be ended.
    """

    name = "local"
    capabilities = Capabilities(runs_locally=True, enforces_walltime=True, reports_usage=True, max_batch=1000)

    def __init__(self, grace_seconds: float = 30.0, waiter: Waiter | None = None) -> None:
        """``grace_seconds`` is what commands with ``supports_termination`` get when their walltime is over."""
        self._grace_seconds = grace_seconds
        self._waiter = waiter or best_waiter()
        self._null = os.open(os.devnull, os.O_RDWR)
        self._boot = boot_id()
        self._children: dict[int, _Child] = {}
        self._pids: dict[Handle, int] = {}
        self._former: dict[Handle, tuple[Former, float]] = {}  # with the time to kill
        self._alarms: list[tuple[float, int, _Child]] = []
        self._alarm_count = 0
        self._ready: list[tuple[Handle, Observation]] = []  # ended, not yet told by ended()
        self._known: dict[Handle, Observation] = {}
        self._own_peak_kib = own_peak_kib()

    def check(self) -> list[Problem]:
        """Return a problem when there is no bash."""
        path = os.environ.get("PATH", os.defpath)
        if find_program("bash", path) or find_program("/bin/bash", path):
            return []
        return [Problem("no-bash", f"there is no bash in {path}", hint="Install bash or extend PATH")]

    def render(self, request: LaunchRequest) -> str:
        """Return the command line that would be run, quoted for a shell."""
        env = request.env
        program, argv = _argv(request, direct_argv(request.command, env) or bash_argv(request.command, env))
        return shlex.join([program, *argv[1:]])

    def submit(self, requests: Sequence[LaunchRequest]) -> list[Handle | SubmitError]:
        """Start the commands."""
        return [self._start(request) for request in requests]

    def _start(self, request: LaunchRequest) -> Handle | SubmitError:
        started_at, started_wall, ticks = time.monotonic(), time.time(), ticks_since_boot()
        try:
            pid = self._spawn(request)
        except (OSError, ValueError) as exc:
            return SubmitError(request.key, f"cannot start {request.name!r}: {_explain(exc, request)}")
        try:
            self._waiter.add(pid)
        except OSError as exc:
            signal_group(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            reason = f"{exc.strerror or exc}; a running command needs a file descriptor, see ulimit -n"
            return SubmitError(request.key, f"cannot start {request.name!r}: {reason}")
        handle = Handle("local", f"{pid}:{ticks}:{self._boot}")
        child = _Child(pid, handle, request.supports_termination, started_at, started_wall)
        self._children[pid] = child
        self._pids[handle] = pid
        if request.walltime_seconds is not None:
            child.expires_at = started_at + request.walltime_seconds
            self._set_alarm(child.expires_at, child)
        return handle

    def _spawn(self, request: LaunchRequest) -> int:
        env = request.env
        if request.cwd is not None and not os.path.isdir(request.cwd):  # noqa: PTH112
            raise NotADirectoryError(f"working directory {request.cwd!r} is not there")
        actions = self._file_actions(request)
        direct = direct_argv(request.command, env)
        if direct is not None:
            try:
                return _spawn(_argv(request, direct), env, actions)
            except OSError:
                # No interpreter, not a program, gone since it was found: bash says what, with the code people know.
                pass
        return _spawn(_argv(request, bash_argv(request.command, env)), env, actions)

    def _file_actions(self, request: LaunchRequest) -> list[tuple[object, ...]]:
        null, stdout, stderr = self._null, request.stdout, request.stderr
        actions: list[tuple[object, ...]] = [(os.POSIX_SPAWN_DUP2, null, 0)]
        for fd, path in ((1, stdout), (2, stderr)):
            if path is None:
                actions.append((os.POSIX_SPAWN_DUP2, null, fd))
            elif fd == 2 and path == stdout:
                actions.append((os.POSIX_SPAWN_DUP2, 1, 2))
            else:
                actions.append((os.POSIX_SPAWN_OPEN, fd, path, _LOG_FLAGS, _MODE))
        return actions

    def poll(self, handles: Collection[Handle]) -> dict[Handle, Observation]:
        """Return what is known; of ended commands the latest few thousand are."""
        self._collect()
        return {handle: self._observe(handle) for handle in handles}

    def _observe(self, handle: Handle) -> Observation:
        pid = self._pids.get(handle)
        if pid is not None:
            return Observation("running", started_at=self._children[pid].started_wall)
        former = None if handle in self._known else Former.of(handle.id, self._boot)
        if former is not None and former.is_alive():
            return Observation("running")
        return self._known.get(handle, Observation("lost"))

    def wake_fd(self) -> int | None:
        """Return the descriptor that is readable while a command has ended."""
        return self._waiter.fd

    def deadline(self) -> float | None:
        """Return when a walltime or a grace is over."""
        if self._ready:
            return 0.0
        return self._alarms[0][0] if self._alarms else None

    def ended(self) -> list[tuple[Handle, Observation]]:
        """Return the commands that have ended since the last call."""
        self._collect()
        ready, self._ready = self._ready, []
        return ready

    def _collect(self) -> None:
        now = time.monotonic()
        for pid in self._waiter.take():
            child = self._children[pid]
            child.ended_at = now
            if child.reason is not None and self._leaves_others(child):
                child.lingers = True
                self._set_alarm(now + _LOOK_SECONDS, child)
            else:
                self._finish(child)
        alarms = self._alarms
        while alarms and alarms[0][0] <= now:
            child = heapq.heappop(alarms)[2]
            if self._children.get(child.pid) is child:
                self._attend(child, now)

    def _leaves_others(self, child: _Child) -> bool:
        """Say whether a leader that obeyed SIGTERM leaves processes with a right to the rest of the grace."""
        return child.kill_at is not None and bool(group_members(child.pid))

    def _attend(self, child: _Child, now: float) -> None:
        """Do what an alarm of a child was for; it may have become pointless."""
        if child.kill_at is not None and now >= child.kill_at:
            self._kill(child)
        elif child.lingers:
            if self._leaves_others(child):
                self._set_alarm(now + _LOOK_SECONDS, child)
            else:
                self._finish(child)
        elif child.reason is None and child.expires_at is not None and now >= child.expires_at:
            self._end(child, "timeout", self._grace_seconds)

    def _end(self, child: _Child, reason: str, grace_seconds: float) -> None:
        """Begin to end a child, or hurry when that has begun."""
        child.reason = child.reason or reason
        kill_at = time.monotonic() + grace_seconds
        if not child.gentle or grace_seconds <= 0:
            self._kill(child)
        elif child.kill_at is None or kill_at < child.kill_at:
            if child.kill_at is None:
                signal_group(child.pid, signal.SIGTERM)
            child.kill_at = kill_at
            self._set_alarm(kill_at, child)

    def _kill(self, child: _Child) -> None:
        child.kill_at = None
        if child.lingers:
            self._finish(child)
        else:
            signal_group(child.pid, signal.SIGKILL)

    def _finish(self, child: _Child) -> None:
        """Take the exit status of a child that has ended."""
        pid = child.pid
        if child.reason is not None:
            signal_group(pid, signal.SIGKILL)  # what is left of it; the number is its own until the next line
        _, status, usage = os.wait4(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        del self._children[pid]
        del self._pids[child.handle]
        assert child.ended_at is not None
        observation = Observation(
            "done",
            code if code >= 0 else None,
            None if code >= 0 else -code,
            child.started_wall,
            child.started_wall + child.ended_at - child.started_at,
            None,
            self._peak_bytes(usage.ru_maxrss),
            usage.ru_utime + usage.ru_stime,
            child.reason,
        )
        self._ready.append((child.handle, observation))
        known = self._known
        known[child.handle] = observation
        if len(known) > _REMEMBERED:
            del known[next(iter(known))]

    def _peak_bytes(self, peak_kib: int) -> int | None:
        """Return the peak of a command, or None when it is below what this process has had.

        Until exec a child shares the memory of this process, and Linux counts that as the child's (measured).
        """
        if peak_kib <= self._own_peak_kib + _PEAK_MARGIN_KIB:
            return None
        self._own_peak_kib = own_peak_kib()
        return peak_kib * 1024 if peak_kib > self._own_peak_kib + _PEAK_MARGIN_KIB else None

    def _set_alarm(self, when: float, child: _Child) -> None:
        alarms = self._alarms
        if len(alarms) > 64 + 4 * len(self._children):  # most are of children that have ended
            self._alarms = alarms = [alarm for alarm in alarms if self._children.get(alarm[2].pid) is alarm[2]]
            heapq.heapify(alarms)
        self._alarm_count += 1
        heapq.heappush(alarms, (when, self._alarm_count, child))

    def find(self, variable: str, value: str) -> list[Handle]:
        """Return the leaders of process groups that have the variable."""
        boot = self._boot
        return [
            Handle(self.name, f"{pid}:{facts.started}:{boot}") for pid, facts in leaders_with(f"{variable}={value}")
        ]

    def cancel(self, handles: Collection[Handle], grace_seconds: float) -> None:
        """End the commands; leftovers of former objects are killed at once."""
        for handle in handles:
            pid = self._pids.get(handle)
            if pid is not None:
                self._end(self._children[pid], "canceled", grace_seconds)
            elif handle not in self._known:
                former = Former.of(handle.id, self._boot)
                if former is not None:
                    former.signal(signal.SIGKILL)

    def close(self) -> None:
        """Kill what still runs and wait for it, a few seconds at most."""
        if self._null < 0:
            return
        for child in list(self._children.values()):
            child.reason = child.reason or "canceled"
            self._kill(child)
        news = select.poll()
        news.register(self._waiter.fd, select.POLLIN)
        give_up_at = time.monotonic() + _CLOSE_SECONDS
        while self._children and time.monotonic() < give_up_at:
            news.poll(100)
            self._collect()
        if not self._children:
            self._waiter.close()
        os.close(self._null)
        self._null = -1


def _argv(request: LaunchRequest, plain: tuple[str, list[str]]) -> tuple[str, list[str]]:
    if request.cwd is None:
        return plain
    return in_directory(request.cwd, plain[1], request.env)


def _spawn(command: tuple[str, list[str]], env: Mapping[str, str], actions: list[tuple[object, ...]]) -> int:
    return os.posix_spawn(
        command[0], command[1], env, file_actions=actions, setsid=True, setsigmask=(), setsigdef=_DEFAULT_SIGNALS
    )


def _explain(exc: OSError | ValueError, request: LaunchRequest) -> str:
    """Say what is wrong; the error of posix_spawn names the program even when a log file was the trouble."""
    if isinstance(exc, OSError) and exc.errno == errno.E2BIG:
        size = len(os.fsencode(request.command))
        return f"the command ({size:,} bytes) or a variable is longer than the system takes; put it into a file"
    for path in (request.stdout, request.stderr):
        folder = os.path.dirname(path or "") or "."  # noqa: PTH120
        if path is not None and not os.access(folder, os.W_OK):
            return f"log file {path!r} cannot be written"
    return exc.strerror or str(exc) if isinstance(exc, OSError) else str(exc)
