"""A process with an embedded database, for tests of owners and neighbours: it does what its standard input says.

Its service keeps a counter in a file, and a lock that shows when two processes think they are the owner. Options are
JSON: db, tcp, shared_folder, timing, die_in (the operation during which the owner kills itself), exclusive (false: do
without that lock, which knows nothing of two machines), is_real (true: the local service on SQLite instead).
"""

import fcntl
import json
import os
import signal
import sys
import threading
from pathlib import Path

from torc_core.errors import TorcError, Unavailable
from torc_core.records import answers as a
from torc_core.records.resources import Workflow
from torc_core.service.api import Service
from torc_core.service.embedded import open_embedded
from torc_core.service.ownership import Timing

OPTIONS = json.loads(sys.argv[1])


def say(**values):
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


class Counter(Service):
    """The counter is in the file; each operation that changes it raises it by one."""

    def __init__(self, path: Path, still_mine):
        self.path, self.still_mine = path, still_mine
        self.witness = open(f"{path}.witness", "a+")  # noqa: SIM115  (held as long as the service)
        try:
            if OPTIONS.get("exclusive", True):
                fcntl.flock(self.witness, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say(event="two owners")
            os._exit(3)
        self.witness.write(f"{os.getpid()}\n")
        self.witness.flush()
        self.moved = threading.Condition()
        self.closed = False
        self.version = os.getpid() * 1000  # another owner's numbers mean nothing here

    def ping(self):
        return a.Ping(status=str(os.getpid()))

    def _raise(self, name):
        if not self.still_mine():
            raise Unavailable("another process has taken over this database")
        if OPTIONS.get("die_in") == name:
            os.kill(os.getpid(), signal.SIGKILL)
        with self.moved:
            count = int(self.path.read_text() or "0") + 1 if self.path.exists() else 1
            self.path.write_text(str(count))
            self.version += 1
            self.moved.notify_all()
        return Workflow(id=count, name=f"by {os.getpid()}", user="me")

    def create(self, record):
        return self._raise("create")

    def cancel_workflow(self, id):
        return self._raise("cancel_workflow")

    def wait_for_change(self, id, version=0, wait_seconds=0.0):
        with self.moved:
            self.moved.wait_for(lambda: self.version != version or self.closed, wait_seconds)
            return a.Change(version=self.version)

    def close(self):
        with self.moved:
            self.closed = True
            self.moved.notify_all()
        self.witness.close()


def make_real(path: Path, still_mine) -> Service:
    from torc_core.service.local import LocalService
    from torc_plugins.storage.sqlite_storage import SqliteStorage

    return LocalService(SqliteStorage(str(path)), still_mine=still_mine)


def open_database(path: str) -> Service | None:
    tcp = OPTIONS.get("tcp")
    try:
        service = open_embedded(
            Path(path),
            make_real if OPTIONS.get("is_real") else Counter,
            tcp=tuple(tcp) if tcp else None,
            shared_folder=OPTIONS.get("shared_folder"),
            tell=lambda text: say(event="told", text=text),
            timing=Timing(**OPTIONS.get("timing", {})),
        )
    except TorcError as exc:
        say(event="failed", error=str(exc), hint=exc.hint)
        return None
    say(event="open", pid=os.getpid(), is_owner=service.is_owner)
    return service


def main():
    service = open_database(OPTIONS["db"]) if OPTIONS["db"] else None
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        try:
            if word == "open":
                service = open_database(rest)
            elif word == "ping":
                say(by=int(service.ping().status), is_owner=service.is_owner)
            elif word == "create":
                made = service.create(Workflow(name=rest or "w", user="me"))
                say(count=made.id, by=made.name)
            elif word == "list":
                say(names=[w.name for w in service.each(Workflow)], is_owner=service.is_owner)
            elif word == "cancel":
                made = service.cancel_workflow(1)
                say(count=made.id, by=made.name)
            elif word == "watch":
                service.on_change(1, lambda: say(event="change"))
            elif word == "close":
                service.close()
                say(event="closed")
        except TorcError as exc:
            say(error=type(exc).__name__, text=str(exc), outcome=exc.details.get("outcome"))


main()
