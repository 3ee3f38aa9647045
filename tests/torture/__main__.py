"""``python -m tests.torture``: random workflows whose programs are killed at random points; the seed repeats them."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.torture.checks import counts
from tests.torture.shots import RunFailed, run_embedded, run_with_server

SETTINGS = {"embedded": run_embedded, "server": run_with_server}
_CHUNK = 20  # runs that share a server and a folder


def main() -> int:
    """Run, and say what it gave; the folder of a run that failed is kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--runs", type=int, default=50, help="how many (50)")
    parser.add_argument("--seed", type=int, help="what all chance comes from (random)")
    parser.add_argument("--first", type=int, default=0, help="number of the first run (0)")
    parser.add_argument("--setting", choices=[*SETTINGS, "all"], default="all", help="three of five are embedded (all)")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    print(f"seed {seed}, {given.runs} runs ({given.setting})", flush=True)
    begin, tally, failed = time.monotonic(), Counter[str](), 0
    left = _chunks(given.setting, given.first, given.runs)
    while left:
        setting, numbers = left.pop(0)
        root = Path(tempfile.mkdtemp(prefix="torc-torture-"))
        try:
            tally += SETTINGS[setting](root, seed, numbers)
        except RunFailed as exc:
            failed += 1
            if exc.number + 1 < numbers.stop:
                left.insert(0, (setting, range(exc.number + 1, numbers.stop)))
            numbers = range(numbers.start, exc.number + 1)
            print(f"{exc}\n  see {root}", file=sys.stderr, flush=True)
        else:
            shutil.rmtree(root)
        print(f"{numbers.stop - given.first} of {given.runs}: killed {counts(tally)}", flush=True)
    print(f"{given.runs} runs, {failed} failed, {time.monotonic() - begin:.0f} s, seed {seed}", flush=True)
    return 1 if failed else 0


def _chunks(setting: str, first: int, runs: int) -> list[tuple[str, range]]:
    """Deal runs out to settings; those behind one that failed begin with a new folder and a new server."""
    made = []
    for place, start in enumerate(range(first, first + runs, _CHUNK)):
        chosen = setting if setting != "all" else ("server" if place % 5 in (1, 3) else "embedded")
        made.append((chosen, range(start, min(start + _CHUNK, first + runs))))
    return made


if __name__ == "__main__":
    sys.exit(main())
