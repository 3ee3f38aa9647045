"""The tables: figures against their limits, and what the commands took."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from benchmarks.bench import Row
from benchmarks.results import Figure, Result

BEGIN = "<!-- figures: begin, written by python -m benchmarks --write-docs -->"
END = "<!-- figures: end -->"
_WORDS = {"aim": "aim", "must": "must, not aim", "missed": "**missed**", "": ""}


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose columns are as wide as their widest cell."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def number(value: float, unit: str) -> str:
    """Return a value with the digits that mean something."""
    if unit == "x":
        return f"{value:.2f}x"
    return f"{value:.0f} {unit}" if abs(value) >= 100 else f"{value:.3g} {unit}"


def figures_table(found: Sequence[tuple[Row, Result]], is_full_size: bool) -> str:
    """Return medians and spreads beside the limits."""
    return markdown(
        ("Row", "Work", "Figure", "Median", "Least to most", "Must", "Aim", "Meets"),
        (
            ("" if index else row.name, "" if index else row.title, *_cells(figure, is_full_size))
            for row, result in found
            for index, figure in enumerate(result.figures)
        ),
    )


def _cells(figure: Figure, is_full_size: bool) -> tuple[str, ...]:
    def limit(value: float | None) -> str:
        return "" if value is None else f"<= {number(value, figure.unit)}"

    spread = f"{number(min(figure.samples), figure.unit)} to {number(max(figure.samples), figure.unit)}"
    return (
        figure.label, number(figure.value, figure.unit), spread if len(figure.samples) > 1 else "",
        limit(figure.must), limit(figure.aim), _WORDS[figure.verdict(is_full_size)],
    )  # fmt: skip


def commands_table(found: Sequence[tuple[Row, Result]]) -> str:
    """Return medians of what each command took."""
    return markdown(
        ("Row", "Command", "Runs", "Wall", "Least to most", "CPU", "Peak"),
        (
            (
                "" if index else row.name, name, str(len(usages)), number(median(u.wall_s for u in usages), "s"),
                f"{min(u.wall_s for u in usages):.3g} to {max(u.wall_s for u in usages):.3g} s",
                number(median(u.cpu_s for u in usages), "s"), number(median(u.peak_mb for u in usages), "MB"),
            )
            for row, result in found
            for index, (name, usages) in enumerate(result.usages.items())
        ),
    )  # fmt: skip


def machine_lines(facts: dict[str, Any]) -> list[str]:
    """Return the machine in words."""
    peers = ", ".join(f"{name} {version}" for name, version in facts["peers"].items())
    lines = [
        f"{facts['cpus']} CPUs ({facts['cpu_model'] or 'model unknown'}), {facts['memory_gb']} GB, {facts['kernel']},"
        f" Python {facts['python']}; scratch on {facts['scratch']}; {peers or 'no peers installed'}.",
        f"Load before: {', '.join(map(str, facts['load_before']))}.",
    ]
    if facts["is_busy"]:
        lines.append(
            "The machine was busy with other work: trust the ratios and the CPU seconds, not the wall seconds."
        )
    return lines


def between_markers(text: str, figures: str) -> str:
    """Return a document with new figures; raises ValueError when it has no place for them."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"there is no {BEGIN} with {END} after it")
    return f"{before}{begin}\n\n{figures}\n\n{end}{after}"
