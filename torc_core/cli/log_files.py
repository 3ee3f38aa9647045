"""The files that a workflow's runs leave behind, found by name: in an output folder, or in a bundle made of one."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from torc_core.errors import Invalid, NotFound, TorcError

METADATA = "bundle_metadata.json"
_MARK = re.compile(r"(?<![A-Za-z0-9])wf([0-9]+)(?![0-9A-Za-z])")
_READ_ENDINGS = (".log", ".o", ".e")
_NOT_READ = "slurm_env_"
_OWN = ("job_runner_", "watch_")
_LONGEST_LINE = 1 << 16


class LogFile(NamedTuple):
    """A log file that is open for reading; its name as reports show it."""

    name: str
    lines: Iterator[str]

    @property
    def is_own(self) -> bool:
        """Whether torc wrote it about its own work."""
        return self.name.rpartition("/")[2].startswith(_OWN)


def workflow_of(name: str) -> int | None:
    """Return the workflow id in a file's name, None when there is none; ``wf1`` is not in ``wf12``."""
    found = _MARK.search(name)
    return int(found[1]) if found else None


def files_of(folder: Path, workflow_id: int) -> list[Path]:
    """Return the files of a workflow anywhere below a folder, in order."""
    return sorted(path for path in folder.rglob("*") if workflow_of(path.name) == workflow_id and path.is_file())


def _is_read(name: str) -> bool:
    return name.endswith(_READ_ENDINGS) and not name.startswith(_NOT_READ)


class Logs(NamedTuple):
    """What is analyzed: the workflow, what a bundle says about itself, and the log files one after the other."""

    workflow_id: int
    metadata: dict[str, object]
    files: Iterable[LogFile]


@contextmanager
def open_logs(path: Path, workflow_id: int | None) -> Iterator[Logs]:
    """Open a folder or a bundle; raises NotFound, or Invalid when it has several workflows and none was chosen."""
    if path.is_dir():
        names = [file.name for file in path.rglob("*") if _is_read(file.name) and file.is_file()]
        chosen = _choose(str(path), names, workflow_id)
        yield Logs(chosen, {}, _in_folder(path, chosen))
        return
    if not path.exists():
        raise NotFound(f"there is no {path}", hint="Name an output folder, or a bundle that torc logs bundle made.")
    try:
        with tarfile.open(path) as bundle:
            members = [member for member in bundle.getmembers() if member.isfile()]
            metadata = _metadata(bundle, members)
            known = metadata.get("workflow_id")
            names = [member.name.rpartition("/")[2] for member in members]
            if workflow_id is None and isinstance(known, int):
                workflow_id = known
            chosen = _choose(str(path), [name for name in names if _is_read(name)], workflow_id)
            yield Logs(chosen, metadata, _in_bundle(bundle, members, chosen))
    except (tarfile.TarError, EOFError, OSError) as exc:
        why = str(exc).partition("\n")[0].rstrip(":")  # the rest tells of each kind of archive that it could be
        raise TorcError(f"{path} is no bundle that can be read: {why}", hint="Make one: torc logs bundle ID") from exc


def _choose(place: str, names: Iterable[str], workflow_id: int | None) -> int:
    found = sorted({id for id in map(workflow_of, names) if id is not None})
    if workflow_id is not None:
        if workflow_id not in found:
            there = f"It has those of {', '.join(map(str, found))}." if found else "It has none at all."
            raise NotFound(f"{place} has no log files of workflow {workflow_id}", hint=there)
        return workflow_id
    if not found:
        raise NotFound(f"{place} has no log files of a workflow", hint="Log files have wf and an id in their names.")
    if len(found) > 1:
        listed = ", ".join(map(str, found))
        raise Invalid(f"{place} has log files of workflows {listed}", hint="Choose one with --workflow-id.")
    return found[0]


def _metadata(bundle: tarfile.TarFile, members: Iterable[tarfile.TarInfo]) -> dict[str, object]:
    for member in members:
        if member.name.rpartition("/")[2] == METADATA:
            stream = bundle.extractfile(member)
            try:
                found = json.load(stream) if stream is not None else {}
            except ValueError:
                found = {}
            return found if isinstance(found, dict) else {}
    return {}


def _in_folder(folder: Path, workflow_id: int) -> Iterator[LogFile]:
    for path in files_of(folder, workflow_id):
        if _is_read(path.name):
            with path.open("rb") as stream:
                yield LogFile(path.relative_to(folder).as_posix(), _lines(stream))


def _in_bundle(bundle: tarfile.TarFile, members: Iterable[tarfile.TarInfo], workflow_id: int) -> Iterator[LogFile]:
    for member in members:
        name = member.name.rpartition("/")[2]
        stream = bundle.extractfile(member) if _is_read(name) and workflow_of(name) == workflow_id else None
        if stream is not None:
            with stream:
                yield LogFile(member.name, _lines(stream))


def _lines(stream: IO[bytes]) -> Iterator[str]:
    """Yield lines without their ends; of a very long one only its beginning, so that no file fills the memory."""
    is_rest = False
    while line := stream.readline(_LONGEST_LINE):
        if not is_rest:
            yield line.decode("utf-8", "replace").rstrip("\r\n")
        is_rest = not line.endswith(b"\n")
