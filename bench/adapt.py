"""A receiver with a secret rate and 421 for what is beyond it: how soon is the rate found, and at what price?

The rehearsal's persona `secret` takes 37 messages a second and 4 connections; after 3 minutes it takes twice that. Our
settings allow 100/s and 10 connections. Two campaigns go to it one after the other, on one spool: the second must begin
with what the first has learnt, and find what was doubled meanwhile.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab

_SECRET, _DOUBLES = 37.0, 180.0  # as the persona has it


def config(folder: Path, where: dict[str, object]) -> Path:
    lines = [
        "hostname: mta1.example.com",
        f"spool: {folder}/spool",
        f'dns: {{nameservers: ["{where["dns"]}"], must_exist: []}}',
        'routing: {allow_networks: ["127.0.0.0/8"]}',
        f"smtp: {{port: {where['smtp_port']}}}",
        "tls: {mode: 'off'}",
        "shaping: {default: {connections: 10, rate: 100/s, messages_per_connection: 100}}",
    ]
    path = folder / "bulkmail.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def campaign(folder: Path, name: str, rows: int) -> Path:
    place = folder / name
    place.mkdir()
    (place / "body.txt.j2").write_text("Hello {{ number }}\n")
    (place / "recipients.csv").write_text("email,number\n" + "".join(f"p{n}@secret.test,{n}\n" for n in range(rows)))
    (place / "campaign.yaml").write_text(
        f"name: {name}\nfrom: news@example.com\nsubject: Hello\ntemplate: {{text: body.txt.j2}}\n"
        "recipients: recipients.csv\nunsubscribe: {mailto: out@example.com}\nkind: transactional\n"
    )
    return place


def attempts(place: Path) -> list[tuple[float, bool]]:
    """When each attempt was, and whether it was taken."""
    with (place / "report" / "attempts.csv").open(newline="", encoding="utf-8-sig") as file:
        lines = list(csv.DictReader(file))
    return sorted((dt.datetime.fromisoformat(line["at"]).timestamp(), line["result"] == "delivered") for line in lines)


def rate(made: list[tuple[float, bool]], since: float, until: float) -> float:
    return sum(taken for at, taken in made if since <= at < until) / (until - since)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=4400, help="recipients of the first campaign (default 4400)")
    parser.add_argument("--second", type=int, default=14000, help="of the second (default 14000)")
    given = parser.parse_args()
    command = [sys.executable, "-m", "bulkmail.rehearsal", "--speed", "real"]
    with tempfile.TemporaryDirectory(prefix="bulkmail-bench-") as text:
        folder = Path(text)
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as world:
            assert world.stdin is not None
            assert world.stdout is not None
            settings = config(folder, json.loads(world.stdout.readline()))
            made = []
            for name, rows in (("first", given.first), ("second", given.second)):
                place = campaign(folder, name, rows)
                cost = lab.bulkmail(place, settings, "--once")
                assert cost.status in (0, 3), cost.output[-2000:]
                made.append(attempts(place))
            world.stdin.close()
    first, second = made
    began, doubled, again = first[0][0], first[0][0] + _DOUBLES, second[0][0]
    print("messages accepted a second, and refused, in each 10 s since the first:")
    accepted, refused = Counter[int](), Counter[int]()
    for at, taken in [*first, *second]:
        (accepted if taken else refused)[int((at - began) // 10)] += 1
    print(" ".join(f"{accepted[n] / 10:.0f}({refused[n]})" for n in range(max(accepted) + 1)))
    found = next((n for n in range(3600) if rate(first, began + n, began + n + 10) >= 0.85 * _SECRET), None)
    print(f"first 10 s with 85 % of the secret rate begin after {found} s")
    print(f"seconds 20 to the end of the first: {rate(first, began + 20, first[-1][0] - 1) / _SECRET:.0%} of it")
    for name, part in (("first", first), ("second", second)):
        count = sum(not taken for _, taken in part)
        print(f"{name}: {len(part)} attempts, {count} refused, {count / len(part):.2%}")
    start = rate(second, again, again + 10) / (_SECRET if again + 10 < doubled else 2 * _SECRET)
    print(f"the second begins with {start:.0%} in its first 10 s")
    late = next((n for n in range(3600) if rate(second, doubled + n, doubled + n + 10) >= 1.7 * _SECRET), None)
    print(f"first 10 s with 85 % of the doubled rate begin {late} s after it was doubled")


main()
