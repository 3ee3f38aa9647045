"""Peaks and averages from looks; every figure is worked out by hand."""

import inspect

import pytest

from torc_core.contracts.executor import Observation
from torc_core.contracts.monitor import MachineUsage, Usage
from torc_core.runner import usage as module
from torc_core.runner.usage import MachineTrack, Track

MIB = 2**20


def track(interval=10.0):
    return Track(7, "seven", 1, 100.0, 0, interval)


def use(cpu, memory=0, processes=1, read=None, written=None):
    return Usage(cpu, memory * MIB, processes, read, written)


def ended(**known):
    return Observation("done", 0, **known)


def test_the_peak_of_cpu_is_the_highest_rate_between_samples():
    one = track()
    percents = []
    for now, cpu in ((110.0, 5.0), (120.0, 25.0), (130.0, 26.0)):
        one.look(now, use(cpu))
        percents.append(one.sample(now))
    assert percents == [50.0, 200.0, 10.0]  # 5 s, 20 s and 1 s of CPU in 10 s each
    seen = one.complete(140.0, ended(cpu_seconds=26.0))
    assert (seen.peak_cpu_percent, seen.cpu_seconds) == (200.0, 26.0)


def test_looks_between_samples_do_not_count_as_rates():
    one = track()
    one.look(101.0, use(3.0))
    one.look(110.0, use(5.0))
    one.sample(110.0)
    assert one.peak_cpu_percent == 50.0


def test_a_sample_soon_after_the_start_is_no_rate_and_leaves_its_time_to_the_next():
    one = track()
    one.look(101.0, use(1.5))
    assert one.sample(101.0) == 150.0
    assert one.peak_cpu_percent is None
    one.look(111.0, use(5.5))
    assert one.sample(111.0) == 50.0  # 5.5 s in 11 s


def test_short_intervals_are_rates_of_their_own():
    one = track(interval=1.0)
    one.look(101.0, use(0.9))
    one.sample(101.0)
    assert one.peak_cpu_percent == pytest.approx(90.0)


def test_the_time_after_the_last_sample_counts():
    one = track()
    one.look(110.0, use(1.0))
    one.sample(110.0)
    assert one.complete(115.0, ended(cpu_seconds=11.0)).peak_cpu_percent == 200.0  # 10 s in 5 s


def test_an_attempt_without_a_look_has_what_the_system_counted():
    seen = track().complete(100.5, ended(cpu_seconds=0.4, peak_memory_bytes=60 * MIB))
    assert (seen.peak_cpu_percent, seen.peak_memory_bytes, seen.avg_memory_bytes) == (80.0, 60 * MIB, None)


def test_what_nobody_knows_stays_unknown():
    seen = track().complete(100.5, ended())
    assert (seen.cpu_seconds, seen.peak_cpu_percent, seen.peak_memory_bytes, seen.read_bytes) == (None,) * 4


def test_cpu_time_of_processes_that_are_gone_is_not_taken_back():
    one = track()
    one.look(110.0, use(9.0))
    one.sample(110.0)
    one.look(120.0, use(2.0))  # a child that nobody waited for has ended
    assert one.sample(120.0) == 0.0
    assert one.complete(120.0, ended(cpu_seconds=3.0)).cpu_seconds == 9.0


def test_average_memory_is_weighted_by_time():
    one = track()
    one.look(110.0, use(0, 100))
    one.look(140.0, use(0, 200))
    assert one.avg_memory_bytes == 175 * MIB  # 100 for 10 s and 200 for 30 s
    assert one.complete(150.0, ended()).avg_memory_bytes == 175 * MIB


def test_the_peak_of_memory_is_the_larger_of_what_was_seen_and_counted():
    for memory, counted, peak in ((100, 60, 100), (100, 300, 300), (100, None, 100)):
        one = track()
        one.look(110.0, use(0, memory))
        one.look(120.0, use(0, 10))
        known = {} if counted is None else {"peak_memory_bytes": counted * MIB}
        assert one.complete(121.0, ended(**known)).peak_memory_bytes == peak * MIB


