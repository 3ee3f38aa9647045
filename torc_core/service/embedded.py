"""A database in a folder, with no server: be its owner when it is free, else talk to the owner."""

from __future__ import annotations

import contextlib
import errno
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from torc_core.errors import Forbidden, Unavailable
from torc_core.service.api import Service
from torc_core.service.failover import FailoverService, Seat
from torc_core.service.owner_file import OwnerRecord
from torc_core.service.ownership import Candidate, Ownership, Standing, Timing
from torc_core.service.processes import is_stopped, this_machine

if TYPE_CHECKING:
    from torc_core.service.listener import Listener
    from torc_core.service.remote import RemoteService

MakeLocal = Callable[[Path, Callable[[], bool]], Service]
"""Opens the storage at the path and returns a service that asks the function, before each write, whether it may."""
_LISTEN_AFTER_S = 0.05  # most commands are over by then and need no listener
_NEAR_S = 0.01  # between looks at an owner on this machine
_FAR_S = 0.25  # and at one on another
_START_S = 120.0  # for an owner to load its workflows
_SILENT_S = 5.0  # for an owner of this machine that does not answer: it is ending, or has a reason to be told
_TELL_S = 1.0  # before people are told what is waited for
_AGAIN_S = 5.0  # between attempts to reach an owner on another machine


def open_embedded(
    path: Path,
    make_local: MakeLocal,
    *,
    for_user: Callable[[Service, str], Service] = lambda service, _: service,
    user: str = "",
    tcp: tuple[str, int] | None = None,
    shared_folder: bool | None = None,
    tell: Callable[[str], None] = lambda _: None,
    timing: Timing = Timing(),  # noqa: B008  (a constant)
    in_memory: bool = False,
) -> FailoverService:
    """Return the service of the database at ``path``, in this process or in its owner; close it at the end.

    ``for_user`` gives the service as another user sees it, ``user`` is who this is. ``tcp`` lets neighbours on other
    machines connect too: the host to listen on ("" for all) and the port (0 for any). ``shared_folder`` says whether
    other machines see the folder; None: found out. ``tell`` hears why it takes long. ``in_memory`` has an owner say
    that it will replace the file with newer ones. Raises Unavailable.
    """
    opener = _Opener(path, make_local, for_user, user, tcp, shared_folder, tell, timing, in_memory)
    return FailoverService(opener.sit)


def _unusable(path: Path, exc: OSError) -> Unavailable:
    """Return the error for a folder in which no database can be kept."""
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "Free some space there."
    elif exc.errno in (errno.EEXIST, errno.ENOTDIR):
        hint = f"{path.parent} is not a folder; move it away, or use another place with --db."
    else:
        hint = "Use a folder that you may write to, with --db."
    return Unavailable(f"cannot use the folder of {path}: {exc.strerror or exc}", hint=hint)


class _Opener:
    """Finds a seat, the first time and whenever the owner is gone."""

    def __init__(
        self,
        path: Path,
        make_local: MakeLocal,
        for_user: Callable[[Service, str], Service],
        user: str,
        tcp: tuple[str, int] | None,
        shared_folder: bool | None,
        tell: Callable[[str], None],
        timing: Timing,
        in_memory: bool,
    ) -> None:
        self._in_memory = in_memory
        self._path, self._make_local, self._for_user, self._user = path, make_local, for_user, user
        self._tcp, self._shared_folder, self._tell, self._timing = tcp, shared_folder, tell, timing
        self._file: tuple[int, int] | None = None  # device and inode of the database, once there is one

    def sit(self, ended: threading.Event) -> Seat:
        """Return the owner's own seat or one beside it; ``ended`` stops the attempt."""
        try:
            self._check_same_file()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            candidate = Candidate(self._path, self._timing, self._shared_folder, in_memory=self._in_memory)
            approach = _Approach(self._path, self._user, self._tell, self._timing)
            while True:
                found = candidate.attempt()
                if isinstance(found, Ownership):
                    seat = self._own(found)
                    self._file = _identity(self._path)
                    return seat
                remote = approach.join(found)
                if remote is not None:
                    is_replaced = found.record is not None and found.record.in_memory  # with every snapshot
                    self._file = None if is_replaced else _identity(self._path)
                    return Seat(remote, remote.close, retire=remote.retire)
                if ended.wait(approach.pause_s):
                    raise Unavailable(f"the service of {self._path} was closed")
        except OSError as exc:
            raise _unusable(self._path, exc) from exc

    def _check_same_file(self) -> None:
        """Refuse to go on with another database than before; raises Unavailable."""
        if self._file is not None and self._file != _identity(self._path):
            raise Unavailable(
                f"{self._path} was removed or replaced while it was used; what was not reported before is lost",
                hint="The logs of jobs are still in the output folder. Begin again with: torc run SPEC",
            )

    def _own(self, ownership: Ownership) -> Seat:
        try:
            service = self._make_local(self._path, ownership.still_mine)
        except BaseException:
            ownership.release()
            raise
        door = _Door(lambda user: self._for_user(service, user), ownership, self._path, self._tcp)

        def leave() -> None:
            try:
                door.close()
                # Closing a storage writes to it, which only the owner may do.
                if ownership.is_lost:
                    service.abandon()
                else:
                    service.close()
            finally:
                ownership.release()

        return Seat(service, leave, ownership)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class _Door:
    """The owner's listener, opened a moment later and from another thread, so that short commands do without."""

    def __init__(
        self,
        service_for: Callable[[str], Service],
        ownership: Ownership,
        path: Path,
        tcp: tuple[str, int] | None,
    ) -> None:
        self._service_for, self._ownership, self._path, self._tcp = service_for, ownership, path, tcp
        self._listener: Listener | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._open, name="door", daemon=True)
        ownership.on_lost = self._lost
        self._thread.start()

    def _open(self) -> None:
        if self._ended.wait(_LISTEN_AFTER_S):
            return
        from torc_core.service.listener import Listener

        record = self._ownership.record
        try:
            self._listener = Listener(self._service_for, record.token, self._path, record.id, self._tcp)
            self._ownership.announce(self._listener.addresses)
        except Exception as exc:  # noqa: BLE001  (no thread to be had, say: neighbours must hear of it)
            with contextlib.suppress(OSError):
                self._ownership.announce((), f"it cannot listen: {exc}")

    def _lost(self) -> None:
        # In a thread of its own: this is heard in the middle of a request, perhaps.
        threading.Thread(target=self.close, args=(0.0,), name="leaving", daemon=True).start()

    def close(self, finish_s: float = 10.0) -> None:
        self._ended.set()
        self._thread.join()
        if self._listener is not None:
            self._listener.close(finish_s)


