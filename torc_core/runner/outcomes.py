"""How the end of a process becomes a job's status, return code and reason (reference: exit codes and statuses)."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, NamedTuple

from torc_core.status import JobStatus

if TYPE_CHECKING:
    from torc_core.contracts.executor import Observation
    from torc_core.runner.limits import Limits

UNSEEN_CODE = -128  # nobody saw it end
NOT_STARTED_CODE = 126
MISSING_OUTPUT_CODE = 1

COMPLETED, FAILED = JobStatus.COMPLETED, JobStatus.FAILED
CANCELED, TERMINATED = JobStatus.CANCELED, JobStatus.TERMINATED


class Outcome(NamedTuple):
    """The end of one attempt."""

    status: JobStatus
    return_code: int
    reason: str | None = None


SUCCESS = Outcome(COMPLETED, 0)


def outcome(seen: Observation, limits: Limits, ended_as: tuple[JobStatus, str] | None = None) -> Outcome:
    """Return what an observation stands for; outputs are not looked at.

    ``ended_as`` is the status and the reason of a job that the runner itself ended.
    """
    code, number = seen.exit_code, seen.signal
    if seen.state == "lost" or (code is None and number is None):
        return Outcome(FAILED, UNSEEN_CODE, "nobody saw it end")
    if code == 0:
        return SUCCESS  # also when it was told to end: it had time, and says that it is done
    if seen.reason == "memory":
        return Outcome(FAILED, limits.oom_exit_code, "used more memory than it asked for")
    if seen.reason == "timeout":
        status, reason = TERMINATED, "its run time was over"
    elif ended_as is not None:
        status, reason = ended_as
    else:
        return Outcome(FAILED, code if code is not None else 128 + (number or 0), _killed_by(number))
    if code is not None:
        return Outcome(status, code, reason)
    if number == signal.SIGKILL and status is TERMINATED:
        return Outcome(status, limits.timeout_exit_code, reason)
    return Outcome(status, 128 + (number or 0), reason)


def _killed_by(number: int | None) -> str | None:
    if number is None:
        return None
    try:
        return f"killed by {signal.Signals(number).name}"
    except ValueError:
        return f"killed by signal {number}"


def missing_outputs(paths: list[str], ids: list[int] | None) -> tuple[list[str], dict[str, float]]:
    """Look for the files a job had to write: return those that are not there, and the mtimes of the others by id."""
    missing, mtimes = [], {}
    for i, path in enumerate(paths):
        try:
            mtime = os.stat(path).st_mtime  # noqa: PTH116  (of every job)
        except OSError:
            missing.append(path)
        else:
            if ids is not None and i < len(ids):
                mtimes[str(ids[i])] = mtime
    return missing, mtimes


def without_outputs(missing: list[str], ended_as: tuple[JobStatus, str] | None) -> Outcome:
    """Return the outcome of a job that ended with code 0 but did not write what it declares."""
    names = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
    return Outcome(ended_as[0] if ended_as else FAILED, MISSING_OUTPUT_CODE, f"did not write {names}")
