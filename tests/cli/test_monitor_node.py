"""``torc monitor-node``: this machine, until a signal comes."""

import os
import signal
import sqlite3
from contextlib import closing

import pytest

from tests.cli.programs import until

HOST = os.uname().nodename
SPEC = """
name: w
resource_monitor:
  sample_interval_seconds: 1
  flush_interval_seconds: 1
  jobs: {{enabled: false}}
  compute_node: {{enabled: {enabled}, granularity: {granularity}, cpu: {cpu}}}
jobs: [{{name: a, command: 'true'}}]
"""


def rows(path, query):
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def samples(path):
    """Return the samples in a file, none while it is being made."""
    try:
        return rows(path, "SELECT 1 FROM system_resource_samples") if path.exists() else []
    except sqlite3.OperationalError:
        return []


def file_in(folder, label):
    return folder / "resource_utilization" / f"resource_metrics_{label}.db"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_it_measures_until_a_signal_comes(torc, start, number):
    watcher = start(
        torc.path, "-f", "json", "monitor-node", "-o", "out", "-i", "0.2", "--flush-interval-seconds", "0.2"
    )
    path = file_in(torc.path / "out", f"monitor_h{HOST}")
    until(
        lambda: path.exists() and len(rows(path, "SELECT 1 FROM system_resource_samples")) >= 2, "samples in the file"
    )
    watcher.process.send_signal(number)
    done = watcher.wait()
    assert done.code == 0
    count = len(rows(path, "SELECT 1 FROM system_resource_samples"))
    [summary] = rows(path, "SELECT sample_count, peak_cpu_percent, peak_memory_bytes FROM system_resource_summary")
    body = done.json
    assert (count, body["peak_cpu_percent"], body["peak_memory_bytes"]) == summary
    assert body["sample_count"] == count
    assert body["file"] == f"out/resource_utilization/resource_metrics_monitor_h{HOST}.db"


def test_only_a_summary_is_kept_when_wanted(torc, start):
    watcher = start(torc.path, "monitor-node", "--summary-only", "-i", "0.2")
    until(lambda: "Measuring this machine" in watcher.err.read_text(), "the start")
    until(lambda: file_in(torc.path / "torc_output", f"monitor_h{HOST}").exists(), "the file")
    watcher.process.send_signal(signal.SIGTERM)
    done = watcher.wait()
    path = file_in(torc.path / "torc_output", f"monitor_h{HOST}")
    assert rows(path, "SELECT count(*) FROM system_resource_samples") == [(0,)]
    assert rows(path, "SELECT count(*) FROM system_resource_summary") == [(1,)]
    assert done.lines[0].endswith(f"in {path.relative_to(torc.path)}")


def test_a_workflow_says_what_is_measured(torc, start):
    torc.create(SPEC.format(enabled="true", granularity="time_series", cpu="false"))
    watcher = start(torc.path, "-f", "json", "monitor-node", "-w", "1")
    path = file_in(torc.path / "torc_output", f"monitor_wf1_h{HOST}_r0")
    until(lambda: samples(path), "a sample in the file")
    watcher.process.send_signal(signal.SIGTERM)
    body = watcher.wait().json
    assert "peak_cpu_percent" not in body
    assert body["peak_memory_bytes"] > 0


def test_a_workflow_that_wants_nothing_measured_is_refused(torc):
    torc.create(SPEC.format(enabled="false", granularity="summary", cpu="true"))
    done = torc("monitor-node", "-w", "1", code=1)
    assert "workflow 1 wants no machines measured" in done.err
    assert "there is no workflow with id 9" in torc("monitor-node", "-w", "9", code=1).err


def test_a_folder_that_cannot_be_used_is_told(torc):
    torc.write("file", "in the way")
    assert "cannot be written" in torc("monitor-node", "-o", "file", code=1).err