class _Approach:
    """One attempt to reach whoever owns the database, over many looks at its file."""

    def __init__(self, path: Path, user: str, tell: Callable[[str], None], timing: Timing) -> None:
        self._path, self._user, self._tell, self._timing = path, user, tell, timing
        self._machine = this_machine()
        self._owner_id = ""
        self._began = time.monotonic()
        self._tried_at: float | None = None
        self._failed_since: float | None = None
        self._is_told = False
        self._failure = "it does not listen to other machines"
        self._tried: tuple[str, ...] = ()
        self.pause_s = _NEAR_S

    def join(self, standing: Standing) -> RemoteService | None:
        """Return a connected service; None: look again after ``pause_s``. Raises Unavailable when that is no use."""
        record = standing.record
        now = time.monotonic()
        if record is None:
            if now - self._began > 2 * self._timing.stale_s + _START_S:
                raise Unavailable(f"{self._path}.owner cannot be read", hint="Remove it when no torc uses the database")
            return None
        if record.id != self._owner_id:
            self._owner_id, self._began = record.id, now
            self._tried_at = self._failed_since = None
            self._is_told = False
        is_near = record.machine.shares_kernel_with(self._machine)
        self.pause_s = _NEAR_S if is_near else min(_FAR_S, self._timing.step_s / 4)
        if record.trouble:
            raise self._unreachable(record, record.trouble)
        if record.machine == self._machine and is_stopped(record.pid):
            raise self._unreachable(record, "it is stopped (Ctrl-Z); continue it, or end it")
        if not record.addresses:
            if now - self._began > _START_S and standing.verdict == "alive":
                raise self._unreachable(record, f"it has been starting for more than {_START_S:.0f} s")
        elif self._tried_at is None or is_near or record.addresses != self._tried or now - self._tried_at > _AGAIN_S:
            remote = self._connect(record, is_near)
            if remote is not None:
                return remote
            self._tried_at = time.monotonic()
            self._failed_since = self._failed_since or now
        if not is_near and not self._is_told and now - self._began > _TELL_S:
            self._is_told = True
            self._tell(
                f"{self._path} belongs to {record.who}, which does not answer yet: watching for up to"
                f" {self._timing.stale_s:.0f} s whether it still lives"
            )
        has_waited = self._failed_since and (not is_near or time.monotonic() - self._failed_since > _SILENT_S)
        if has_waited and standing.verdict == "alive":
            raise self._unreachable(record, self._failure)
        return None

    def _connect(self, record: OwnerRecord, is_near: bool) -> RemoteService | None:
        from torc_core.service.remote import RemoteService

        self._tried = record.addresses
        for address in record.addresses:
            if address.startswith("unix:") and not is_near:
                continue
            remote = RemoteService(address, record.token, user=self._user)
            try:
                remote.connect()
                return remote
            except (Unavailable, Forbidden) as exc:
                remote.close()
                self._failure = str(exc)
        return None

    def _unreachable(self, record: OwnerRecord, why: str) -> Unavailable:
        return Unavailable(
            f"{self._path} is in use by {record.who} since {record.since}, which cannot be asked: {why}",
            hint=f"Run this on {record.machine.host}, or when that process has ended",
        )
