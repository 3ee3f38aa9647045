"""What files of control groups say, and where the group of a process is found."""

import errno
import os
import subprocess

import pytest

from torc_plugins import cgroups, procfs
from torc_plugins.cgroups import Cgroup


@pytest.fixture
def group(tmp_path):
    def make(**files):
        for name, text in files.items():
            (tmp_path / name.replace("__", ".")).write_text(text)
        return Cgroup(str(tmp_path))

    return make


def test_the_peak_is_without_what_is_left_when_all_processes_are_gone(group):
    # 500 MB of files are left, of which 100 MB are in memory only and so were needed
    stat = "anon 0\nfile 500000000\nkernel 1\nshmem 100000000\n"
    assert group(memory__peak="700000000\n", memory__stat=stat).peak_memory() == 300_000_000
    assert group(memory__peak="500\n", memory__stat="file 700\nshmem 0\n").peak_memory() == 0
    assert group(memory__peak="500\n", memory__stat="").peak_memory() == 500


def test_nothing_is_known_where_the_controllers_are_missing(group):
    empty = group(cgroup__procs="")
    assert (empty.peak_memory(), empty.cpu_seconds, empty.oom_kills, empty.members()) == (None, None, 0, [])
    assert not empty.has_members


def test_figures_are_read_by_name(group):
    found = group(
        cpu__stat="usage_usec 2500000\nuser_usec 1\nsystem_usec 2\n",
        memory__events="low 0\nhigh 0\nmax 7\noom 5\noom_kill 3\noom_group_kill 1\n",
        cgroup__procs="12\n345\n",
        cgroup__events="populated 1\nfrozen 0\n",
    )
    assert (found.cpu_seconds, found.oom_kills, found.members(), found.has_members) == (2.5, 3, [12, 345], True)


def test_a_limit_is_for_memory_and_swap_and_for_the_group_as_a_whole(group, tmp_path):
    limited = group(memory__max="max\n", memory__oom__group="0\n", memory__swap__max="max\n")
    assert limited.limit_memory(1000)
    found = [(tmp_path / name).read_text()[:4] for name in ("memory.max", "memory.oom.group", "memory.swap.max")]
    assert found == ["1000", "1\n", "0ax\n"]  # the kernel takes what is written as a whole, a file keeps the rest


def test_there_is_no_limit_where_memory_is_not_counted(group):
    assert not group().limit_memory(1000)
    assert not group().kill()


MOUNT = "41 31 0:38 {root} {place} rw,relatime - {kind} {kind} rw"


@pytest.mark.parametrize(
    ("membership", "mounts", "found"),
    [
        ("0::/\n", [("/", "/sys/fs/cgroup", "cgroup2")], "/sys/fs/cgroup"),
        ("0::/user.slice/a\n", [("/", "/sys/fs/cgroup", "cgroup2")], "/sys/fs/cgroup/user.slice/a"),
        ("4:memory:/x\n0::/a\n", [("/", "/sys/fs/cgroup/unified", "cgroup2")], "/sys/fs/cgroup/unified/a"),
        ("0::/box/a\n", [("/box", "/sys/fs/cgroup", "cgroup2")], "/sys/fs/cgroup/a"),
        ("0::/box\n", [("/box", "/sys/fs/cgroup", "cgroup2")], "/sys/fs/cgroup"),
        ("0::/boxes/a\n", [("/box", "/sys/fs/cgroup", "cgroup2")], None),
        ("4:memory:/x\n", [("/", "/sys/fs/cgroup", "cgroup2")], None),
        ("0::/a\n", [("/", "/sys/fs/cgroup", "cgroup")], None),
        ("0::/a\n", [("/", "/", "ext4"), ("/", "/mnt/cg", "cgroup2")], "/mnt/cg/a"),
        ("", [], None),
    ],
)
def test_the_group_of_this_process_is_found_below_its_mount(monkeypatch, membership, mounts, found):
    lines = "".join(MOUNT.format(root=root, place=place, kind=kind) + "\n" for root, place, kind in mounts)
    texts = {"/proc/self/cgroup": membership.encode(), "/proc/self/mountinfo": lines.encode()}
    monkeypatch.setattr(procfs, "read", lambda path, size: texts[path])
    assert cgroups.own_group() == found


