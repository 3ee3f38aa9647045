"""Who may open a database: exactly one process at a time, on any of the machines that see its folder.

The owner is named in ``<database>.owner``. How that file changes, each step being one atomic operation that also NFS
offers:

1. No file: whoever *links* its own record there first is the owner.
2. A file whose owner is dead: its successor is whoever first links a claim, ``<database>.owner.after-<its id>``. Only
   that one may replace the file, after it has seen once more that the dead owner's record is still there. Ids are
   random and a record that is gone never comes back, so a late claimer finds another id and leaves everything alone.
3. A claimer that died in between: its claim carries an id of its own, and whoever first links ``after-<that id>`` takes
   its place, and so on. Who has taken over removes all claims: they name records that are gone.
4. An owner that ends claims its own succession before it removes its file; when another holds that claim it leaves the
   file to it. Nobody ever removes or replaces a file by any other way.

An owner is dead when, on the same machine, its process is gone (told apart by start time and boot); in another
container of it, when the lock on ``<database>.lock`` is free; on another machine, only when its heartbeat, the time of
the file, did not move for 30 s. That is judged by the watcher's own count of seconds in which it really watched: no
clocks are compared, a clock that was set back changes nothing, and time in which the file system hung does not count.

An owner that was paused for so long must not write again: ``still_mine`` looks at the file after every pause. What
remains is a machine that halts between that look and the write for more than 30 s, and then goes on.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from torc_core.errors import Unavailable
from torc_core.service.folders import is_local_folder, remove_socket
from torc_core.service.owner_file import OwnerRecord, Sheet, Sighting, sight
from torc_core.service.processes import FORK_GUARD, Machine, start_of, this_machine

Verdict = Literal["alive", "dead", "unknown"]
_MAX_CLAIMS = 100


class Timing(NamedTuple):
    """Seconds."""

    beat_s: float = 5.0  # between heartbeats
    stale_s: float = 30.0  # watched without a heartbeat: the owner is dead
    step_s: float = 1.0  # what one look can add to that; look more often than this
    look_s: float = 1.0  # an owner that has not looked at its file for longer looks before it writes


def running_clock() -> float:
    """Return seconds that go on while the machine sleeps, unaffected by the time of day."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Ownership:
    """A database that is this process's own, until it is released or lost; ``on_lost`` is then called once."""

    def __init__(self, sheet: Sheet, lock: int | None, timing: Timing) -> None:
        self._sheet, self._lock, self._timing = sheet, lock, timing
        self._pid = os.getpid()
        self._looked_at = running_clock()
        self.is_lost = False
        self._ended = threading.Event()
        self._released = threading.Lock()
        self.on_lost: Callable[[], None] = lambda: None
        FORK_GUARD.add(self, self._let_go)
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    @property
    def record(self) -> OwnerRecord:
        """What the file says."""
        return self._sheet.record

    def still_mine(self) -> bool:
        """Whether this process may write now. Cheap: ask before every write."""
        if os.getpid() != self._pid:
            return False  # forked; the database is the parent's
        if self._ended.is_set():
            return False
        return running_clock() - self._looked_at <= self._timing.look_s or self.look()

    def look(self) -> bool:
        """See whether the file is still this owner's. False also while the file cannot be read."""
        now = running_clock()  # before reading, which may take long
        try:
            is_mine = self._sheet.is_at_target()
        except (OSError, Unavailable):
            return False
        if is_mine:
            self._looked_at = now
        elif not self._ended.is_set():  # paused for so long that another took over, or the file was removed
            self.is_lost = True
            self._ended.set()
            self.on_lost()
        return is_mine

    def announce(self, addresses: tuple[str, ...], trouble: str = "") -> None:
        """Say where the owner can be reached from now on, or why it cannot."""
        with self._released:
            if not self._ended.is_set():
                self._sheet.rewrite(self.record._replace(addresses=addresses, trouble=trouble))

    def release(self) -> None:
        """Give the database up; the file goes, unless it is another's by now. Twice is fine."""
        if os.getpid() != self._pid:
            return
        with self._released:
            FORK_GUARD.remove(self)
            if not self._ended.is_set():
                self._ended.set()
                self._remove()
            self._let_go()

    def _remove(self) -> None:
        try:
            claim = _claim(self._sheet.target, self.record.id, self.record)
        except OSError:
            return  # a full disk, say: the file stays, and whoever comes next finds its owner dead
        if claim.place():
            try:
                if self._sheet.is_at_target():
                    self._sheet.target.unlink()
            finally:
                claim.target.unlink(missing_ok=True)
                claim.discard()

    def _let_go(self) -> None:
        self._sheet.discard()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _beat(self) -> None:
        while not self._ended.wait(self._timing.beat_s):
            try:
                with self._released:
                    if not self._ended.is_set():
                        self._sheet.touch()
                self.look()
            except OSError:
                self._looked_at = float("-inf")  # without a heartbeat others may take over: look before the next write


def _claim(owner_file: Path, after: str, record: OwnerRecord) -> Sheet:
    target = owner_file.with_name(f"{owner_file.name}.after-{after}")
    return Sheet(target, record._replace(id=os.urandom(8).hex(), holds_lock=False, token="", addresses=()))


class Standing(NamedTuple):
    """Somebody else owns the database, or is about to."""

    sighting: Sighting | None
    verdict: Verdict

    @property
    def record(self) -> OwnerRecord | None:
        """What the owner file says, when it can be read."""
        return self.sighting and self.sighting.record


