"""Logs of our own, in the output folder: what is worth a line for people.

A runner's is ``job_runner_<host>_wf<W>_r<R>.log``, that of who watches a workflow ``watch_<host>_wf<W>.log``.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from types import TracebackType
from typing import Self


def log_name(host: str, workflow_id: int, run_id: int) -> str:
    """Return the name of a runner's log in its output folder."""
    return f"job_runner_{host}_wf{workflow_id}_r{run_id}.log"


class LogLines:
    """Appends lines to a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = self.path.open("a", encoding="utf-8", buffering=1)

    def write(self, level: str, text: str) -> None:
        """Add a line; a full disk does not end the run."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime())
        with contextlib.suppress(OSError):
            self._file.write(f"{moment} {level} {text}\n")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):
            self._file.close()


class RunnerLog(LogLines):
    """A runner's log; several runners of one host and run share the file."""

    def __init__(self, output_dir: str, host: str, workflow_id: int, run_id: int) -> None:
        super().__init__(Path(output_dir) / log_name(host, workflow_id, run_id))
