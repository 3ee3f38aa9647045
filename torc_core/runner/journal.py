"""What a runner writes down before it tells the service, so that a killed runner loses nothing.

One file per runner in ``<output>/journal``, JSON lines. The first line says whose it is; each other line is what one
wake-up brought: ``starting`` [job, attempt] just before, ``started`` [job, attempt, executor, handle] just after,
``kept`` (an attempt that failed and is reported later, as it is to be reported should the runner be gone), ``finished``
(as reported), and ``taken``: how many of all finished ones so far the service has taken. ``ended`` says that the runner
ended by itself. The file is removed when nothing is left to tell.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from torc_core.contracts.executor import Handle
from torc_core.records.answers import FinishedJob
from torc_core.status import JobStatus

if TYPE_CHECKING:
    from torc_core.service.processes import Machine

FOLDER = "journal"
FORMAT = 1
_LARGE = 8 * 2**20  # bytes after which a journal with nothing left to tell begins again
_ROOM = 2**18  # bytes that are reserved ahead, so that what runs when a disk gets full can still be noted
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode

Started = tuple[int, int, str, str]
"""Job, attempt, executor, handle."""


class Owner(NamedTuple):
    """Whose journal it is. ``created`` and ``name`` tell the workflow from one of the same id in another database."""

    workflow_id: int
    name: str
    created: str
    run_id: int
    compute_node_id: int
    host: str
    boot_id: str
    pid_space: str
    pid: int
    start: str

    def was_on(self, machine: Machine) -> bool:
        """Say whether the process ids in it mean, or meant before a reboot, processes of this machine."""
        if self.boot_id and self.boot_id == machine.boot_id:
            return self.pid_space == machine.pid_space
        return self.host == machine.host != "localhost"  # which every machine may be called


class Journal:
    """The journal of a runner that runs. Lines that cannot be written are kept and tried again with the next one."""

    def __init__(self, folder: Path, owner: Owner, complain: Callable[[str], None]) -> None:
        """``complain`` is called when the journal cannot be written, and again only after it could."""
        self._complain = complain
        self._unwritten = b""
        folder.mkdir(parents=True, exist_ok=True)
        name = f"wf{owner.workflow_id}_r{owner.run_id}_n{owner.compute_node_id}_{owner.host}_{owner.pid}.jsonl"
        self.path = folder / name
        self._head = _encode({"format": FORMAT, **owner._asdict()}) + "\n"
        self._taken = 0
        self._size = self._reserved = 0
        self._fd = self._begin(self._head)

    @property
    def is_stuck(self) -> bool:
        """Whether lines wait to be written: what starts now would not be known to anybody after a kill."""
        return bool(self._unwritten)

    def _begin(self, text: str) -> int:
        fresh = self.path.with_suffix(".new")
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        data = text.encode()
        _write_all(fd, data, 0)
        fresh.replace(self.path)
        self._size = len(data)
        self._reserved = self._reserve(fd)
        return fd

    def _reserve(self, fd: int) -> int:
        """Take room on the disk ahead; readers pass over the zero bytes that it is made of."""
        try:
            os.posix_fallocate(fd, self._size, _ROOM)
        except (OSError, AttributeError):
            return self._size  # not here, or not now
        return self._size + _ROOM

    def write_intent(self, starting: list[tuple[int, int]], finished: list[FinishedJob]) -> None:
        """Say which attempts (job, attempt) are about to start: whether they did, only the next line tells.

        With what has finished before, whose places they take: a kill costs no more attempts than there are places.
        """
        self._write("starting", starting, finished)

    def write(self, started: list[Started], finished: list[FinishedJob]) -> None:
        """Add what a wake-up brought, in one write."""
        self._write("started", started, finished)

    def _write(self, word: str, starts: Sequence[Any], finished: list[FinishedJob]) -> None:
        line: dict[str, Any] = {"taken": self._taken}
        if starts:
            line[word] = starts
        if finished:
            line["finished"] = [f.__dict__ for f in finished]
        self._append(_encode(line) + "\n")

    def write_kept(self, result: FinishedJob) -> None:
        """Say how an attempt ended whose report has to wait."""
        self._append(_encode({"taken": self._taken, "kept": result.__dict__}) + "\n")

    def _append(self, text: str) -> None:
        data = self._unwritten + text.encode()
        if self._size + len(data) > self._reserved - _ROOM // 2:
            self._reserved = self._reserve(self._fd)
        try:
            _write_all(self._fd, data, self._size)
        except OSError as exc:
            self._fail(exc, data)
            return
        self._size += len(data)
        self._unwritten = b""

    def _fail(self, exc: OSError, data: bytes) -> None:
        if not self._unwritten:
            self._complain(f"{self.path} cannot be written ({exc.strerror}): no jobs are started until it can")
        self._unwritten = data

    def try_again(self) -> None:
        """Write what could not be written, if there is such."""
        if self._unwritten:
            self._append("")

    def note_taken(self, count: int) -> None:
        """Remember that the service has taken ``count`` more; written with the next line."""
        self._taken += count

    def is_large(self) -> bool:
        """Say whether it is worth to begin again."""
        return self._size > _LARGE and not self._unwritten

    def begin_again(self, running: Iterable[Started]) -> None:
        """Forget all but what runs; everything finished has been taken."""
        text = self._head + _encode({"taken": 0, "started": list(running)}) + "\n"
        try:
            fd = self._begin(text)
        except OSError as exc:
            self._complain(f"{self.path} cannot be begun again ({exc.strerror})")
            return
        os.close(self._fd)
        self._fd = fd
        self._taken = 0

    def close(self, keep: bool) -> None:
        """Close the journal; remove it unless something is left to tell."""
        if keep:
            self._append(_encode({"taken": self._taken, "ended": True}) + "\n")
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._size)
        os.close(self._fd)
        if not keep:
            with contextlib.suppress(OSError):
                self.path.unlink()
                self.path.parent.rmdir()  # goes only when it is empty


def _write_all(fd: int, data: bytes, offset: int) -> None:
    """Write all of ``data`` or raise OSError: a full disk takes a part and says so with the next write."""
    while data:
        count = os.pwrite(fd, data, offset)
        data, offset = data[count:], offset + count


class Left(NamedTuple):
    """What the journal of a runner that is gone tells."""

    owner: Owner
    running: dict[tuple[int, int], Handle]  # by job and attempt
    starting: list[tuple[int, int]]  # may or may not have started
    finished: list[FinishedJob]  # not known to be taken
    has_ended: bool = False  # by itself, so nothing runs


def read(path: Path) -> Left | None:
    """Read a journal; None when it is none, or of another format. What a torn write left is passed over."""
    lines = path.read_bytes().split(b"\n")
    try:
        head = json.loads(lines[0])
        if head.pop("format") != FORMAT:
            return None
        owner = Owner(**head)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    running: dict[tuple[int, int], Handle] = {}
    starting: dict[tuple[int, int], None] = {}
    finished: list[FinishedJob] = []
    kept: dict[tuple[int, int], FinishedJob] = {}
    taken, has_ended = 0, False
    for text in lines[1:]:
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        taken = line["taken"]
        has_ended = has_ended or line.get("ended", False)
        starting |= dict.fromkeys((job_id, attempt) for job_id, attempt in line.get("starting", ()))
        if "kept" in line:
            end = _finished(line["kept"])
            kept[end.job_id, end.attempt_id] = end
            running.pop((end.job_id, end.attempt_id), None)
        for job_id, attempt, executor, handle in line.get("started", ()):
            running[job_id, attempt] = Handle(executor, handle)
            starting.pop((job_id, attempt), None)
        for values in line.get("finished", ()):
            end = _finished(values)
            finished.append(end)
            for ended in (running, starting, kept):
                ended.pop((end.job_id, end.attempt_id), None)
    return Left(owner, running, list(starting), [*finished[taken:], *kept.values()], has_ended)


def _finished(values: dict[str, Any]) -> FinishedJob:
    return FinishedJob.of({**values, "status": JobStatus(values["status"])})
