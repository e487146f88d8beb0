"""What `rate: 50/s` is at the receiver: from four sources, two machines on one PostgreSQL, over restarts of both.

One receiver, cut into shares that both machines have at once. The one that helps is stopped and started again, later
the one with the campaign's folder is, by SIGTERM or with ``--kill`` by SIGKILL. For each source the receiver's messages
are counted in every window of a second, wherever it begins: 60 at most. Beside it stands what was granted in a second
(attempts.csv): 50 and a burst of a tenth, so 55. A busy computer delivers some messages later than others.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import _lab as lab
import machines
import pacing

_SOURCES = 4
_GRANTED, _RECEIVED = 1.1, 1.2  # of the rate, at most in a second


def config(run: machines.Run, nameserver: str, name: str, rate: int) -> Path:
    """Settings of one machine; both have the same sources, as loopback has them all."""
    sources = ", ".join(f"{{name: s{n}, address: 127.0.2.{n}}}" for n in range(1, _SOURCES + 1))
    limits = f"connections: 20, rate: {rate}/s, connection_rate: 1000/s, messages_per_connection: 100000, shares: 4"
    lines = [
        f"hostname: {name}.example.com",
        f"spool: {run.dsn}",
        f"machine: {{name: {name}, folder: {run.folder}/{name}, lease: 5s}}",
        f'dns: {{nameservers: ["{nameserver}"], must_exist: []}}',
        'routing: {allow_networks: ["127.0.0.0/8"]}',
        f"smtp: {{port: {run.port}, chunking: off}}",
        "retry: {unknown_after: 5s}",
        "compose: {processes: 1}",
        f"sources: [{sources}]",
        f"shaping: {{providers: {{big: {{mx: [mx0.test], {limits}}}}}}}",
    ]
    path = run.folder / f"{name}.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def anew(run: machines.Run, name: str, how: signal.Signals, *options: str) -> None:
    """Stop a machine and start it again at once."""
    run.started[name].send_signal(how)
    run.started[name].wait(60)
    run.start(name, *options)


def go(run: machines.Run, how: signal.Signals) -> int:
    """Send all of it; return the exit status of the machine with the folder."""
    given = run.given
    with lab.dns(run.folder, 20, 1, 1) as nameserver:
        for name in ("one", "two"):
            run.settings[name] = config(run, nameserver, name, given.rate)
        campaign = str(lab.campaign(run.folder, "bench", given.recipients, 20))
        run.start("two")
        run.start("one", "-c", campaign)
        run.received(0.3)
        anew(run, "two", how)
        run.received(0.6)
        anew(run, "one", how, "-c", campaign)
        owner = run.started["one"]
        run.until(lambda: owner.poll() is not None, "the end")
        run.started["two"].terminate()
        run.started["two"].wait(30)
        return int(owner.returncode)


def judge(run: machines.Run, status: int) -> bool:
    """Print what was found; whether no source was granted more, nor sent more than delays on the way explain."""
    rate = run.given.rate
    allowed = rate * _RECEIVED
    received = [json.loads(line) for line in run.record.read_text().splitlines()]
    attempts = machines.rows_of(run.folder / "bench" / "report" / "attempts.csv")
    well = status == 0 and {one["to"] for one in received} >= {row["email"] for row in attempts}
    senders = dict(machines.Counter(one["helo"] for one in received))
    took = sorted(pacing.delays(pacing.grants(attempts, received), received))
    print(f"{len(received):,} messages, exit status {status}, by machine: {senders}")
    print(f"from grant to receipt {took[0]:.3f} to {took[-1]:.3f} s, 99 % within {took[int(len(took) * 0.99)]:.3f} s")
    print(f"{'source':12} {'messages':>9} {'a second':>9} {'most received in one':>21} {'most granted in one':>20}")
    for ip in sorted({one["from"] for one in received}):
        times = [one["at"] for one in received if one["from"] == ip]
        granted = [
            datetime.fromisoformat(row["at"]).timestamp() - int(row["duration_ms"] or 0) / 1000
            for row in attempts
            if row["source_ip"] == ip
        ]
        most, gave = machines.most_in_one_second(times), machines.most_in_one_second(granted)
        print(f"{ip:12} {len(times):9,} {pacing.speed(times):9.1f} {most:21} {gave:20}")
        well = well and gave <= rate * _GRANTED + len(senders) and most <= allowed + pacing.smear(took, rate)
    print(f"a second has at most {allowed:.0f} from a source: {'kept' if well else 'NOT KEPT'}")
    return well


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipients", type=int, default=8_000)
    parser.add_argument("--rate", type=int, default=50, help="messages a second from each source")
    parser.add_argument("--kill", action="store_true", help="stop the machines by SIGKILL")
    parser.add_argument("--patience", type=int, default=180, help="seconds after which it is given up")
    given = parser.parse_args()
    given.sites = 1
    lab.end_in_order()
    lab.need("dnsmasq")
    with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text, lab.postgres() as dsn:
        run = machines.Run(Path(text), dsn, given)
        try:
            status = go(run, signal.SIGKILL if given.kill else signal.SIGTERM)
        except (SystemExit, subprocess.TimeoutExpired):
            for name in run.started:
                print((run.folder / f"{name}.log").read_text()[-2000:])
            raise
        finally:
            run.close()
        sys.exit(0 if judge(run, status) else 1)


if __name__ == "__main__":
    main()
