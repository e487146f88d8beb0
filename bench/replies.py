"""A provider with a secret rate that says so in its own words: is the rate found, and at what price?

Our settings allow 100/s. The provider takes ``--rate`` messages a second and answers those beyond it, at ``--stage``,
with words that the shipped rules know. After ``--seconds`` the mailer is stopped. Told are the messages taken in each
10 s with those refused, what was used of the secret rate in the last half, and the part that was refused.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab

_WORDS = {
    "yahoo": "421 4.7.0 [TSS04] Messages from 127.0.0.1 temporarily deferred due to unexpected volume or user "
    "complaints - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes",
    "google": "421 4.7.28 Our system has detected an unusual rate of unsolicited mail originating from your IP "
    "address. To protect our users from spam, mail sent from your IP address has been temporarily rate limited.",
    "outlook": "421 RP-001 4.7.650 The mail server [127.0.0.1] has been temporarily rate limited due to IP "
    "reputation. (S775)",
    "office365": "451 4.7.500 Server busy. Please try again later from [127.0.0.1]. (S77719)",
}


def config(folder: Path, where: dict[str, object]) -> Path:
    path = folder / "bulkmail.yaml"
    path.write_text(
        f"hostname: mta1.example.com\nspool: {folder}/spool\n"
        f'dns: {{nameservers: ["{where["dns"]}"], must_exist: []}}\n'
        'routing: {allow_networks: ["127.0.0.0/8"]}\n'
        f"smtp: {{port: {where['smtp_port']}}}\ntls: {{mode: 'off'}}\n"
        "shaping:\n  default: {connections: 10, rate: 100/s, messages_per_connection: 100}\n"
        "  providers:\n" + "".join(f"    {name}: {{connections: 10, rate: 100/s}}\n" for name in _WORDS)
    )
    return path


def campaign(folder: Path, provider: str, rows: int) -> Path:
    place = folder / "words"
    place.mkdir()
    (place / "body.txt.j2").write_text("Hello {{ number }}\n")
    (place / "recipients.csv").write_text(
        "email,number\n" + "".join(f"p{n}@{provider}.test,{n}\n" for n in range(rows))
    )
    (place / "campaign.yaml").write_text(
        "name: words\nfrom: news@example.com\nsubject: Hello\ntemplate: {text: body.txt.j2}\n"
        "recipients: recipients.csv\nunsubscribe: {mailto: out@example.com}\nkind: transactional\n"
    )
    return place


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--provider", choices=sorted(_WORDS), default="yahoo", help="default yahoo")
    parser.add_argument("--rate", type=float, default=37.0, help="messages a second that it takes (default 37)")
    parser.add_argument("--stage", choices=("mail", "rcpt", "dot"), default="mail", help="default mail")
    parser.add_argument("--seconds", type=float, default=180.0, help="default 180")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text:
        folder = Path(text)
        log = folder / "asked"
        secret = [str(Path(__file__).parent / "_secret.py"), given.provider, str(given.rate), given.stage]
        command = [sys.executable, *secret, _WORDS[given.provider], str(log), "--speed", "real"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as world:
            assert world.stdin is not None
            assert world.stdout is not None
            settings = config(folder, json.loads(world.stdout.readline()))
            place = campaign(folder, given.provider, int(given.rate * given.seconds * 1.5) + 500)
            options = ["--nodaemon", "--pidfile=", "bulkmail", "-c", str(place), "--settings", str(settings), "--once"]
            mailer = [str(lab.TWISTD), *options]
            with (
                (folder / "log").open("w") as out,
                subprocess.Popen(mailer, cwd=place, stdout=out, stderr=out) as running,
            ):
                try:
                    running.wait(given.seconds)
                except subprocess.TimeoutExpired:
                    running.terminate()
                stopped = time.time()
            world.stdin.close()
        asked = [(float(at), taken == "1") for at, taken in map(str.split, log.read_text().splitlines())]
        said = [line for line in (folder / "log").read_text().splitlines() if " said " in line]
        if not asked:
            raise SystemExit((folder / "log").read_text()[-3000:])
    began = asked[0][0]
    counts = [[0, 0] for _ in range(int((stopped - began) // 10))]  # the last one may not be whole
    for at, taken in asked:
        if at < began + 10 * len(counts):
            counts[int((at - began) // 10)][not taken] += 1
    print(f"{given.provider}, {given.rate:g}/s, at {given.stage}: taken a second, and refused, in each 10 s:")
    print(" ".join(f"{taken / 10:.1f}({refused})" for taken, refused in counts))
    half = counts[len(counts) // 2 :]
    used = sum(taken for taken, _ in half) / (10 * len(half)) / given.rate
    refused = sum(not taken for _, taken in asked)
    print(f"used in the second half: {used:.0%} of it; refused {refused} of {len(asked)}, {refused / len(asked):.2%}")
    print("\n".join(said))


main()
