"""Starts commands on this machine with low priority."""

import os
import shlex
import signal
import subprocess
from threading import Timer

from torc_core.contracts.executor import Capabilities, Executor, Handle, Observation, SubmitError


class NiceExecutor(Executor):
    name = "nice"
    capabilities = Capabilities(runs_locally=True, poll_interval_seconds=0.2)

    def __init__(self):
        self._started = {}  # request and process by handle
        self._canceled = set()

    def render(self, request):
        return f"nice bash -c {shlex.quote(request.command)}"

    def submit(self, requests):
        return [self._start(request) for request in requests]

    def _start(self, request):
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

    def poll(self, handles):
        return {handle: self._look(handle) for handle in handles}

    def _look(self, handle):
        if handle not in self._started:
            return Observation("lost")
        process = self._started[handle][1]
        canceled = handle in self._canceled
        code = process.poll()
        if code is None or (canceled and send(process, 0)):  # children have the grace too
            return Observation("running")
        ended = {"exit_code": code} if code >= 0 else {"signal": -code}
        return Observation("done", reason="canceled" if canceled else None, **ended)

    def cancel(self, handles, grace_seconds):
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

    def close(self):
        for handle, (_, process) in self._started.items():
            if self._look(handle).state == "running":
                send(process, signal.SIGKILL)
            process.wait()


def send(process, number):
    """Send a signal to a command and all it started; tell whether there was anything left."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return False
    return True
