"""Which folders other machines share, and where the socket of an owner goes."""

import os
import stat

import pytest

from torc_core.service.folders import file_system_kind, is_local_folder, is_network_folder, socket_path

MOUNTS = r"""21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:5 / /proc rw - proc proc rw
30 21 0:40 / /home rw,relatime shared:2 master:1 - nfs4 server:/home rw,vers=4.2
31 30 8:2 / /home/local\040disk rw - xfs /dev/sdb1 rw
32 21 0:41 / /scratch rw - lustre 10.0.0.1@tcp:/fs rw,flock
33 21 0:42 / /mnt/ssh rw - fuse.sshfs me@host:/ rw
34 21 0:43 / /gpfs rw - gpfs gpfs0 rw
35 21 0:44 / /over rw - nfs server:/a rw
36 21 8:3 / /over rw - ext4 /dev/sdc1 rw
37 21 0:45 / /work rw - beegfs beegfs_nodev rw
38 21 0:46 / /new rw - somethingfs x rw
39 21 0:47 / /cifs rw - cifs //server/share rw
40 21 0:48 / /ceph rw - ceph mon:/ rw
41 21 0:49 / /panfs rw - panfs panfs://x rw
42 21 0:50 / /nine rw - 9p hostshare rw
43 21 0:51 / /usb rw - fuseblk /dev/sde1 rw
"""


@pytest.fixture
def mounts(tmp_path):
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTS)
    return path


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/srv/x", "ext4", False),
        ("/home/me/run", "nfs4", True),
        ("/home", "nfs4", True),
        ("/homework", "ext4", False),
        ("/home/local disk/run", "xfs", False),
        ("/scratch/a/b/c", "lustre", True),
        ("/mnt/ssh/x", "fuse.sshfs", True),
        ("/gpfs/x", "gpfs", True),
        ("/over/x", "ext4", False),
        ("/work/x", "beegfs", True),
        ("/new/x", "somethingfs", True),
        ("/cifs/x", "cifs", True),
        ("/ceph/x", "ceph", True),
        ("/panfs/x", "panfs", True),
        ("/nine/x", "9p", True),
        ("/usb/x", "fuseblk", False),
    ],
)
def test_a_folder_is_shared_unless_its_file_system_is_known_to_be_local(mounts, path, kind, network):
    from pathlib import Path

    assert file_system_kind(Path(path), mounts) == kind
    assert is_network_folder(Path(path), mounts) is network
    assert is_local_folder(Path(path), mounts) is not network


def test_where_mounts_cannot_be_read_nothing_is_claimed(tmp_path):
    assert not is_network_folder(tmp_path, tmp_path / "none")
    assert not is_local_folder(tmp_path, tmp_path / "none")


def test_the_socket_is_beside_the_database_when_its_path_is_short(tmp_path, monkeypatch):
    monkeypatch.setattr("torc_core.service.folders.is_network_folder", lambda _: False)
    assert socket_path(tmp_path / "t.db", "id1") == tmp_path / "t.db.sock"


@pytest.mark.parametrize("why", ["too long", "network"])
def test_else_the_socket_is_in_a_private_folder(tmp_path, monkeypatch, why):
    monkeypatch.setattr("torc_core.service.folders.is_network_folder", lambda _: why == "network")
    run, database = tmp_path / "run", tmp_path / ("d" * (100 if why == "too long" else 1)) / "torc.db"
    run.mkdir()
    short = run if len(os.fsencode(run)) < 60 else None
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short or ""))
    path = socket_path(database, "0123456789abcdef")
    try:
        assert len(os.fsencode(path)) <= 100
        assert path.parent != database.parent
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        if short:
            assert path.parent.parent == short
    finally:
        path.parent.rmdir()
