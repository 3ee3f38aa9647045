"""Words that fields of a spec choose from, and rules of single values."""

from __future__ import annotations

import enum
import re
import signal

from torc_core.contracts.failure import LONGEST_DELAY_SECONDS
from torc_core.units import HOUR, MINUTE, UnitError, format_duration, parse_duration, parse_memory

_LABEL_RULE = "a label is not empty, has no comma and no blank at either end"
_INT32 = 2**31


class Trigger(enum.StrEnum):
    """When an action is due."""

    ON_WORKFLOW_START = "on_workflow_start"
    ON_WORKFLOW_COMPLETE = "on_workflow_complete"
    ON_JOBS_READY = "on_jobs_ready"
    ON_JOBS_COMPLETE = "on_jobs_complete"
    ON_WORKER_START = "on_worker_start"
    ON_WORKER_COMPLETE = "on_worker_complete"


class ActionType(enum.StrEnum):
    """What an action does."""

    RUN_COMMANDS = "run_commands"
    SCHEDULE_NODES = "schedule_nodes"


class StdioMode(enum.StrEnum):
    """What is kept of a job's output streams."""

    SEPARATE = "separate"
    COMBINED = "combined"
    NO_STDOUT = "no_stdout"
    NO_STDERR = "no_stderr"
    NONE = "none"


class ExecutionMode(enum.StrEnum):
    """Whether jobs are started directly or through srun."""

    DIRECT = "direct"
    SLURM = "slurm"
    AUTO = "auto"


class Granularity(enum.StrEnum):
    """How much monitoring keeps."""

    SUMMARY = "summary"
    TIME_SERIES = "time_series"


class SortMethod(enum.StrEnum):
    """Orders of early releases; a job's priority takes their place."""

    GPUS_RUNTIME_MEMORY = "gpus_runtime_memory"
    GPUS_MEMORY_RUNTIME = "gpus_memory_runtime"
    NONE = "none"


def check_memory(text: str) -> None:
    """Refuse what is no memory size."""
    parse_memory(text)


def check_duration(text: str) -> None:
    """Refuse what is no ISO 8601 duration; a common slip gets its correction."""
    try:
        parse_duration(text)
    except UnitError as exc:
        slip = re.fullmatch(r"(?:(\d+):)?(\d+):(\d+)", text)
        if slip:
            hours, minutes, seconds = (int(part or 0) for part in slip.groups())
            seconds += HOUR * hours + MINUTE * minutes
            raise ValueError(f"{exc}; this may be '{format_duration(seconds)}'") from exc
        raise


def check_label(text: str) -> None:
    """Refuse a label that runners could not name."""
    if not text or "," in text or text != text.strip():
        raise ValueError(f"{_LABEL_RULE}, found {text!r}")


def check_int32(number: int) -> None:
    """Refuse numbers that do not fit 32 bits."""
    if not -_INT32 <= number < _INT32:
        raise ValueError("must fit 32 bits")


def check_exit_codes(codes: list[int]) -> None:
    """Refuse codes that do not fit 32 bits."""
    for code in codes:
        if code is not None:
            check_int32(code)


def check_delay(seconds: float) -> None:
    """Refuse what is no time to wait before a retry."""
    if not 0 <= seconds <= LONGEST_DELAY_SECONDS:
        raise ValueError(f"must be between 0 and {LONGEST_DELAY_SECONDS:.0f} seconds, which are 30 days")


def check_backoff(factor: float) -> None:
    """Refuse factors by which a delay would not grow."""
    if not 1 <= factor < float("inf"):
        raise ValueError("must be 1 or more")


def check_signal(text: str) -> None:
    """Refuse what is no signal of this system."""
    if text not in signal.Signals.__members__:
        raise ValueError(f"expected the name of a signal like SIGTERM, SIGINT or SIGUSR1, found {text!r}")


def check_mpi(text: str) -> None:
    """Refuse what srun would not take as one word."""
    if not re.fullmatch(r"[A-Za-z0-9+_.-]+", text):
        raise ValueError(f"expected one word of letters, digits and + _ . -, found {text!r}")