class Candidate:
    """A process that wants to be the owner, or else to know who is. For one thread.

    ``shared_folder`` says whether other machines see the folder; None: look at what is mounted there.
    """

    def __init__(
        self,
        database: Path,
        timing: Timing = Timing(),  # noqa: B008  (a constant)
        shared_folder: bool | None = None,
        machine: Machine | None = None,
        clock: Callable[[], float] = time.monotonic,
        in_memory: bool = False,
    ) -> None:
        database = Path(os.path.realpath(database))
        self.file = database.with_name(f"{database.name}.owner")
        self._lock_path = database.with_name(f"{database.name}.lock")
        self._timing, self._machine, self._clock = timing, machine or this_machine(), clock
        self._is_shared, self._in_memory = shared_folder, in_memory
        self._watched: dict[str, tuple[tuple[int, int], float, float]] = {}  # mark, seconds without a move, last look

    def attempt(self) -> Ownership | Standing:
        """Become the owner if nobody is or the owner is dead; else say who is. Raises Unavailable, OSError."""
        found = sight(self.file)
        if found is None:
            return self._take_free() or Standing(sight(self.file), "unknown")
        verdict = self.judge(found)
        if verdict == "dead":
            return self._succeed(found) or Standing(sight(self.file), "unknown")
        return Standing(found, verdict)

    def judge(self, found: Sighting) -> Verdict:
        """Say whether the process that made a file lives; judge unknown ones again, more than once a second."""
        record = found.record
        if record is None:
            return self._watch(found)
        if record.machine == self._machine:
            return "alive" if start_of(record.pid) == record.start else "dead"
        if record.machine.shares_kernel_with(self._machine):
            return self._judge_by_lock() if record.holds_lock else self._watch(found)
        return "dead" if self._was_before_reboot(record) else self._watch(found)

    def _was_before_reboot(self, record: OwnerRecord) -> bool:
        if self._is_shared is None:
            self._is_shared = not is_local_folder(self.file.parent)
        return not self._is_shared and bool(record.machine.boot_id and self._machine.boot_id)

    def _judge_by_lock(self) -> Verdict:
        lock = self._take_lock()
        if lock is None:
            return "alive"
        os.close(lock)
        return "dead"

    def _watch(self, found: Sighting) -> Verdict:
        now = self._clock()
        mark, unmoved_s, last = self._watched.get(found.key, (found.mark, 0.0, now))
        if mark != found.mark:
            unmoved_s, verdict = 0.0, "alive"
        else:
            unmoved_s += min(now - last, self._timing.step_s)
            verdict = "dead" if unmoved_s >= self._timing.stale_s else "unknown"
        self._watched[found.key] = (found.mark, unmoved_s, now)
        return verdict  # type: ignore[return-value]

    def _take_lock(self) -> int | None:
        """Return the locked file; None when another holds it or the file system has no such locks."""
        try:
            lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        except PermissionError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return None
        return lock

    def _take_free(self) -> Ownership | None:
        lock = self._take_lock()
        sheet: Sheet | None = None
        try:
            sheet = self._sheet(lock)
            if sheet.place():
                return Ownership(sheet, lock, self._timing)
        finally:
            if sheet is None or not sheet.is_placed:
                _drop(sheet, lock)
        return None

    def _sheet(self, lock: int | None) -> Sheet:
        pid = os.getpid()
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        unique, token = os.urandom(8).hex(), os.urandom(32).hex()
        record = OwnerRecord(
            unique, self._machine, pid, start_of(pid), since, lock is not None, token, in_memory=self._in_memory
        )
        return Sheet(self.file, record)

    def _succeed(self, dead: Sighting) -> Ownership | None:
        """Take over from ``dead``; None when another does, or the dead one's record is gone."""
        after = dead.key
        for _ in range(_MAX_CLAIMS):
            earlier = sight(self.file.with_name(f"{self.file.name}.after-{after}"))
            if earlier is None:
                break
            if self.judge(earlier) != "dead":
                return None
            after = earlier.key
        lock = self._take_lock()
        sheet = self._sheet(lock)
        claim = _claim(self.file, after, sheet.record)
        try:
            if claim.place():
                self._replace(dead, sheet, claim)
        finally:
            claim.discard()
            if not sheet.is_placed:
                _drop(sheet, lock)
        if not sheet.is_placed:
            return None
        with contextlib.suppress(OSError):  # what is left over does no harm
            self._tidy(dead.record)
        return Ownership(sheet, lock, self._timing)

    def _replace(self, dead: Sighting, sheet: Sheet, claim: Sheet) -> None:
        began = running_clock()
        now = sight(self.file)
        if running_clock() - began > self._timing.stale_s / 3:
            # Others may think this process dead and act on its claim, so that stays.
            raise Unavailable(f"{self.file.parent} answers too slowly to take the database over", hint="Try again")
        try:
            if now is not None and now.key == dead.key:
                sheet.replace()
        finally:
            claim.target.unlink(missing_ok=True)

    def _tidy(self, dead: OwnerRecord | None) -> None:
        """Remove claims on records that are gone, what dead processes of this machine wrote aside, and the socket."""
        if dead is not None and dead.machine.shares_kernel_with(self._machine):
            for address in dead.addresses:
                if address.startswith("unix:"):
                    remove_socket(Path(address.removeprefix("unix:")))
        for path in self.file.parent.iterdir():
            rest = path.name.removeprefix(self.file.name)
            if rest == path.name:
                continue
            if path.suffix == ".new":
                found = sight(path)
                record = found and found.record
                if record and record.machine == self._machine and start_of(record.pid) != record.start:
                    path.unlink(missing_ok=True)
            elif rest.startswith(".after-"):
                path.unlink(missing_ok=True)


def _drop(sheet: Sheet | None, lock: int | None) -> None:
    if sheet is not None:
        sheet.discard()
    if lock is not None:
        os.close(lock)