def test_there_are_no_groups_where_this_process_may_not_write(monkeypatch, tmp_path):
    monkeypatch.setattr(cgroups, "own_group", lambda: str(tmp_path / "nowhere"))
    assert cgroups.probe() is None
    monkeypatch.setattr(cgroups, "own_group", lambda: None)
    assert cgroups.probe() is None


def test_a_folder_that_is_no_group_is_recognised_and_left_as_it_was(monkeypatch, tmp_path):
    for name in ("cgroup.procs", "cgroup.subtree_control"):
        (tmp_path / name).write_text("")
    monkeypatch.setattr(cgroups, "own_group", lambda: str(tmp_path))
    assert cgroups.probe() is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cgroup.procs", "cgroup.subtree_control"]


@pytest.fixture
def inside(monkeypatch, tmp_path):
    """Has this process be in a group below a folder, where writes move processes; ``full`` ones take none."""
    moves = []

    def be(group, full=()):
        mount = MOUNT.format(root="/", place=tmp_path, kind="cgroup2").encode()
        texts = {"/proc/self/cgroup": f"0::{group}\n".encode(), "/proc/self/mountinfo": mount}
        monkeypatch.setattr(procfs, "read", lambda path, size: texts[path])

        def write(path, text):
            place = path.removeprefix(str(tmp_path)).removesuffix("/cgroup.procs")
            if place in full or not (tmp_path / place[1:]).is_dir():
                raise OSError(errno.EBUSY, "busy")
            moves.append((place, text))

        monkeypatch.setattr(cgroups, "_write", write)
        (tmp_path / "a").mkdir()
        cgroups.set_free(77)
        return moves

    return be


@pytest.mark.parametrize(
    ("group", "place"),
    [
        ("/a/torc-12-345-1/7", "/a"),
        ("/torc-12-345-1/7", ""),
        ("/a/torc-12-345-1/7/torc-13-400-2/1", "/a"),  # a runner in a job: it is nobody's job
        ("/a/torc-12-345-1/7/deeper", "/a"),
        ("/a/runner-PID", "/a"),  # this process is the runner
    ],
)
def test_who_is_set_free_comes_to_where_the_outermost_runner_was_started(inside, group, place):
    assert inside(group.replace("PID", str(os.getpid()))) == [(place, "77")]


@pytest.mark.parametrize(
    "group", ["/a", "/", "/a/torc-study/b", "/a/torc-12-345-1x/7", "/a/my-torc-1-2-3/7", "/a/runner-1"]
)
def test_who_is_in_no_group_of_torc_stays_there(inside, group):
    assert inside(group) == []


def test_who_is_set_free_gets_a_group_of_its_own_where_controllers_keep_processes_out(inside, tmp_path):
    assert inside("/a/torc-12-345-1/7", full=["/a"]) == [("/a/runner-77", "77")]


def test_nothing_is_left_where_there_is_no_place(inside, tmp_path):
    assert inside("/a/torc-12-345-1/7", full=["/a", "/a/runner-77"]) == []
    assert list((tmp_path / "a").iterdir()) == []


def test_groups_of_runners_that_are_gone_are_cleared_with_all_below_them(monkeypatch, tmp_path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    me = procfs.read_process(os.getpid())
    kept = {
        f"torc-{me.pid}-{me.started}-1",
        f"runner-{me.pid}",
        "torc-study",
        "runner-x",
        "other-1-2",
        f"torc-{ended.pid}",
    }
    gone = {f"torc-{ended.pid}-5-1/3/torc-{ended.pid}-6-1/1", f"runner-{ended.pid}", f"torc-{me.pid}-1-1"}
    for name in kept | gone:
        (tmp_path / name).mkdir(parents=True)
    for name in ("cgroup.procs", "cgroup.subtree_control"):
        (tmp_path / name).write_text("")
    monkeypatch.setattr(cgroups, "own_group", lambda: str(tmp_path))
    cgroups.probe()
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == kept
