"""When jobs are looked at, what is kept of it, and that nothing about it can hurt a run."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from itertools import pairwise

import pytest

from torc_core.contracts.executor import Processes
from torc_core.contracts.monitor import MachineUsage, Monitor, Usage
from torc_core.runner import sampling
from torc_core.runner.metrics_file import JobFacts, MetricsFile
from torc_core.runner.sampling import Sampler
from torc_core.runner.usage import FIRST_LOOK_SECONDS, MachineTrack, Track
from torc_core.testing.executors import wait_for

MIB = 2**20


class Script(Monitor):
    """Says what a test wants to hear; counts looks."""

    name = "script"

    def __init__(self, memory=10, exact=None, processes=1):
        self.memory = memory  # MiB, or a function of the number of looks so far
        self.exact = exact
        self.processes = processes
        self.looks = []
        self.exact_asked = 0
        self.machine_looks = 0

    def measure(self, commands):
        self.looks.append((time.monotonic(), sorted(commands)))
        memory = self.memory(len(self.looks)) if callable(self.memory) else self.memory
        return {number: Usage(len(self.looks) / 10, memory * MIB, self.processes, 7, 8) for number in commands}

    def exact_memory(self, number):
        self.exact_asked += 1
        return None if self.exact is None else self.exact * MIB

    def machine(self):
        self.machine_looks += 1
        return None if self.machine_looks == 1 else MachineUsage(10.0 * self.machine_looks, 100, 1000)


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    """Looks at limited jobs every tenth of a second, so that tests need not wait."""
    monkeypatch.setattr(sampling, "_LIMIT_SECONDS", 0.1)
    monkeypatch.setattr(sampling, "_NEAR_SECONDS", 0.05)


@pytest.fixture
def make():
    made = []

    def make(monitor, interval=60.0, **options):
        sampler = Sampler(monitor, interval, options.pop("flush", 60.0), **options)
        made.append(sampler)
        return sampler

    yield make
    for sampler in made:
        sampler.close()


def begin(sampler, number, limit=0, interval=60.0):
    track = Track(number, f"job{number}", 1, time.monotonic(), limit * MIB, interval)
    sampler.begin(number, track, Processes(None))
    return track


def rows(path, query):
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def test_an_attempt_is_looked_at_soon_after_its_start_and_not_before(make):
    monitor = Script()
    sampler = make(monitor)
    track = begin(sampler, 1)
    wait_for(lambda: track.usage, "the first look")
    assert [numbers for _, numbers in monitor.looks] == [[1]]
    assert monitor.looks[0][0] - track.started_at >= FIRST_LOOK_SECONDS


class Costly(Script):
    """Takes so long for a look that the next one has to wait."""

    def measure(self, commands):
        until = time.thread_time() + 0.02
        while time.thread_time() < until:
            pass
        return super().measure(commands)


def test_starts_wake_the_thread_only_for_looks_that_may_be_taken(make, monkeypatch):
    sampler = make(Costly())
    track = begin(sampler, 1)
    wait_for(lambda: track.usage, "the first look")
    wait_for(lambda: sampler._look_after > time.monotonic(), "the pause after it")
    sampler.end(1)
    woken = []
    notify = sampler._change.notify
    monkeypatch.setattr(sampler._change, "notify", lambda: (woken.append(1), notify()))
    for number in range(2, 50):
        begin(sampler, number)
        wait_for(lambda: sampler._planned, "the plan of the thread")
        sampler.end(number)
    assert len(woken) <= 5  # of 48: one for each pause that is over


def test_an_attempt_that_begins_while_the_thread_sleeps_wakes_it(make):
    sampler = make(Script())
    wait_for(lambda: sampler._planned > time.monotonic() + 10, "a long sleep")
    track = begin(sampler, 1)
    wait_for(lambda: track.usage, "the first look", 5.0)


def test_attempts_that_end_before_their_first_look_cost_none(make):
    monitor = Script()
    sampler = make(monitor)
    for number in range(50):
        begin(sampler, number)
        assert sampler.end(number).usage is None
    sampler.close()
    assert monitor.looks == []


def test_looks_become_rarer_so_that_the_last_is_never_long_before_the_end(make):
    monitor = Script()
    sampler = make(monitor)
    track = begin(sampler, 1)
    wait_for(lambda: len(monitor.looks) >= 4, "four looks")
    ages = [moment - track.started_at for moment, _ in monitor.looks]
    assert all(2 * before <= after for before, after in pairwise(ages))


def test_no_look_is_wanted_between_samples_when_a_job_is_old(make):
    monitor = Script()
    sampler = make(monitor, interval=0.5)
    begin(sampler, 1, interval=0.5)
    wait_for(lambda: len(monitor.looks) >= 8, "eight looks")
    late = [moment for moment, _ in monitor.looks[4:]]
    assert all(after - before >= 0.4 for before, after in pairwise(late))


def test_two_looks_above_the_limit_end_an_attempt(make):
    told = []
    sampler = make(Script(memory=101), on_over=lambda: told.append(1))
    begin(sampler, 1, limit=100)
    over = wait_for(lambda: sampler.over and sampler.over[0], "the end")
    assert over == (1, 101 * MIB)
    wait_for(lambda: told, "word of it")


def test_one_look_above_the_limit_is_forgiven(make):
    monitor = Script(memory=lambda looks: 200 if looks % 2 else 50)
    sampler = make(monitor)
    begin(sampler, 1, limit=100)
    wait_for(lambda: len(monitor.looks) >= 4, "four looks")
    assert not sampler.over


def test_exactly_the_limit_is_allowed(make):
    monitor = Script(memory=100)
    sampler = make(monitor)
    begin(sampler, 1, limit=100)
    wait_for(lambda: len(monitor.looks) >= 3, "three looks")
    assert not sampler.over


def test_pages_that_processes_share_count_once_for_the_limit(make):
    monitor = Script(memory=300, exact=80, processes=4)
    sampler = make(monitor)
    begin(sampler, 1, limit=100)
    wait_for(lambda: monitor.exact_asked >= 3, "three looks")
    assert not sampler.over


@pytest.mark.parametrize(("exact", "processes"), [(None, 4), (150, 4), (80, 1)])
def test_what_is_above_the_limit_exactly_too_or_is_one_process_is_ended(make, exact, processes):
    sampler = make(Script(memory=300, exact=exact, processes=processes))
    begin(sampler, 1, limit=100)
    wait_for(lambda: sampler.over, "the end")


def test_memory_that_is_not_limited_may_grow(make):
    monitor = Script(memory=10_000)
    sampler = make(monitor)
    begin(sampler, 1)
    begin(sampler, 2, limit=100_000)
    wait_for(lambda: len(monitor.looks) >= 3, "three looks")
    assert not sampler.over


def test_looks_between_samples_take_only_their_share_of_a_cpu(make):
    class Slow(Script):
        def measure(self, commands):
            end = time.thread_time() + 0.05
            while time.thread_time() < end:
                pass
            return super().measure(commands)

    monitor = Slow(memory=90)
    sampler = make(monitor)
    begin(sampler, 1, limit=100)  # near its limit: wanted every half second
    wait_for(lambda: len(monitor.looks) >= 2, "two looks")
    apart = monitor.looks[1][0] - monitor.looks[0][0]
    assert apart >= 5.0  # 0.05 s are 0.3 percent of 16.7 s, and 5 s are the most


def test_samples_are_rows(make, tmp_path):
    path = tmp_path / "m.db"
    sampler = make(Script(), interval=0.5, series=MetricsFile(path), keeps_jobs=True, flush=0.2)
    begin(sampler, 4, interval=0.5)
    wait_for(lambda: len(rows(path, "SELECT 1 FROM job_resource_samples")) >= 2, "two rows in the file")
    sampler.close()
    found = rows(path, "SELECT job_id, memory_bytes, num_processes, attempt_id, read_bytes, write_bytes, "
                 "moment - timestamp BETWEEN 0 AND 1 FROM job_resource_samples")  # fmt: skip
    assert set(found) == {(4, 10 * MIB, 1, 1, 7, 8, 1)}
    assert rows(path, "SELECT job_id, job_name, end_moment FROM job_metadata") == [(4, "job4", None)]


def test_ends_are_kept_of_attempts_without_a_sample_too(make, tmp_path):
    path = tmp_path / "m.db"
    sampler = make(Script(), series=MetricsFile(path), keeps_jobs=True)
    sampler.note_end(JobFacts(4, "four", 1, 5.0, 6.0, 90.0))
    sampler.close()
    assert rows(path, "SELECT job_name, end_moment, peak_cpu_percent FROM job_metadata") == [("four", 6.0, 90.0)]


def test_only_what_is_wanted_is_kept(make, tmp_path):
    path = tmp_path / "m.db"
    sampler = make(Script(), interval=0.3, machine=MachineTrack(), series=MetricsFile(path), keeps_jobs=True)
    begin(sampler, 4, interval=0.3)
    monitor = sampler._monitor
    wait_for(lambda: monitor.machine_looks >= 3, "looks at the machine")
    summary = sampler.close()
    assert rows(path, "SELECT count(*) FROM system_resource_samples") == [(0,)]
    assert rows(path, "SELECT count(*) FROM system_resource_summary") == [(0,)]
    assert summary.sample_count == monitor.machine_looks - 1


def test_the_machine_has_rows_and_a_summary(make, tmp_path):
    path = tmp_path / "m.db"
    sampler = make(Script(), interval=0.3, machine=MachineTrack(), series=MetricsFile(path), keeps_machine=True)
    wait_for(lambda: sampler._monitor.machine_looks >= 3, "looks at the machine")
    summary = sampler.close()
    found = rows(path, "SELECT cpu_percent, memory_bytes, total_memory_bytes FROM system_resource_samples ORDER BY id")
    assert found == [(10.0 * look, 100, 1000) for look in range(2, 2 + summary.sample_count)]
    assert rows(path, "SELECT * FROM system_resource_summary") == [(1, *summary)]


def test_a_short_run_has_a_look_at_the_machine_at_its_end(make):
    sampler = make(Script(), machine=MachineTrack())
    wait_for(lambda: time.monotonic() - sampler._looked_at_machine > 0.15 and sampler._monitor.machine_looks, "a while")
    assert sampler.close() == (1, 20.0, 20.0, 100, 100)


def test_a_file_that_cannot_be_written_ends_the_series_and_nothing_else(make, tmp_path):
    said = []
    series = MetricsFile(tmp_path / "m.db")
    series.flush = lambda: (_ for _ in ()).throw(sqlite3.OperationalError("disk I/O error"))
    monitor = Script()
    sampler = make(monitor, interval=0.3, series=series, keeps_jobs=True, flush=0.1, say=said.append)
    begin(sampler, 1, interval=0.3)
    wait_for(lambda: said, "word of it")
    seen = len(monitor.looks)
    wait_for(lambda: len(monitor.looks) > seen, "more looks")
    assert len(said) == 1
    assert "disk I/O error" in said[0]
    assert "m.db" in said[0]


def test_a_monitor_that_fails_is_told_and_the_run_goes_on(make):
    said = []

    class Broken(Script):
        def measure(self, commands):
            raise RuntimeError("no such sensor")

    sampler = make(Broken(), say=said.append)
    track = begin(sampler, 1)
    wait_for(lambda: said, "word of it")
    assert "monitor script failed: RuntimeError('no such sensor')" in said[0]
    assert sampler.end(1) is track
    sampler.close()


def test_a_monitor_that_hangs_does_not_keep_the_run(make, monkeypatch):
    monkeypatch.setattr(sampling, "_END_SECONDS", 0.1)
    said, gate = [], []

    class Stuck(Script):
        def measure(self, commands):
            gate.append(1)
            wait_for(lambda: len(gate) > 1, "the end of the test")
            return {}

    sampler = make(Stuck(), say=said.append)
    begin(sampler, 1)
    wait_for(lambda: gate, "a look")
    sampler.close()
    gate.append(2)
    assert "does not answer" in said[0]
