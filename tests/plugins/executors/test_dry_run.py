import subprocess
from signal import SIGKILL, SIGTERM

import pytest

from torc_core.contracts.executor import Handle, LaunchRequest, Observation, SubmitError
from torc_core.testing.executors import ExecutorSuite
from torc_plugins.executors.dry_run import DryRunExecutor


class TestDryRunSuite(ExecutorSuite):
    __test__ = True

    def make(self, tmp_path):
        return DryRunExecutor()


def request(key="a", seconds=60.0, command="true", **more):
    return LaunchRequest(key, key, command, {}, None, None, walltime_seconds=seconds, **more)


@pytest.fixture
def executor():
    return DryRunExecutor()


def test_it_says_that_it_has_no_side_effects(executor):
    assert executor.name == "dry-run"
    assert executor.capabilities.side_effect_free
    assert executor.check() == []
    assert executor.wake_fd() is None


def test_the_clock_moves_from_end_to_end(executor):
    long, short = executor.submit([request("long", 100.0), request("short", 30.0)])
    assert executor.now == 0.0
    assert executor.ended() == [(short, Observation("done", exit_code=0, started_at=0.0, ended_at=30.0))]
    assert executor.now == 30.0
    [later] = executor.submit([request("later", 10.0)])
    assert executor.ended() == [(later, Observation("done", exit_code=0, started_at=30.0, ended_at=40.0))]
    assert [handle for handle, _ in executor.ended()] == [long]
    assert executor.now == 100.0
    assert executor.ended() == []
    assert executor.now == 100.0


def test_what_ends_at_the_same_time_is_told_together_in_the_order_of_starts(executor):
    handles = executor.submit([request(key, 60.0) for key in "abc"])
    assert [handle for handle, _ in executor.ended()] == handles
    assert len(set(handles)) == 3


def test_a_command_without_walltime_takes_a_minute_and_one_with_none_no_time(executor):
    _, at_once = executor.submit([request("a", None), request("b", 0.0)])
    assert [handle for handle, _ in executor.ended()] == [at_once]
    assert executor.now == 0.0
    executor.ended()
    assert executor.now == 60.0


def test_polling_does_not_move_the_clock(executor):
    [handle] = executor.submit([request()])
    stranger = Handle("dry-run", "77")
    for _ in range(2):
        seen = executor.poll([handle, stranger])
        assert seen == {handle: Observation("running", started_at=0.0), stranger: Observation("lost")}
    executor.ended()
    assert executor.poll([handle])[handle].exit_code == 0


def test_cancel_ends_now_and_is_told_before_the_clock_moves(executor):
    [hard, gentle, other] = executor.submit(
        [request("hard"), request("gentle", supports_termination=True), request("other", 90.0)]
    )
    executor.cancel([hard, gentle, Handle("dry-run", "77")], 10.0)
    executor.cancel([hard], 0.0)
    assert [(handle, seen.signal, seen.reason, seen.ended_at) for handle, seen in executor.ended()] == [
        (hard, SIGKILL, "canceled", 0.0),
        (gentle, SIGTERM, "canceled", 0.0),
    ]
    assert [handle for handle, _ in executor.ended()] == [other]
    assert executor.now == 90.0


def test_canceling_what_has_ended_changes_nothing(executor):
    [handle] = executor.submit([request()])
    executor.ended()
    executor.cancel([handle], 0.0)
    assert executor.poll([handle])[handle].exit_code == 0
    assert executor.ended() == []


def test_a_command_that_no_system_could_start_is_refused_alone(executor):
    bad, good = executor.submit([request("bad", command="echo a\0b"), request("good")])
    assert isinstance(bad, SubmitError)
    assert bad.key == "bad"
    assert "null character" in bad.message
    assert [handle for handle, _ in executor.ended()] == [good]


def test_closing_forgets_what_runs(executor):
    [handle] = executor.submit([request()])
    executor.close()
    assert executor.ended() == []
    assert executor.poll([handle])[handle].state == "lost"


def test_render_says_what_is_asked_for_and_what_would_run(executor):
    text = executor.render(
        request("a job\nof two lines", 3600.0, "echo 'it is'", cpus=2, memory_bytes=2**31, gpu_ids=("0", "1"), nodes=3)
    )
    comment, line = text.split("\n")
    assert comment == "# a job of two lines: 2 CPUs, 2.0 GiB, GPUs 0 1, 3 nodes, at most 1h 0m 0s"
    assert line.startswith("bash -c ")
    assert line.endswith(" > /dev/null 2>&1")


@pytest.mark.parametrize("same", [True, False])
def test_rendered_text_does_the_same_in_a_shell(executor, tmp_path, same):
    folder = tmp_path / "a folder"
    folder.mkdir()
    out, err = str(tmp_path / "it's.o"), str(tmp_path / "it's.e")
    made = LaunchRequest(
        "k", "n", "pwd; echo \"'$((6*7))'\" >&2", {}, out, out if same else err, cwd=str(folder)
    )  # fmt: skip
    text = executor.render(made)
    assert list(tmp_path.iterdir()) == [folder]
    subprocess.run(["bash", "-c", text], check=True)
    both = [(tmp_path / name).read_text() for name in (["it's.o"] if same else ["it's.o", "it's.e"])]
    assert "".join(both) == f"{folder}\n'42'\n"
