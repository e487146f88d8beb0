"""rspamd and clamd of Debian, each private to the test, with rules of its own. No signature is any real virus's."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.interop.servers import Missing
from tests.ports import free_port

VIRUS = b"a harmless line that these tests call a virus"
LARGEST = 1_000_000  # octets that clamd looks at
PINGS = {"rspamd": b"GET /ping HTTP/1.0\r\n\r\n", "clamd": b"PING\n"}

RSPAMD = """\
options {{
    pidfile = "{place}/pid"; temp_dir = "{place}"; cache_file = "{place}/cache"; hs_cache_dir = "{place}";
    url_tld = "{place}/tld";
    filters = ""; disable_hyperscan = true; dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.1s; }}
}}
logging {{ type = "file"; filename = "{place}/log"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
actions {{ reject = 15; "add header" = 6; greylist = 4; }}
lua = "{place}/rules.lua";
"""
# So many points as the header asks for, with what rspamd was told of the envelope; and a soft reject on demand
RULES = """\
rspamd_config:register_symbol({ name = 'POINTS', score = 1.0, callback = function(task)
  local points = tonumber(task:get_header('X-Points') or '')
  if points then
    local from, to = task:get_from('smtp'), task:get_recipients('smtp')
    return true, points, tostring(task:get_from_ip()), from[1].addr, to[1].addr, task:get_helo()
  end
end })
rspamd_config:register_symbol({ name = 'SOFT', type = 'postfilter', callback = function(task)
  if task:get_header('X-Soft') then task:set_pre_result('soft reject', 'later') end
end })
"""
CLAMD = """\
DatabaseDirectory {place}/db
TCPSocket {port}
TCPAddr 127.0.0.1
Foreground yes
StreamMaxLength {largest}
LogFile {place}/log
TemporaryDirectory {place}
"""


class Scanner(NamedTuple):
    """A scanner that runs. ``group``: of its processes."""

    port: int
    log: Path
    group: int


@contextlib.contextmanager
def rspamd() -> Iterator[Scanner]:
    """Run rspamd."""
    with _scanner("rspamd", "rspamd") as (command, place, port):
        (place / "rspamd.conf").write_text(RSPAMD.format(place=place, port=port))
        (place / "rules.lua").write_text(RULES)
        (place / "tld").write_text("com\nexample\n")  # the long list that it has takes it up to a minute to read
        root = ["-i"] if os.geteuid() == 0 else []
        with _running([command, "-f", *root, "-c", str(place / "rspamd.conf")]) as group:
            yield Scanner(port, place / "log", group)


@contextlib.contextmanager
def clamd() -> Iterator[Scanner]:
    """Run clamd."""
    with _scanner("clamd", "clamav-daemon") as (command, place, port):
        (place / "db").mkdir()
        (place / "db" / "test.ndb").write_text(f"Test.Harmless:0:*:{VIRUS.hex()}\n")
        (place / "clamd.conf").write_text(CLAMD.format(place=place, port=port, largest=LARGEST))
        with _running([command, "-c", str(place / "clamd.conf")]) as group:
            yield Scanner(port, place / "log", group)


@contextlib.contextmanager
def _scanner(name: str, package: str) -> Iterator[tuple[str, Path, int]]:
    command = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if command is None:
        raise Missing(f"{name} is not installed (Debian: {package})")
    with tempfile.TemporaryDirectory(prefix=f"bulkmail-{name}-") as place:
        yield command, Path(place), free_port()


@contextlib.contextmanager
def _running(command: list[str]) -> Iterator[int]:
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, process_group=0)
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(port: int, ping: bytes) -> bool:
    """Whether the scanner says there that it is ready: it listens some time before."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as one:
        one.sendall(ping)
        said = b""
        while piece := one.recv(4096):
            said += piece
            if b"pong" in said.lower():
                return True
    return False
