"""What `bulkmail doctor` finds out on the machine itself: files, disk, limits, clock, language, versions."""

from __future__ import annotations

import ctypes
import locale
import os
import platform
import re
import resource
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version

from bulkmail import __version__
from bulkmail.campaign import reached
from bulkmail.commands.checks import Check
from bulkmail.mail import BulkmailError, OwnFault
from bulkmail.net import may_bind, openssl_version
from bulkmail.settings import Settings
from bulkmail.spool import free_bytes, in_use, open_reader, public
from bulkmail.zones import TZDATA

_RESERVE = 200  # descriptors for everything that is no connection
_LITTLE, _TIGHT = 100_000_000, 1_000_000_000  # bytes of free disk
_MOUNTS = "/proc/self/mounts"
_ESCAPED = re.compile(r"\\([0-7]{3})")  # a space, tab, line end or backslash in a path, proc_pid_mounts(5)
_REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "glusterfs"})
_OLDEST_ZONES = 2  # years; governments change their clocks every year
_UNSYNCHRONISED = 0x40  # STA_UNSYNC of adjtimex(2)


def settings_check(settings: Settings) -> Check:
    """Say which settings are used."""
    if settings.file is None:
        return Check("settings", "ok", "the defaults; there is no bulkmail.yaml here")
    return Check("settings", "ok", settings.file.path)


def risky_files(settings: Settings) -> Iterator[Check]:
    """Tell what the settings warn of: keys and secrets that others can read."""
    for problem in settings.warnings:
        yield Check("settings", "warning", str(problem))


def local_checks(settings: Settings, now: float) -> Iterator[Check]:
    """Make all checks that need no network. ``now``: epoch seconds by the machine's clock."""
    if os.geteuid() == 0:
        words = "it runs as root and needs no privileges"
        yield Check("user", "warning", words, "run it as a user of its own (docs/operating.md)")
    yield from spool_checks(settings)
    yield from database_checks(settings)
    yield from source_checks(settings)
    yield descriptors(settings)
    yield clock(now, unsynchronised=_clock_status())
    yield language(sys.getfilesystemencoding(), locale.getpreferredencoding(do_setlocale=False))
    yield from versions(now)


def spool_checks(settings: Settings) -> Iterator[Check]:
    """Look at the spool, and at the disk that this machine's own files are on."""
    if settings.shared:
        try:
            open_reader(settings.spool).close()
            yield Check("spool", "ok", f"{public(settings.spool)} can be read")
        except BulkmailError as error:
            yield Check("spool", "error", str(error), "see to the database, or to `spool` in the settings")
    place = settings.place
    yield _folder(place)
    there = place
    while not os.path.exists(there):
        there = os.path.dirname(there)
    try:
        free = free_bytes(there)
    except OwnFault as fault:
        yield Check("disk", "error", str(fault))
        return
    words = f"{there} has {free / 1e9:,.1f} GB free; a million recipients take up to 1 GB, and the report twice as much"
    result = "error" if free < _LITTLE else "warning" if free < _TIGHT else "ok"
    yield Check("disk", result, words, "" if result == "ok" else "make room, or use another disk")  # type: ignore[arg-type]


def database_checks(settings: Settings) -> Iterator[Check]:
    """Begin a session in each database that campaigns may ask for their lists, and end it."""
    for name, address in settings.databases.items():
        try:
            yield Check("database", "ok", f"{name}: PostgreSQL {reached(address, name)} answers")
        except ValueError as error:
            yield Check("database", "error", str(error), f"see to it, or to `databases.{name}` in the settings")


def source_checks(settings: Settings) -> Iterator[Check]:
    """Look whether mail can be sent from each of `sources`; what a proxy has is not this machine's."""
    for source in settings.sources:
        error = may_bind(source.address) if source.proxy is None else None
        if error is not None:
            why = (error.strerror or str(error)).lower()
            words = f"{source.name}: nothing can be sent from {source.address} ({why})"
            remedy = (
                f"give this machine the address (`ip address add {source.address} dev ...`), or take the source out"
            )
            yield Check("source", "error", words, remedy)
        elif source.proxy is None:
            yield Check("source", "ok", f"{source.name}: {source.address} is an address of this machine")


def _folder(place: str) -> Check:
    """Look at the folder that this machine keeps its state in."""
    there = place
    while not os.path.lexists(there):
        there = os.path.dirname(there)
    if there != place:
        if os.access(there, os.W_OK | os.X_OK):
            return Check("spool", "ok", f"{place} will be made at the first start")
        return Check("spool", "error", f"{place} cannot be made: {there} is not writable", f"chown or chmod {there}")
    status = os.stat(place)
    if not stat.S_ISDIR(status.st_mode):
        return Check("spool", "error", f"{place} is not a folder", "name another one (`spool`)")
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
        words = f"{place} belongs to uid {status.st_uid}, and this user (uid {os.geteuid()}) cannot write to it"
        return Check("spool", "error", words, f"run as its owner, or chown {place}")
    kind = _file_system(place)
    if kind in _REMOTE:
        return Check("spool", "error", f"{place} is on a network disk ({kind}), which can lose it", "use a local disk")
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        words = f"{place} holds addresses, and other users may look into it (mode {stat.S_IMODE(status.st_mode):04o})"
        return Check("spool", "warning", words, f"chmod 700 {place}")
    holder = in_use(place)
    return Check("spool", "ok", f"{place}" + (f", in use by process {holder}" if holder else ""))


