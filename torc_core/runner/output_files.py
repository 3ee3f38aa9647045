"""Where the streams of jobs go: ``<output>/job_stdio/job_wf<W>_j<J>_r<R>_a<A>`` with .o, .e or, combined, .log."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from torc_core.errors import Invalid, TorcError

if TYPE_CHECKING:
    from torc_core.records.answers import JobLaunch

FOLDER = "job_stdio"
MODES = ("separate", "combined", "no_stdout", "no_stderr", "none")


def make_folder(path: Path) -> None:
    """Make a folder of a run and those above it; raises TorcError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise TorcError(
            f"cannot make the output folder {str(path)!r}: {exc.strerror}", hint="Choose another one with --output-dir"
        ) from exc


class Streams(NamedTuple):
    """Files of one attempt; None discards a stream, the same file twice combines them."""

    stdout: str | None
    stderr: str | None
    delete_on_success: bool = False

    def delete(self) -> None:
        """Remove the files; those that are gone are fine."""
        for path in {self.stdout, self.stderr} - {None}:
            with contextlib.suppress(OSError):
                Path(str(path)).unlink()


class OutputFiles:
    """Names the log files of a run. A job's own settings go before the workflow's, field by field."""

    def __init__(self, output_dir: str, workflow_id: int, run_id: int, execution_config: Any = None) -> None:
        config = execution_config or {}
        self.directory = Path(output_dir) / FOLDER
        self._head = f"{self.directory}/job_wf{workflow_id}_j"
        self._run = f"_r{run_id}_a"
        self._workflow_id = workflow_id
        self._default: dict[str, Any] = config.get("stdio") or {}
        self._overrides: dict[str, Any] = config.get("job_stdio_overrides") or {}
        self._is_plain = not self._default and not self._overrides

    def recovery_log(self, job: JobLaunch) -> str:
        """Return the file for what the recovery script after an attempt writes, both streams together."""
        return f"{self._head}{job.id}{self._run}{job.attempt_id}_recovery.log"

    def trouble(self) -> str | None:
        """Make the folder when it is gone; return why no log file can be written there, or None."""
        probe = self.directory / f".probe-{os.getpid()}"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
        except OSError as exc:
            return f"no log file can be written in {self.directory}: {exc.strerror}"
        return None

    def action_log(self, action_id: int, compute_node_id: int, number: int) -> str:
        """Return the names, but for .o and .e, of what one command of an action writes on one runner."""
        run = self._run.removesuffix("_a")
        return f"{self.directory}/action_wf{self._workflow_id}_a{action_id}{run}_n{compute_node_id}_c{number}"

    def of(self, job: JobLaunch) -> Streams:
        """Return the files of one attempt; raises Invalid for a mode that does not exist."""
        stem = f"{self._head}{job.id}{self._run}{job.attempt_id}"
        if self._is_plain and not job.stdio:
            return Streams(f"{stem}.o", f"{stem}.e")
        settings = {**self._default, **(self._overrides.get(job.name) or {}), **(job.stdio or {})}
        mode = settings.get("mode") or "separate"
        delete = bool(settings.get("delete_on_success"))
        if mode == "combined":
            return Streams(f"{stem}.log", f"{stem}.log", delete)
        if mode not in MODES:
            raise Invalid(f"job {job.name!r}: stdio mode {mode!r} is not one of {', '.join(MODES)}")
        stdout = None if mode in {"no_stdout", "none"} else f"{stem}.o"
        stderr = None if mode in {"no_stderr", "none"} else f"{stem}.e"
        return Streams(stdout, stderr, delete)
