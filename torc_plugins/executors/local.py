"""Run commands on this machine: one process group each, no polling, no thread per command where pidfds exist."""

from __future__ import annotations

import heapq
import os
import select
import shlex
import signal
import time
from collections.abc import Callable, Collection, Mapping, Sequence

from torc_core.contracts.executor import (
    Capabilities,
    Executor,
    Handle,
    LaunchRequest,
    Observation,
    Processes,
    SubmitError,
)
from torc_core.problems import Problem
from torc_plugins import cgroups
from torc_plugins.cgroups import Cgroup, Cgroups
from torc_plugins.executors.local_command import (
    bash_argv,
    direct_argv,
    explain,
    find_program,
    has_interpreter,
    in_directory,
    in_group,
)
from torc_plugins.executors.local_ending import GIVE_UP_SECONDS, Child, Leftovers, kill, send_to_all
from torc_plugins.executors.local_processes import (
    Former,
    boot_id,
    marked_handles,
    signal_group,
    ticks_since_boot,
    worker_host,
)
from torc_plugins.executors.local_usage import Accounts, Ended, lacked_memory
from torc_plugins.executors.local_waiting import Waiter, best_waiter
from torc_plugins.procfs import Process

_LOG_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_MODE = 0o666
# Python ignores these two; what it starts should not. Its handlers for other signals end with exec anyway.
_DEFAULT_SIGNALS = [signal.SIGPIPE, signal.SIGXFSZ]
_REMEMBERED = 4096  # ended commands that poll() still knows
_CLOSE_SECONDS = 5.0  # how long close() waits for killed commands
_CLOSE_LOOK_MS = 10
_MANY = 32  # commands, from which on it pays to ask for the processor


