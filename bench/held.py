"""5,000 connections held open by slow receivers: the memory of the main process before, and while they stay open."""

from __future__ import annotations

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab

ADDRESSES = 8
SITES = 80
SETTINGS = """\
hostname: mta1.example.com
spool: {folder}/spool
dns: {{nameservers: ["{nameserver}"], must_exist: []}}
routing: {{allow_networks: ["127.0.0.0/8"]}}
smtp: {{port: {port}, timeouts: {{data: 300s}}}}
stop_within: 1s
shaping:
  total: {{connections: {connections}, claimed: {claimed}}}
  default: {{connections: {connections}, messages_per_connection: 100, rate: 1000000/s, connection_rate: 100000/s}}
"""


def sockets(pid: int) -> int:
    """Connections that a process has open."""
    found = 0
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            found += os.readlink(f"/proc/{pid}/fd/{number}").startswith("socket:")
        except OSError:
            continue
    return found


def resident(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))


def measure(folder: Path, connections: int, hold: float, patience: float, slow: int, messages: int) -> dict[str, float]:
    """The figures of one run; each quarter minute it says how it stands."""
    campaign = folder / "held"
    campaign.mkdir()
    (campaign / "body.txt.j2").write_text("Dear {{ first_name }},\n\n" + "a line of a short letter\n" * 20)
    lab.long_list(campaign / "recipients.csv", messages * connections, 10 * SITES)
    (campaign / "campaign.yaml").write_text(
        f"name: held\nfrom: hello@{lab.SENDER}\nsubject: hi {{{{ city }}}}\ntemplate: {{text: body.txt.j2}}\n"
        "recipients: recipients.csv\n"
    )
    with ExitStack() as stack:
        nameserver = stack.enter_context(lab.dns(folder, 10 * SITES, SITES, ADDRESSES))
        port = lab.free_port()
        for n in range(ADDRESSES):
            sink = ["smtp-sink", "-m", str(connections), "-w", str(slow)]
            sink += ["-u", "root"] if os.geteuid() == 0 else []
            stack.enter_context(lab.running([*sink, f"127.0.1.{n + 1}:{port}", "1000"]))
        time.sleep(0.5)
        config = folder / "bulkmail.yaml"
        config.write_text(
            SETTINGS.format(
                folder=folder, nameserver=nameserver, port=port, connections=connections, claimed=connections + 100
            )
        )
        command = [str(lab.TWISTD), "-n", "--pidfile=", "bulkmail", "-c", str(campaign), "--settings", str(config)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=campaign, stdout=log, stderr=log)
        try:
            figures: dict[str, float] = {"most": 0.0, "peak_mb": 0.0}
            begun = said = time.monotonic()
            full_at = None
            while full_at is None or time.monotonic() < full_at + hold:
                time.sleep(0.5)
                if process.poll() is not None or time.monotonic() > begun + patience + hold:
                    break
                now, mb = sockets(process.pid), resident(process.pid)
                figures["most"] = max(figures["most"], now)
                if now < 20:
                    figures["mb_before"] = mb
                if full_at is None and (now >= connections or time.monotonic() > begun + patience):
                    full_at = time.monotonic()
                    figures["connections"], figures["mb_full"] = now, mb
                if full_at is not None:
                    figures["peak_mb"] = max(figures["peak_mb"], mb)
                    figures["mb_after"], figures["connections_after"] = mb, now
                if time.monotonic() >= said + 15:
                    said = time.monotonic()
                    print(f"{said - begun:5.0f} s: {now:,} open, main {mb:.1f} MB", flush=True)
            figures["held_s"] = hold
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()
            process.wait()
        if "mb_full" not in figures:
            raise SystemExit((folder / "log").read_text()[-2000:])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=5000)
    parser.add_argument("--hold", type=float, default=60.0, help="seconds for which they stay open")
    parser.add_argument("--patience", type=float, default=120.0, help="seconds to wait until they are open")
    parser.add_argument("--slow", type=int, default=30, help="seconds until a receiver answers DATA")
    parser.add_argument("--messages", type=int, default=4, help="for each connection, one after the other")
    given = parser.parse_args()
    lab.need("smtp-sink", "dnsmasq")
    lab.end_in_order()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text:
        got = measure(Path(text), given.connections, given.hold, given.patience, given.slow, given.messages)
    each = (got["mb_full"] - got["mb_before"]) * 1024 / got["connections"]
    row = [got["connections"], got["mb_before"], got["mb_full"], each, got["connections_after"], got["mb_after"]]
    head = ["open", "main MB before", "main MB", "KB each", f"open {given.hold:g} s later", "main MB then", "at most"]
    print(lab.table(head, [[*row, got["peak_mb"]]]))
    lab.keep("held", got)


if __name__ == "__main__":
    main()
