from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys

import pytest

from bulkmail.mail import OwnFault, Refused
from bulkmail.spool import place
from bulkmail.spool.place import Lock, boot_id, estimate, file_system_of, free_bytes, prepare

MOUNTS = r"""22 1 254:1 / / rw,relatime - ext4 /dev/vda rw
30 22 0:25 / /srv rw - nfs4 server:/export rw
31 30 0:26 / /srv/fast rw shared:3 master:1 - xfs /dev/vdb rw
32 22 0:27 / /mnt/my\040disk rw - cifs //server/share rw
a line that is something else
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/var/spool", "ext4"),
        ("/srv", "nfs4"),
        ("/srv/spool", "nfs4"),
        ("/srvother/spool", "ext4"),
        ("/srv/fast/spool", "xfs"),
        ("/mnt/my disk/spool", "cifs"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(path, kind):
    assert file_system_of(path, MOUNTS) == kind


def test_a_network_file_system_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(place, "file_system_of", lambda *_: "nfs4")
    with pytest.raises(Refused, match="is on a nfs4 file system"):
        prepare(str(tmp_path / "spool"))


def test_the_directory_is_made_private_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        prepare(str(tmp_path / "a" / "spool"))
    finally:
        os.umask(before)
    assert os.stat(tmp_path / "a" / "spool").st_mode & 0o777 == 0o700


def test_a_directory_that_was_there_keeps_its_mode(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    shared.chmod(0o755)
    prepare(str(shared))
    assert os.stat(shared).st_mode & 0o777 == 0o755


def test_a_file_in_its_place_is_refused(tmp_path):
    (tmp_path / "spool").write_bytes(b"")
    with pytest.raises(Refused, match="cannot hold the spool"):
        prepare(str(tmp_path / "spool"))


def test_one_owner_at_a_time_and_the_second_learns_who_it_is(tmp_path):
    lock = Lock(str(tmp_path))
    assert os.stat(tmp_path / "lock").st_mode & 0o777 == 0o600
    with pytest.raises(Refused, match=f"in use by process {os.getpid()}; stop that one"):
        Lock(str(tmp_path))
    lock.release()
    lock.release()
    Lock(str(tmp_path)).release()


def test_a_lock_that_the_file_system_cannot_give_is_refused(tmp_path, monkeypatch):
    def unsupported(fd, how):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with pytest.raises(Refused, match="use a local disk"):
        Lock(str(tmp_path))


def test_the_lock_dies_with_its_process(tmp_path):
    code = """if True:
        import sys
        from bulkmail.spool.place import Lock
        lock = Lock(sys.argv[1])
        print("locked", flush=True)
        sys.stdin.read()"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout.readline() == b"locked\n"
        with pytest.raises(Refused, match=f"in use by process {child.pid}"):
            Lock(str(tmp_path))
        child.kill()
    Lock(str(tmp_path)).release()


def test_a_boot_has_a_name():
    assert boot_id() == boot_id()
    assert len(boot_id()) == 36


def test_free_space_is_told_or_it_is_our_own_fault(tmp_path):
    assert free_bytes(str(tmp_path)) > 0
    with pytest.raises(OwnFault, match="cannot be told"):
        free_bytes(str(tmp_path / "missing"))


def test_the_estimate_grows_with_the_rows_and_their_cells():
    assert estimate(0) == 0
    assert estimate(1000, 50.0) < estimate(1000, 500.0) < estimate(10_000, 500.0)


def test_one_that_only_looks_for_a_moment_keeps_nobody_from_the_lock(tmp_path, monkeypatch):
    looking = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr(place.time, "sleep", lambda _: fcntl.flock(looking, fcntl.LOCK_UN))
    Lock(str(tmp_path)).release()
    os.close(looking)