def _file_system(place: str) -> str:
    """Return the type of the file system that a folder is on, "" where that is not told."""
    real = os.path.realpath(place)
    best, kind = "", ""
    with suppress(OSError), open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            _, written, found, *_ = line.split(" ")
            point = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), written)
            inside = point in ("/", real) or real.startswith(f"{point}/")
            if inside and len(point) >= len(best):
                best, kind = point, found
    return kind


def descriptors(settings: Settings) -> Check:
    """Compare the limit of open files with the connections that the settings allow."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.shaping.total.connections
    if hard == resource.RLIM_INFINITY or hard - _RESERVE >= wanted:
        limit = "no limit" if hard == resource.RLIM_INFINITY else f"{hard:,}"
        return Check("open files", "ok", f"{limit}; {wanted:,} connections at once are allowed by the settings")
    words = f"{hard:,} open files allow {max(1, hard - _RESERVE):,} connections at once; the settings allow {wanted:,}"
    return Check("open files", "warning", words, f"raise LimitNOFILE, or ulimit -n, to {wanted + _RESERVE:,}")


def clock(now: float, *, unsynchronised: bool | None) -> Check:
    """Judge the clock, which dates messages and signatures. ``unsynchronised``: by the kernel, None if it is silent."""
    installed = os.stat(__file__).st_mtime
    if now < installed:
        words = "the clock is behind the time at which this program was installed"
        return Check("clock", "error", words, "set it, and run a time service such as systemd-timesyncd or chrony")
    if unsynchronised:
        words = "the kernel says that the clock is not synchronised; messages and signatures are dated by it"
        return Check("clock", "warning", words, "run a time service such as systemd-timesyncd or chrony")
    words = "is synchronised" if unsynchronised is False else "looks right; whether it is synchronised is not known"
    return Check("clock", "ok", words)


def _clock_status() -> bool | None:
    """Return whether the kernel calls its clock unsynchronised (adjtimex(2)); None where it does not say."""
    buffer = ctypes.create_string_buffer(512)  # struct timex, larger than on any machine; modes 0 changes nothing
    try:
        if ctypes.CDLL(None, use_errno=True).adjtimex(buffer) < 0:
            return None
    except (AttributeError, OSError):
        return None
    at = 5 * ctypes.sizeof(ctypes.c_long)  # behind the modes and four longs
    return bool(int.from_bytes(buffer.raw[at : at + 4], sys.byteorder) & _UNSYNCHRONISED)


def language(file_names: str, text: str) -> Check:
    """Judge the encodings of file names and of texts."""
    wrong = [name for name in (file_names, text) if name.lower().replace("-", "") != "utf8"]
    if wrong:
        words = f"the locale's encoding is {wrong[0]}, so names of files and people may come out wrong"
        return Check("locale", "warning", words, "set LANG=C.UTF-8")
    return Check("locale", "ok", "UTF-8")


def versions(now: float) -> Iterator[Check]:
    """Tell the versions of what mail depends on."""
    words = f"bulkmail {__version__}, Python {platform.python_version()}, Twisted {version('twisted')}"
    yield Check("versions", "ok", f"{words}, {openssl_version()}")
    year = 1970 + int(now // 31_556_952)
    if TZDATA[:4].isdigit() and year - int(TZDATA[:4]) >= _OLDEST_ZONES:
        yield Check("time zones", "warning", f"tzdata {TZDATA} is old", "pip install --upgrade tzdata")
    else:
        yield Check("time zones", "ok", f"tzdata {TZDATA}")


def watched_folder(root: str) -> Check:
    """Look at who may read and write a watched folder and the campaigns in it."""
    try:
        with os.scandir(root) as found:
            folders = sorted(entry.path for entry in found if entry.is_dir(follow_symlinks=False))
    except OSError as error:
        return Check(
            "watch", "error", f"{root} cannot be read ({error.strerror})", "name a folder that this user can read"
        )
    closed = [path for path in folders if not os.access(path, os.R_OK | os.W_OK | os.X_OK)]
    if closed:
        words = f"this user (uid {os.geteuid()}) cannot write reports and STATUS.txt into {', '.join(closed[:3])}"
        more = f" and {len(closed) - 3} more folders" if len(closed) > 3 else ""
        return Check("watch", "error", words + more, "chown them, or give this user's group the right to write")
    return Check("watch", "ok", f"{root}; folders in it: {len(folders)}")
