"""The command: measures the rows, prints the tables, writes them down."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import machine, rows_monitor, rows_own, rows_peers, rows_server, table
from benchmarks.bench import Bench, Row
from benchmarks.results import Result, as_json
from benchmarks.timing import BenchmarkError

ROWS = [*rows_peers.ROWS, *rows_own.ROWS, *rows_monitor.ROWS, *rows_server.ROWS]
DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"
_QUICK = 0.1


def main(arguments: list[str] | None = None) -> int:
    """Return 0 when everything was measured and nothing missed what it must, else 1."""
    given = _parser().parse_args(arguments)
    chosen = [row for row in ROWS if not given.only or row.name in given.only]
    scale = _QUICK if given.quick else 1.0
    with tempfile.TemporaryDirectory(prefix="torc-bench-", dir=given.folder) as scratch:
        facts = machine.facts(Path(scratch))
        heading = "\n".join([f"{time.strftime('%Y-%m-%d')}. " + " ".join(table.machine_lines(facts))])
        print(heading, file=sys.stderr)
        found, failed = _measure(chosen, Path(scratch), given.repeats or (2 if given.quick else None), scale)
    is_full_size = scale == 1.0
    parts = [heading, table.figures_table(found, is_full_size), table.commands_table(found)]
    print("", *parts, sep="\n\n")
    if not is_full_size:
        print(f"\nAt {scale:g} of the full size, for which the limits are meant: no verdicts.")
    if given.json:
        given.json.write_text(json.dumps(_document(facts, found, failed, scale), indent=1) + "\n")
    if given.write_docs:
        DOCUMENT.write_text(table.between_markers(DOCUMENT.read_text(), "\n\n".join(parts)))
    missed = [f"{row.name} ({f.label})" for row, r in found for f in r.figures if f.verdict(is_full_size) == "missed"]
    if missed:
        print(f"\nMissed: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed or failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Time torc beside its peers.")
    parser.add_argument(
        "--only", action="append", metavar="ROW", choices=[row.name for row in ROWS],
        help="measure this row only (repeatable): " + "; ".join(f"{row.name} {row.title}" for row in ROWS),
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="a tenth of the size, two repeats, no verdicts")
    parser.add_argument("--repeats", type=int, metavar="N", help="so many counted runs of every command")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all measured values")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where to work (the folder for temporary files)")
    parser.add_argument("--write-docs", action="store_true", help="put the tables into docs/performance.md")
    return parser


def _measure(
    rows: list[Row], scratch: Path, repeats: int | None, scale: float
) -> tuple[list[tuple[Row, Result]], dict[str, str]]:
    """Return what the rows found, and why some could not be measured."""
    found: list[tuple[Row, Result]] = []
    failed: dict[str, str] = {}
    for row in rows:
        began = time.monotonic()
        print(f"row {row.name}: {row.title} ...", end=" ", flush=True, file=sys.stderr)
        folder = scratch / f"row-{row.name}"
        folder.mkdir()
        try:
            found.append((row, row.measure(Bench(folder, repeats, scale))))
        except BenchmarkError as exc:
            failed[row.name] = str(exc)
            print(f"not measured: {exc}", file=sys.stderr)
        else:
            print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    return found, failed


def _document(
    facts: dict[str, Any], found: list[tuple[Row, Result]], failed: dict[str, str], scale: float
) -> dict[str, Any]:
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": facts,
        "scale": scale,
        "rows": [{"row": row.name, "title": row.title, **as_json(result, scale == 1.0)} for row, result in found],
        "not_measured": failed,
    }


if __name__ == "__main__":
    sys.exit(main())
