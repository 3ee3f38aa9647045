"""Runs torc inside this process and writes down what the process itself took, its jobs not counted.

``python probe.py REPORT ARGUMENTS... [--then ARGUMENTS...]``: REPORT gets the CPU seconds, user and system, of all
threads.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def main() -> int:
    """Be torc, once or several times, then report."""
    from torc_core.cli.main import run

    report, *words = sys.argv[1:]
    arguments: list[str] = []
    code = 0
    for word in [*words, "--then"]:
        if word == "--then":
            code = max(code, run(arguments))
            arguments = []
        else:
            arguments.append(word)
    own = resource.getrusage(resource.RUSAGE_SELF)
    Path(report).write_text(repr(own.ru_utime + own.ru_stime))
    return code


if __name__ == "__main__":
    sys.exit(main())
