"""Runs the command line while an audit hook notes what it does to files and the network; prints the notes last."""

import json
import os
import sys

NOTES = []
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "shutil.move"}


def note(event, arguments):
    if event == "open":
        path, _, flags = arguments
        if isinstance(flags, int) and flags & WRITING and path not in (os.devnull, 1, 2):
            NOTES.append(f"{event} {path}")
    elif event.startswith("socket.") or event in CHANGES or event == "sqlite3.connect":
        NOTES.append(f"{event} {arguments}")


sys.addaudithook(note)
from torc_core.cli.main import run  # noqa: E402

code = run(sys.argv[1:])
sys.stdout.flush()
print("\n" + json.dumps({"code": code, "notes": NOTES}))