def test_the_peak_of_a_process_between_looks_counts():
    one = track()
    one.look(110.0, Usage(0, 100 * MIB, 3, peak_memory_bytes=400 * MIB))
    assert one.complete(111.0, ended()).peak_memory_bytes == 400 * MIB
    assert one.avg_memory_bytes == 100 * MIB


def test_bytes_are_the_most_that_was_seen():
    one = track()
    one.look(110.0, use(0, read=500, written=None))
    one.look(120.0, use(0, read=400, written=70))
    seen = one.complete(121.0, ended(read_bytes=450, write_bytes=90))
    assert (seen.read_bytes, seen.write_bytes) == (500, 90)


def test_percents_are_rounded_to_tenths():
    assert track().complete(103.0, ended(cpu_seconds=1.0)).peak_cpu_percent == 33.3


def test_a_machine_has_peaks_and_averages_of_what_is_wanted():
    both, no_cpu, no_memory = MachineTrack(), MachineTrack(cpu=False), MachineTrack(memory=False)
    for one in (both, no_cpu, no_memory):
        for percent, memory in ((10.0, 100), (40.0, 500), (25.0, 301)):
            one.look(MachineUsage(percent, memory, 1000))
    assert both.summary() == (3, 40.0, 25.0, 500, 300)  # 901 / 3 is 300.3
    assert no_cpu.summary() == (3, None, None, 500, 300)
    assert no_memory.summary() == (3, 40.0, 25.0, None, None)
    assert MachineTrack().summary() == (0, None, None, None, None)


WRONG_SUMS = {
    "the average is not weighted": ("usage.memory_bytes * max(0.0, now - self._at)", "usage.memory_bytes * 10.0"),
    "the last look counts as peak": ("max(self.peak_memory_bytes or 0, usage.memory_bytes,", "max(usage.memory_bytes,"),
    "the peak of a process is forgotten": (", usage.peak_memory_bytes or 0)", ")"),
    "cpu time may fall": ("max(self.cpu_seconds, usage.cpu_seconds)", "usage.cpu_seconds"),
    "the rate is since the start": ("seconds = now - self._mark_at\n", "seconds = now - self.started_at\n"),
    "any rate is a peak": ("if seconds >= self.least_seconds:", "if True:"),
    "the end is forgotten": ("self._rate(now, total)\n", "pass\n"),
    "the average is no least peak": ("most(self.peak_cpu_percent, 100 * total / seconds)", "self.peak_cpu_percent"),
    "what the system counted is forgotten": (
        "most(seen.peak_memory_bytes, self.peak_memory_bytes)", "self.peak_memory_bytes"
    ),
    "the machine's average is a sum": ("round(self._memory_sum / count)", "self._memory_sum"),
}  # fmt: skip


def failing_with(source):
    """Return how many tests above fail when they are run against another source of the module."""
    planted = {"__name__": "planted"}
    exec(compile(source, "planted", "exec"), planted)
    kept = {name: globals()[name] for name in ("Track", "MachineTrack")}
    globals().update({name: planted[name] for name in kept})
    try:
        return sum(fails(check) for check in CHECKS)
    finally:
        globals().update(kept)


def fails(check):
    try:
        check()
    except Exception:
        return True
    return False


@pytest.mark.parametrize("name", WRONG_SUMS)
def test_a_planted_wrong_sum_is_found(name):
    right, wrong = WRONG_SUMS[name]
    source = inspect.getsource(module)
    assert source.count(right) == 1, right
    assert failing_with(source.replace(right, wrong))


def test_nothing_is_found_where_nothing_is_planted():
    assert failing_with(inspect.getsource(module)) == 0


CHECKS = [check for name, check in list(globals().items()) if name.startswith("test_") and "planted" not in name]
