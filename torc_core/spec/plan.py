"""A checked, fully expanded workflow: what creation stores, the dry run plays and the execution plan shows.

References between items are positions in the lists of the same plan (from 0), so a plan needs no names to be followed
and can be turned into records by adding the first id of each kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torc_core.problems import Path, Problem

NOTHING: tuple[int, ...] = ()


class PlannedJob:
    """One job after expansion. Lists hold positions in the plan, ascending and without repeats.

    ``requirements``, ``handler`` and ``scheduler`` are positions, or -1 for none. Jobs of one template share what does
    not differ between them. A hundred thousand of these exist at once, hence the slots.
    """

    __slots__ = (
        "cancel_on_failure", "command", "data_inputs", "data_outputs", "depends_on", "env", "handler", "inputs",
        "invocation_script", "labels", "name", "outputs", "path", "priority", "requirements", "scheduler", "stdio",
        "supports_termination",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        command: str,
        path: Path = (),
        invocation_script: str | None = None,
        cancel_on_failure: bool = True,
        supports_termination: bool = False,
        requirements: int = -1,
        handler: int = -1,
        scheduler: int = -1,
        depends_on: tuple[int, ...] = NOTHING,
        inputs: tuple[int, ...] = NOTHING,
        outputs: tuple[int, ...] = NOTHING,
        data_inputs: tuple[int, ...] = NOTHING,
        data_outputs: tuple[int, ...] = NOTHING,
        priority: int = 0,
        env: dict[str, str] | None = None,
        labels: tuple[str, ...] = (),
        stdio: dict[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.command = command
        self.path = path  # of the job in the spec it comes from: ("jobs", 3)
        self.invocation_script = invocation_script
        self.cancel_on_failure = cancel_on_failure
        self.supports_termination = supports_termination
        self.requirements = requirements
        self.handler = handler
        self.scheduler = scheduler
        self.depends_on = depends_on
        self.inputs = inputs
        self.outputs = outputs
        self.data_inputs = data_inputs
        self.data_outputs = data_outputs
        self.priority = priority
        self.env = env  # the job's own; the workflow's is in Plan.workflow
        self.labels = labels  # sorted
        self.stdio = stdio


class PlannedFile:
    """One file after expansion."""

    __slots__ = ("identifier", "name", "path", "source", "st_mtime")

    def __init__(self, name: str, path: str, source: Path = ()) -> None:
        self.name = name
        self.path = path  # as written, relative to the submission directory
        self.st_mtime: float | None = None
        self.identifier: str | None = None
        self.source = source  # of the file in the spec


class PlannedData:
    """One user data record after expansion."""

    __slots__ = ("data", "is_ephemeral", "name", "source")

    def __init__(self, name: str, data: Any, is_ephemeral: bool, source: Path = ()) -> None:
        self.name = name
        self.data = data
        self.is_ephemeral = is_ephemeral
        self.source = source


class Plan:
    """Everything of one workflow, in the order in which records are created.

    ``jobs`` are ordered by dependency level (explicit dependencies), then by their place in the spec. The dictionaries
    in ``workflow``, ``requirements``, ``schedulers``, ``handlers`` and ``actions`` have the field names of the spec;
    actions carry their job selection as positions under ``"jobs"`` and their scheduler as a position under
    ``"scheduler"`` (absent when they have none).
    """

    __slots__ = (
        "actions", "counts_before", "data", "files", "handlers", "jobs", "problems", "requirements", "schedulers",
        "workflow",
    )  # fmt: skip

    def __init__(self) -> None:
        self.workflow: dict[str, Any] = {}
        self.jobs: list[PlannedJob] = []
        self.files: list[PlannedFile] = []
        self.data: list[PlannedData] = []
        self.requirements: list[dict[str, Any]] = []
        self.schedulers: list[dict[str, Any]] = []
        self.handlers: list[dict[str, Any]] = []
        self.actions: list[dict[str, Any]] = []
        self.counts_before: dict[str, int] = {}  # items as written: {"jobs": 3, "files": 2, "user_data": 0}
        self.problems: list[Problem] = []  # warnings and notes; errors when the plan was only checked
