"""Starts commands on this machine with low priority."""

import os
import shlex
import signal
import subprocess
from collections.abc import Collection, Sequence
from threading import Timer

from torc_core.contracts.executor import Capabilities, Executor, Handle, LaunchRequest, Observation, SubmitError


class NiceExecutor(Executor):
    name = "nice"
    capabilities = Capabilities(runs_locally=True, poll_interval_seconds=0.2)

    def __init__(self) -> None:
        self._started: dict[Handle, tuple[LaunchRequest, subprocess.Popen[bytes]]] = {}
        self._canceled: set[Handle] = set()

    def render(self, request: LaunchRequest) -> str:
        return f"nice bash -c {shlex.quote(request.command)}"

    def submit(self, requests: Sequence[LaunchRequest]) -> list[Handle | SubmitError]:
        return [self._start(request) for request in requests]

    def _start(self, request: LaunchRequest) -> Handle | SubmitError:
        combined = request.stderr == request.stdout
        stderr = os.devnull if combined else request.stderr or os.devnull
        try:
            with open(request.stdout or os.devnull, "wb") as out, open(stderr, "wb") as err:
                process = subprocess.Popen(
                    ["nice", "bash", "-c", request.command], env=request.env, cwd=request.cwd,
                    stdin=subprocess.DEVNULL, stdout=out, stderr=out if combined else err, start_new_session=True,
                )  # fmt: skip
        except (OSError, ValueError) as exc:
            return SubmitError(request.key, str(exc))
        handle = Handle(self.name, str(process.pid))
        self._started[handle] = (request, process)
        return handle

    def poll(self, handles: Collection[Handle]) -> dict[Handle, Observation]:
        return {handle: self._look(handle) for handle in handles}

    def _look(self, handle: Handle) -> Observation:
        if handle not in self._started:
            return Observation("lost")
        process = self._started[handle][1]
        canceled = handle in self._canceled
        code = process.poll()
        if code is None or (canceled and send(process, 0)):  # children have the grace too
            return Observation("running")
        reason = "canceled" if canceled else None
        if code < 0:
            return Observation("done", signal=-code, reason=reason)
        return Observation("done", exit_code=code, reason=reason)

    def cancel(self, handles: Collection[Handle], grace_seconds: float) -> None:
        for handle in handles:
            if self._look(handle).state == "running":
                self._canceled.add(handle)
                request, process = self._started[handle]
                if request.supports_termination:
                    send(process, signal.SIGTERM)
                    kill = Timer(grace_seconds, send, [process, signal.SIGKILL])
                    kill.daemon = True
                    kill.start()
                else:
                    send(process, signal.SIGKILL)

    def close(self) -> None:
        for handle, (_, process) in self._started.items():
            if self._look(handle).state == "running":
                send(process, signal.SIGKILL)
            process.wait()


def send(process: subprocess.Popen[bytes], number: int) -> bool:
    """Send a signal to a command and all it started; tell whether there was anything left."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return False
    return True
