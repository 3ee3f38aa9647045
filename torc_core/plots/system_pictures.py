"""What whole machines used."""

from __future__ import annotations

from torc_core.plots.bar_chart import Bars, bars
from torc_core.plots.line_chart import Chart, Line, charts
from torc_core.plots.picture import Picture
from torc_core.plots.scales import BYTES, PERCENT
from torc_core.plots.series import SystemSeries
from torc_core.plots.words import cpu_text, memory_text, moment_text
from torc_core.units import human_duration, human_memory


def system_timeline(system: SystemSeries, name: str) -> Picture:
    """Return CPU and memory of a machine over time."""
    points = system.points
    start, seconds = points[0].moment, points[-1].moment - points[0].moment
    total = max(point.total_memory_bytes for point in points)
    cpu = Line("CPU", [[(p.moment - start, p.cpu_percent) for p in points]], 0, is_filled=True)
    memory = Line("memory", [[(p.moment - start, float(p.memory_bytes)) for p in points]], 2, is_filled=True)
    drawn = [Chart("CPU of the machine", PERCENT, [cpu]), Chart("Memory of the machine", BYTES, [memory], float(total))]
    facts = [
        ("Machine", system.label), ("Began", moment_text(start)), ("Seen for", human_duration(seconds)),
        ("Samples", f"{len(points):,}"), ("Memory there is", human_memory(total)),
    ]  # fmt: skip
    data = system.facts() | {
        "points": [
            {"timestamp": p.moment, "cpu_percent": p.cpu_percent, "memory_bytes": p.memory_bytes,
             "total_memory_bytes": p.total_memory_bytes}
            for p in points
        ]
    }  # fmt: skip
    return Picture(name, f"What the machine used: {system.label}", facts, lambda y: charts(drawn, seconds, y), data)


def system_summary(system: SystemSeries, name: str) -> Picture:
    """Return peaks and averages of a machine."""
    found = system.facts()
    facts = [
        ("Machine", system.label), ("Samples", f"{found['samples']:,}"),
        ("CPU", cpu_text(found["peak_cpu_percent"], found["avg_cpu_percent"])),
        ("Memory", memory_text(found["peak_memory_bytes"], found["avg_memory_bytes"])),
        ("Memory there is", human_memory(found["total_memory_bytes"])),
    ]  # fmt: skip
    share = 100 / found["total_memory_bytes"] if found["total_memory_bytes"] else 0.0
    peaks = [found["peak_cpu_percent"], found["peak_memory_bytes"] * share]
    averages = [found["avg_cpu_percent"], found["avg_memory_bytes"] * share]
    column = Bars("Of what there is: peak, average marked", PERCENT, 0, peaks, averages)
    title = f"What the machine used in all: {system.label}"
    return Picture(name, title, facts, lambda y: bars(["CPU", "Memory"], [column], y), found)
