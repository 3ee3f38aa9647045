"""How the end of a process becomes a job's status, return code and reason (reference: exit codes and statuses)."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, NamedTuple

from torc_core import reasons
from torc_core.engine.failures import LOST_CODE
from torc_core.status import JobStatus

if TYPE_CHECKING:
    from torc_core.contracts.executor import Observation
    from torc_core.runner.limits import Limits

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
        return Outcome(FAILED, LOST_CODE, reasons.UNSEEN)
    if code == 0 and not is_canceled(ended_as):
        return SUCCESS  # also when it was told to end: it had time, and says that it is done
    if seen.reason == "memory":
        return Outcome(FAILED, limits.oom_exit_code, reasons.MEMORY)
    if seen.reason == "timeout":
        status, reason = TERMINATED, reasons.RUN_TIME
    elif ended_as is not None:
        status, reason = ended_as
    elif code is not None:
        return Outcome(FAILED, code, reasons.OF_SHELLS.get(code))
    else:
        return Outcome(FAILED, 128 + (number or 0), reasons.killed_by(number or 0))
    if code is not None:
        return Outcome(status, code, reason)
    if number == signal.SIGKILL and status is TERMINATED:
        return Outcome(status, limits.timeout_exit_code, reason)
    return Outcome(status, 128 + (number or 0), reason)


def is_canceled(ended_as: tuple[JobStatus, str] | None) -> bool:
    """Whether a job was ended with its workflow, whose jobs count as canceled whatever they say."""
    return ended_as is not None and ended_as[0] is CANCELED


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
    return Outcome(ended_as[0] if ended_as else FAILED, MISSING_OUTPUT_CODE, reasons.outputs_missing(missing))
