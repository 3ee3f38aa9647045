"""Starts nothing: commands end on a virtual clock when their walltime is over. No I/O."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from heapq import heappop, heappush
from signal import SIGKILL, SIGTERM

from torc_core.contracts.executor import Capabilities, Executor, Handle, LaunchRequest, Observation, SubmitError
from torc_core.units import counted, human_duration, human_memory

DEFAULT_SECONDS = 60.0
"""What a command without walltime takes: the run time of jobs that declare none."""


class DryRunExecutor(Executor):
    """Plays commands on a clock of its own, which begins at 0 and which only ``ended`` moves.

    Times in observations are of that clock. Every command ends with exit code 0, unless it is canceled.
    """

    name = "dry-run"
    capabilities = Capabilities(side_effect_free=True, max_batch=1_000_000)

    def __init__(self) -> None:
        self._now = 0.0
        self._count = 0
        self._queue: list[tuple[float, int, Handle]] = []  # ends to come; canceled ones are skipped
        self._running: dict[Handle, tuple[float, bool]] = {}  # start, and whether it gets SIGTERM first
        self._over: dict[Handle, Observation] = {}
        self._untold: list[Handle] = []  # canceled since the last ended()

    @property
    def now(self) -> float:
        """The virtual time, in seconds."""
        return self._now

    def render(self, request: LaunchRequest) -> str:
        """Return shell lines: what is asked for as a comment, then the command with its directory and streams."""
        needs = [counted(request.cpus, "CPU")]
        if request.memory_bytes:
            needs.append(human_memory(request.memory_bytes))
        if request.gpu_ids:
            needs.append(f"GPUs {' '.join(request.gpu_ids)}")
        if request.nodes != 1:
            needs.append(f"{request.nodes} nodes")
        if request.walltime_seconds is not None:
            needs.append(f"at most {human_duration(request.walltime_seconds)}")
        line = f"bash -c {shlex.quote(request.command)} > {_stream(request.stdout)} {_stderr(request)}"
        if request.cwd is not None:
            line = f"cd {shlex.quote(request.cwd)} && {line}"
        name = " ".join(request.name.split())  # a line's end would end the comment
        return f"# {name}: {', '.join(needs)}\n{line}"

    def submit(self, requests: Sequence[LaunchRequest]) -> list[Handle | SubmitError]:
        """Note the starts; their ends are set."""
        return [self._start(request) for request in requests]

    def _start(self, request: LaunchRequest) -> Handle | SubmitError:
        if "\0" in request.command:
            return SubmitError(request.key, f"cannot start {request.name!r}: the command has a null character")
        self._count += 1
        handle = Handle(self.name, str(self._count))
        seconds = DEFAULT_SECONDS if request.walltime_seconds is None else max(0.0, request.walltime_seconds)
        heappush(self._queue, (self._now + seconds, self._count, handle))
        self._running[handle] = (self._now, request.supports_termination)
        return handle

    def poll(self, handles: Collection[Handle]) -> dict[Handle, Observation]:
        """Return what is known at the present virtual time."""
        return {handle: self._seen(handle) for handle in handles}

    def _seen(self, handle: Handle) -> Observation:
        start = self._running.get(handle)
        if start is not None:
            return Observation("running", started_at=start[0])
        return self._over.get(handle) or Observation("lost")

    def ended(self) -> list[tuple[Handle, Observation]]:
        """Return what was canceled; if nothing was, move the clock to the next end and return all that ends then."""
        told, self._untold = self._untold, []
        while not told and self._queue:
            at = self._queue[0][0]
            while self._queue and self._queue[0][0] == at:
                handle = heappop(self._queue)[2]
                start = self._running.pop(handle, None)
                if start is not None:
                    self._now = at
                    self._over[handle] = Observation("done", exit_code=0, started_at=start[0], ended_at=at)
                    told.append(handle)
        return [(handle, self._over[handle]) for handle in told]

    def cancel(self, handles: Collection[Handle], grace_seconds: float) -> None:
        """End commands now, by the signal that they would get first; the grace costs no virtual time."""
        for handle in handles:
            start = self._running.pop(handle, None)
            if start is not None:
                signal = int(SIGTERM if start[1] else SIGKILL)
                self._over[handle] = Observation(
                    "done", signal=signal, started_at=start[0], ended_at=self._now, reason="canceled"
                )
                self._untold.append(handle)

    def close(self) -> None:
        """Forget what runs."""
        self._running.clear()
        self._queue.clear()


def _stream(path: str | None) -> str:
    return "/dev/null" if path is None else shlex.quote(path)


def _stderr(request: LaunchRequest) -> str:
    return "2>&1" if request.stdout == request.stderr else f"2> {_stream(request.stderr)}"
