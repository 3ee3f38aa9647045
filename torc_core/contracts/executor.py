"""What an executor does: start commands with resources somewhere, and tell when they have ended."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from torc_core.problems import Problem


class Capabilities(NamedTuple):
    """What callers may rely on; the defaults promise nothing."""

    runs_locally: bool = False
    multi_node: bool = False
    durable_handles: bool = False  # handles can be polled by another executor object, in another process
    enforces_walltime: bool = False
    enforces_memory: bool = False
    reports_usage: bool = False
    side_effect_free: bool = False
    allocates: bool = False  # takes requests with ``allocation``
    poll_interval_seconds: float = 5.0
    max_batch: int = 100


class Handle(NamedTuple):
    """Names one started command; plain text, so that it survives a restart."""

    executor: str
    id: str


def command_of(command: str, invocation_script: str | None) -> str:
    """Join script and command: on one line, or below each other when the script has several lines."""
    script = (invocation_script or "").strip()
    if not script:
        return command
    return f"{script}\n{command}" if "\n" in script else f"{script} {command}"


class LaunchRequest(NamedTuple):
    """One command to start. ``command`` is for bash; paths are absolute or relative to the caller's directory."""

    key: str  # unique among the caller's requests: job and attempt
    name: str
    command: str
    env: Mapping[str, str]  # the whole environment
    stdout: str | None  # file, truncated; None discards
    stderr: str | None  # the same path as stdout combines both
    cwd: str | None = None  # None: the caller's
    cpus: int = 1
    memory_bytes: int = 0  # what it asked for
    gpu_ids: tuple[str, ...] = ()
    nodes: int = 1
    walltime_seconds: float | None = None
    supports_termination: bool = False  # gets SIGTERM and time before SIGKILL
    memory_limit_bytes: int = 0  # it is ended when it uses more, if enforces_memory; 0: not limited
    grace_seconds: float = 30.0  # what supports_termination gives when the walltime is over
    termination_signal: str = "SIGTERM"  # what is sent instead of SIGTERM
    marks: tuple[str, ...] = ()  # settings in env that all its processes have and no others, wherever they went
    own_cgroup: bool = False  # keep them together in a control group, where that can be done
    allocation: Mapping[str, Any] | None = None  # asks for nodes of its own, see ``Executor.submit``


class Observation(NamedTuple):
    """What is known of a started command. ``state`` is queued, running, done or lost."""

    state: str
    exit_code: int | None = None  # set when done and not ended by a signal
    signal: int | None = None  # set when done and ended by a signal
    started_at: float | None = None  # seconds since 1970
    ended_at: float | None = None
    node: str | None = None
    peak_memory_bytes: int | None = None
    cpu_seconds: float | None = None
    reason: str | None = None  # "timeout", "memory", "canceled" when the executor ended it
    avg_memory_bytes: int | None = None
    peak_cpu_percent: float | None = None  # 100 is one CPU
    read_bytes: int | None = None  # by system calls, files and everything else
    write_bytes: int | None = None


class Processes(NamedTuple):
    """Where on this machine the processes of a running command are found."""

    pid: int | None = None  # of the first; it leads a session of its own
    marks: tuple[str, ...] = ()  # see LaunchRequest
    cgroup: str | None = None  # the directory of the control group (version 2) that they are in and nobody else


class SubmitError(NamedTuple):
    """A command that could not be started, with what was said."""

    key: str
    message: str


class Executor(ABC):
    """Starts commands. One object belongs to one runner; it is not shared between threads."""

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]

    def check(self) -> list[Problem]:
        """Return what prevents use here (a missing program, say); no side effects."""
        return []

    @abstractmethod
    def render(self, request: LaunchRequest) -> str:
        """Return the exact text that would be run or submitted; no side effects."""

    @abstractmethod
    def submit(self, requests: Sequence[LaunchRequest]) -> list[Handle | SubmitError]:
        """Start the commands, answering one by one in order; a failed one does not stop the others.

        A request with ``allocation`` asks for ``nodes`` and what the mapping says: the fields of the scheduler's record
        and of the action that asks. Its command is a worker, which goes on when this object is closed; its end is not
        told by ``ended``. Handles of such requests begin with the number that people know them by, and any object of
        this executor can be asked about them later.
        """

    @abstractmethod
    def poll(self, handles: Collection[Handle]) -> dict[Handle, Observation]:
        """Return what is known of each handle; an unknown one is ``lost``, not an exception.

        An allocation of which nothing can be known here, but perhaps on another machine, is left out.
        """

    def wake_fd(self) -> int | None:
        """Return a file descriptor that is readable while ``ended`` has something, or None: poll then."""
        return None

    def deadline(self) -> float | None:
        """Return when ``ended`` wants to be called though nothing has ended (``time.monotonic()``), or None."""
        return None

    def ended(self) -> list[tuple[Handle, Observation]]:
        """Return the commands that have ended since the last call; only for executors with ``wake_fd``."""
        return []

    def find(self, variable: str, value: str) -> list[Handle]:
        """Return what still runs of commands that any process of this user started with this environment variable.

        For cleaning up after a runner that was killed; empty where that cannot be told.
        """
        return []

    def processes(self, handle: Handle) -> Processes | None:
        """Return where the processes of a running command are, for monitors; None when that is not known here."""
        return None

    @abstractmethod
    def cancel(self, handles: Collection[Handle], grace_seconds: float) -> None:
        """End the commands with everything they started; twice is fine, as is one that has ended.

        Requests with ``supports_termination`` get SIGTERM and, after the grace, SIGKILL; others SIGKILL at once.
        Allocations that wait are taken out of their queue; an exception says that this failed, and why. Does not wait.
        """

    @abstractmethod
    def close(self) -> None:
        """Leave nothing behind that needs this object; commands with durable handles go on."""
