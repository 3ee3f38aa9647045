"""The file of users: a line ``NAME:HASH`` for each, with bcrypt hashes; blank lines and those with # do not count."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from torc_core.contracts.access import ANONYMOUS
from torc_core.errors import Invalid, NotFound
from torc_server.passwords import is_hash

_MODE = 0o600
_MAKE = "Make one with: torc server user add NAME -f FILE"


def parse(text: str, file: str) -> dict[str, str]:
    """Return hashes by name; raises Invalid naming the line that is wrong."""
    users: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        where = f"{file}:{number}"
        name, colon, kept = line.partition(":")
        if not colon:
            raise Invalid(f"{where}: expected NAME:HASH", hint=_MAKE)
        if not name:
            raise Invalid(f"{where}: the name is missing", hint=_MAKE)
        check_name(name, f"{where}: ")
        if not is_hash(kept):
            raise Invalid(f"{where}: the password of {name} is not a bcrypt hash ($2b$...)", hint=_MAKE)
        if name in users:
            raise Invalid(f"{where}: {name} is there already, further up", hint="Remove one of the two lines.")
        users[name] = kept
    if not users:
        raise Invalid(f"{file} has no users", hint=_MAKE)
    return users


def read(path: Path) -> dict[str, str]:
    """Return hashes by name; raises Invalid for a file that cannot be read or has something wrong in it."""
    return parse(_text_of(path), str(path))


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        raise Invalid(f"cannot read the users in {path}: {reason}", hint=_MAKE) from exc


def is_exposed(path: Path) -> bool:
    """Whether others than its owner may read the file."""
    with contextlib.suppress(OSError):
        return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
    return False


def check_name(name: str, where: str = "") -> None:
    """Refuse names that nobody can log in with; raises Invalid."""
    if not name or ":" in name or name != name.strip() or name.startswith("#") or not name.isprintable():
        raise Invalid(f"{where}{name!r} cannot be a name: it must not be empty, begin with #, hold : or end in blanks")
    if name == ANONYMOUS:
        raise Invalid(f"{where}{name!r} cannot be a name: it stands for whoever has not logged in")


# changes


def put(path: Path, name: str, kept: str) -> bool:
    """Add a user, or give one another password; returns whether the user is new. Makes the file if it is not there."""
    check_name(name)

    def change(lines: list[str]) -> bool:
        places = _places(lines, name)
        for place in places:
            lines[place] = f"{name}:{kept}"
        if not places:
            lines.append(f"{name}:{kept}")
        return not places

    return _edit(path, change)


def remove(path: Path, name: str) -> None:
    """Remove a user; raises NotFound."""

    def change(lines: list[str]) -> bool:
        places = _places(lines, name)
        if not places:
            raise NotFound(f"{path} has no user {name}", hint="See: torc server user list -f FILE")
        for place in reversed(places):
            del lines[place]
        return True

    _edit(path, change)


def _places(lines: list[str], name: str) -> list[int]:
    return [place for place, line in enumerate(lines) if line.strip().partition(":")[0] == name]


def _edit(path: Path, change: Callable[[list[str]], bool]) -> bool:
    """Change the lines of the file as one step that others see whole, or not at all; editors wait for each other."""
    path = path.resolve()  # a link stays one
    if not path.parent.is_dir():
        raise Invalid(f"there is no folder {path.parent}")
    try:
        with _alone(path):
            lines = _text_of(path).splitlines() if path.exists() else []
            answer = change(lines)
            _write(path, "".join(f"{line}\n" for line in lines))
    except OSError as exc:
        raise Invalid(f"cannot change {path}: {exc.strerror}") from exc
    return answer


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock beside the file, which stays there: removing it would let two in."""
    import fcntl

    with open(os.open(path.parent / f".{path.name}.lock", os.O_RDWR | os.O_CREAT, _MODE), "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, text: str) -> None:
    part = path.parent / f".{path.name}.new"
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE), "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), _MODE)
            if path.exists():
                found = path.stat()
                with contextlib.suppress(PermissionError):  # only root may give files away
                    os.fchown(file.fileno(), found.st_uid, found.st_gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
