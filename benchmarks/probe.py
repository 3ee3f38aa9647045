"""Runs torc inside this process and writes down what the process itself took, its jobs not counted.

``python probe.py REPORT ARGUMENTS...``: REPORT gets the CPU seconds, user and system, of all threads.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def main() -> int:
    """Be torc, then report."""
    from torc_core.cli.main import run

    code = run(sys.argv[2:])
    own = resource.getrusage(resource.RUSAGE_SELF)
    Path(sys.argv[1]).write_text(repr(own.ru_utime + own.ru_stime))
    return code


if __name__ == "__main__":
    sys.exit(main())