class LocalExecutor(Executor):
    """Starts commands as children of this process; each leads a session of its own, without a terminal.

    A handle's id is ``pid:start:boot``. Handles do not outlive the object, with one exception: ``poll`` and ``cancel``
    recognise commands that a former object on this machine left behind, so that they can be ended.
    """

    name = "local"
    capabilities = Capabilities(
        runs_locally=True, enforces_walltime=True, reports_usage=True, allocates=True, max_batch=1000
    )

    def __init__(
        self, waiter: Waiter | None = None, find_cgroups: Callable[[], Cgroups | None] = cgroups.probe
    ) -> None:
        """``find_cgroups`` is called when the first command that should be in a control group starts."""
        self._waiter = waiter or best_waiter()
        self._null = os.open(os.devnull, os.O_RDWR)
        self._boot = boot_id()
        self._children: dict[int, Child] = {}
        self._pids: dict[Handle, int] = {}
        self._former: dict[Handle, tuple[Former, float]] = {}  # with the time to kill
        self._alarms: list[tuple[float, int, Child]] = []
        self._alarm_count = 0
        self._ready: list[tuple[Handle, Observation]] = []  # ended, not yet told by ended()
        self._known: dict[Handle, Observation] = {}
        self._accounts = Accounts()
        self._leftovers = Leftovers()
        self._find_cgroups: Callable[[], Cgroups | None] | None = find_cgroups
        self._cgroups: Cgroups | None = None
        self._until_many = _MANY

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
        """Start the commands; a request with ``allocation`` becomes a process that nobody here looks after."""
        if self._until_many > 0:
            self._until_many -= len(requests)
            if self._until_many <= 0:
                from torc_plugins.executors.local_latency import ask_for_short_slices

                ask_for_short_slices()
        return [
            self._start(request) if request.allocation is None else self._start_worker(request) for request in requests
        ]

    def _start_worker(self, request: LaunchRequest) -> Handle | SubmitError:
        ticks = ticks_since_boot()
        try:
            pid = self._spawn(request, None)
        except (OSError, ValueError) as exc:
            return SubmitError(request.key, f"cannot start {request.name!r}: {explain(exc, request)}")
        cgroups.set_free(pid)
        return Handle("local", f"{pid}:{ticks}:{self._boot}@{os.uname().nodename}")

    def _start(self, request: LaunchRequest) -> Handle | SubmitError:
        started_at, started_wall, ticks = time.monotonic(), time.time(), ticks_since_boot()
        if request.termination_signal not in signal.Signals.__members__:
            return SubmitError(request.key, f"cannot start {request.name!r}: no signal {request.termination_signal!r}")
        group = self._new_cgroup(request) if request.own_cgroup else None
        try:
            pid = self._spawn(request, group)
        except (OSError, ValueError) as exc:
            if group is not None:
                group.remove()
            return SubmitError(request.key, f"cannot start {request.name!r}: {explain(exc, request)}")
        try:
            self._waiter.add(pid)
        except OSError as exc:
            signal_group(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            reason = f"{exc.strerror or exc}; a running command needs a file descriptor, see ulimit -n"
            return SubmitError(request.key, f"cannot start {request.name!r}: {reason}")
        handle = Handle("local", f"{pid}:{ticks}:{self._boot}")
        child = Child(pid, handle, request, started_at, started_wall, ticks)
        self._children[pid] = child
        self._pids[handle] = pid
        child.cgroup = group
        if request.walltime_seconds is not None:
            child.expires_at = started_at + request.walltime_seconds
            self._set_alarm(child.expires_at, child)
        return handle

    def _new_cgroup(self, request: LaunchRequest) -> Cgroup | None:
        """Make a control group for a command, if there can be one."""
        if self._find_cgroups is not None:
            self._cgroups, self._find_cgroups = self._find_cgroups(), None
        if self._cgroups is None:
            return None
        try:
            group = self._cgroups.make()
        except OSError:
            return None
        if request.memory_limit_bytes:
            group.limit_memory(request.memory_limit_bytes)
        return group

    def _spawn(self, request: LaunchRequest, group: Cgroup | None) -> int:
        env = request.env
        if request.cwd is not None and not os.path.isdir(request.cwd):  # noqa: PTH112
            raise NotADirectoryError(f"working directory {request.cwd!r} is not there")
        actions = self._file_actions(request)
        direct = direct_argv(request.command, env)
        if direct is not None and (group is None or has_interpreter(direct[0])):
            try:
                return _spawn(_argv(request, direct, group), env, actions)
            except OSError:
                # No interpreter, not a program, gone since it was found: bash says what, with the code people know.
                pass
        return _spawn(_argv(request, bash_argv(request.command, env), group), env, actions)

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
        """Return what is known; of ended commands the latest few thousand are, of workers whether they live."""
        self._collect()
        here = os.uname().nodename
        return {handle: self._observe(handle) for handle in handles if worker_host(handle.id) in ("", here)}

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
        """Note what has ended, and do what is due: walltimes, kills, looks at what is left of commands."""
        now = time.monotonic()
        told: list[Child] = []  # those that were told to end, and of which others may be left
        for pid in self._waiter.take():
            child = self._children[pid]
            child.ended_at = now
            if child.reason is None and lacked_memory(child):
                child.reason = "memory"
            if child.reason is None:
                self._finish(child)
            else:
                child.lingers = True
                told.append(child)
        alarms = self._alarms
        late: list[Child] = []
        while alarms and alarms[0][0] <= now:
            child = heapq.heappop(alarms)[2]
            if self._children.get(child.pid) is not child:
                continue
            if child.lingers:
                told.append(child)
            elif child.kill_at is not None and now >= child.kill_at:
                self._kill(child)
            elif child.reason is None and child.expires_at is not None and now >= child.expires_at:
                late.append(child)
        if late:
            self._end_all(late, "timeout")
        if told:
            self._look_after(told, now)

    def _look_after(self, told: list[Child], now: float) -> None:
        """Finish commands that were told to end when nothing is left of them; what has no right to stay is killed."""
        left = self._leftovers.look(told)
        for child in told:
            others = left.get(child.number)
            if others is None or (child.killed_at is not None and now - child.killed_at > GIVE_UP_SECONDS):
                self._finish(child)
                continue
            if child.kill_at is None or now >= child.kill_at:
                self._kill(child, others)
            self._set_alarm(child.next_look(now), child)

    def _end_all(self, children: list[Child], reason: str, grace_seconds: float | None = None) -> None:
        """Begin to end commands, or hurry when that has begun; without a grace each has its own."""
        gentle = []
        for child in children:
            child.reason = child.reason or reason
            grace = child.grace_seconds if grace_seconds is None else grace_seconds
            kill_at = time.monotonic() + grace
            if not child.gentle or grace <= 0:
                self._kill(child)
                if child.lingers:
                    self._set_alarm(0.0, child)
            elif child.kill_at is None or kill_at < child.kill_at:
                if child.kill_at is None and child.killed_at is None:
                    gentle.append(child)
                child.kill_at = kill_at
                self._set_alarm(kill_at, child)
        if gentle:
            others = self._leftovers.look(gentle)
            for child in gentle:
                send_to_all(child, child.signal, others.get(child.number, ()))

    def _kill(self, child: Child, others: Collection[Process] = ()) -> None:
        """End a command at once; what has left its group is found when its first process has ended."""
        child.kill_at = None
        child.killed_at = child.killed_at or time.monotonic()
        kill(child, others)

    def _finish(self, child: Child) -> None:
        """Take the exit status of a child that has ended."""
        if child.reason is not None:
            signal_group(child.pid, signal.SIGKILL)  # what is left of it; the number is its own until the next line
        ended = self._accounts.close(child)
        del self._children[child.pid]
        del self._pids[child.handle]
        if child.cgroup is not None and self._cgroups is not None:
            self._cgroups.let_go(child.cgroup)
        observation = _observation(child, ended)
        self._ready.append((child.handle, observation))
        known = self._known
        known[child.handle] = observation
        if len(known) > _REMEMBERED:
            del known[next(iter(known))]

    def _set_alarm(self, when: float, child: Child) -> None:
        alarms = self._alarms
        if len(alarms) > 64 + 4 * len(self._children):  # most are of children that have ended
            self._alarms = alarms = [alarm for alarm in alarms if self._children.get(alarm[2].pid) is alarm[2]]
            heapq.heapify(alarms)
        self._alarm_count += 1
        heapq.heappush(alarms, (when, self._alarm_count, child))

    def find(self, variable: str, value: str) -> list[Handle]:
        """Return handles of everything that has the variable: process groups, and processes that are left of one."""
        return [Handle(self.name, f"{id}:{self._boot}") for id in marked_handles(f"{variable}={value}")]

    def processes(self, handle: Handle) -> Processes | None:
        """Return where the processes of a running command are."""
        pid = self._pids.get(handle)
        if pid is None:
            return None
        child = self._children[pid]
        return Processes(pid, child.marks, None if child.cgroup is None else child.cgroup.path)

    def cancel(self, handles: Collection[Handle], grace_seconds: float) -> None:
        """End the commands; leftovers of former objects are killed at once."""
        children = []
        for handle in handles:
            pid = self._pids.get(handle)
            if pid is not None:
                children.append(self._children[pid])
            elif handle not in self._known:
                former = Former.of(handle.id, self._boot)
                if former is not None:
                    former.signal(signal.SIGKILL)
        if children:
            self._end_all(children, "canceled", grace_seconds)

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
            news.poll(_CLOSE_LOOK_MS)
            self._collect()
        if not self._children:
            self._waiter.close()
        if self._cgroups is not None:
            self._cgroups.close()
        os.close(self._null)
        self._null = -1


def _observation(child: Child, ended: Ended) -> Observation:
    """Say how a command ended and what it used."""
    assert child.ended_at is not None
    code = ended.code
    return Observation(
        "done",
        code if code >= 0 else None,
        None if code >= 0 else -code,
        child.started_wall,
        child.started_wall + child.ended_at - child.started_at,
        None,
        ended.peak_memory_bytes,
        ended.cpu_seconds,
        child.reason,
        read_bytes=ended.read_bytes,
        write_bytes=ended.write_bytes,
    )


def _argv(request: LaunchRequest, plain: tuple[str, list[str]], group: Cgroup | None = None) -> tuple[str, list[str]]:
    if request.cwd is not None:
        plain = in_directory(request.cwd, plain[1], request.env)
    return plain if group is None else in_group(group.door, plain, request.env)


def _spawn(command: tuple[str, list[str]], env: Mapping[str, str], actions: list[tuple[object, ...]]) -> int:
    return os.posix_spawn(
        command[0], command[1], env, file_actions=actions, setsid=True, setsigmask=(), setsigdef=_DEFAULT_SIGNALS
    )
