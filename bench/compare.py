"""This build against another commit, in turns in one run: CPU a message and messages a second, medians and ratios."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab
from _tls import tls_sinks

LOCK = "requirements-dev.lock"
KINDS = ("unsigned", "signed", "tls", "tls10")  # tls10: with 10 messages a connection, where tls has 100
DOMAINS = 100
MEASURES = ("CPU us", "main us", "wall us", "k instructions")


class Disturbed(Exception):
    """A run did not deliver everything at once: its figures say nothing."""


@dataclass
class Build:
    """A tree with its code, and the twistd and the variables that run it; ``taken``: by kind, the figures by round."""

    name: str
    twistd: list[str]
    environment: dict[str, str]
    taken: dict[str, list[tuple[float, ...]]] = field(default_factory=dict)


def git(*words: str) -> str:
    return subprocess.run(
        ["git", "-C", str(lab.ROOT), *words], check=True, capture_output=True, text=True
    ).stdout.strip()


@contextmanager
def built(revision: str) -> Iterator[Build]:
    """The other commit in a tree of its own; it shares our libraries if its lock file is ours."""
    commit = git("rev-parse", "--short", f"{revision}^{{commit}}")
    with tempfile.TemporaryDirectory(prefix="bulkmail-compare-") as text:
        tree = Path(text) / "tree"
        git("worktree", "add", "--detach", "--quiet", str(tree), commit)
        try:
            twistd = lab.TWISTD
            if (tree / LOCK).read_bytes() != (lab.ROOT / LOCK).read_bytes():
                subprocess.run([str(tree / "scripts" / "setup")], check=True, cwd=tree)
                twistd = tree / ".venv" / "bin" / "twistd"
            build = Build(f"{revision} ({commit})", [str(twistd)], {"PYTHONPATH": str(tree)})
            found = subprocess.run(
                [str(twistd.with_name("python")), "-P", "-c", "import bulkmail; print(bulkmail.__file__)"],
                env={**os.environ, **build.environment},
                cwd="/",
                check=True,
                capture_output=True,
                text=True,
            ).stdout.strip()
            assert found == str(tree / "bulkmail" / "__init__.py"), f"the other build would run {found}"
            yield build
        finally:
            git("worktree", "remove", "--force", str(tree))


def counts_instructions() -> bool:
    """Whether perf can count them here: not on most virtual machines, and not for everybody."""
    if shutil.which("perf") is None:
        return False
    done = subprocess.run(
        ["perf", "stat", "-x,", "-e", "instructions:u", "true"], capture_output=True, text=True, check=False
    )
    return done.returncode == 0 and done.stderr.split(",")[0].isdigit()


def run(
    build: Build, folder: Path, nameserver: str, port: int, kind: str, count: int, *, perf: bool
) -> tuple[float, ...]:
    """Send one list: CPU seconds of all processes and of the main one, seconds by the clock, instructions (or 0).

    Raises Disturbed where not everything was delivered at once, as when others take so much of the machine that the
    DNS does not answer in time.
    """
    with tempfile.TemporaryDirectory(dir=folder) as text:
        place = Path(text)
        campaign = lab.campaign(place, "bench", count, DOMAINS)
        each = {"tls": 100, "tls10": 10}.get(kind, 1_000_000)
        config = lab.settings(place, nameserver, port, dkim=kind == "signed", messages_per_connection=each)
        counted = place / "instructions"
        under = ["perf", "stat", "-x,", "-e", "instructions:u", "-o", str(counted), "--"] if perf else []
        twistd = [*under, *build.twistd]
        cost = lab.bulkmail(campaign, config, "--once", twistd=twistd, environment=build.environment, timeout=300)
        if cost.status != 0:
            raise Disturbed(f"{build.name}, {kind}: status {cost.status}: {cost.output[-500:]}")
        summary = json.loads((campaign / "report" / "summary.json").read_text())
        assert summary["by_status"]["delivered"] == count, summary["by_status"]
        instructions = 0.0
        if perf:
            lines = [line for line in counted.read_text().splitlines() if "instructions" in line]
            instructions = float(lines[0].split(",")[0])
        # what perf watches is its child: the main process is found by `lab.bulkmail` only without it
        return cost.cpu, 0.0 if perf else cost.main_cpu, cost.wall, instructions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revision", help="the other commit, as git names it")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--recipients", type=int, default=12_000, help="of the longer list; the shorter has a quarter")
    parser.add_argument("--only", default=",".join(KINDS[:3]), help=f"of {', '.join(KINDS)}, with commas")
    given = parser.parse_args()
    kinds = given.only.split(",")
    if unknown := set(kinds) - set(KINDS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    lab.need("smtp-sink", "dnsmasq", "git", *(["stunnel"] if any(kind.startswith("tls") for kind in kinds) else []))
    lab.end_in_order()
    perf = counts_instructions()
    here = Build(f"here ({git('describe', '--always', '--dirty')})", [str(lab.TWISTD)], {"PYTHONPATH": str(lab.ROOT)})
    with ExitStack() as stack:
        other = stack.enter_context(built(given.revision))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bulkmail-bench-")))
        nameserver = stack.enter_context(lab.dns(folder, DOMAINS, 4, 4))
        clear = stack.enter_context(lab.sinks(4))
        tls = stack.enter_context(tls_sinks(folder, 4)) if any(kind.startswith("tls") for kind in kinds) else 0
        few, many = given.recipients // 4, given.recipients
        for number in range(given.rounds):
            for kind in kinds:
                port = tls if kind.startswith("tls") else clear
                # who is first changes with the round: what a neighbour does meanwhile meets both alike
                order = (other, here) if number % 2 == 0 else (here, other)
                try:
                    costs = [
                        [run(build, folder, nameserver, port, kind, count, perf=perf) for count in (few, many)]
                        for build in order
                    ]
                except Disturbed as disturbed:
                    print(f"left out, {disturbed}", file=sys.stderr)
                    continue
                for build, (less, more) in zip(order, costs, strict=True):
                    slope = [(b - a) / (many - few) for a, b in zip(less, more, strict=True)]
                    build.taken.setdefault(kind, []).append((*(value * 1e6 for value in slope[:3]), slope[3] / 1e3))
            print(f"round {number + 1} of {given.rounds} done, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    report(other, here, kinds)


def report(other: Build, here: Build, kinds: list[str]) -> None:
    """Print each measure's medians, and the median, the least and the greatest of the ratios of the rounds."""
    rows: list[list[object]] = []
    figures: dict[str, object] = {"other": other.name, "here": here.name}
    for kind in kinds:
        if kind not in here.taken:
            print(f"{kind}: no round was left undisturbed")
            continue
        for n, measure in enumerate(MEASURES):
            before, after = ([taken[n] for taken in build.taken[kind]] for build in (other, here))
            if not any(before):
                continue  # not measured here
            ratios = [b / a for a, b in zip(before, after, strict=True) if a > 0 < b]
            middle = statistics.median(ratios) if ratios else 0.0
            spread = f"{min(ratios):.2f} to {max(ratios):.2f}" if ratios else ""
            rows.append([kind, measure, statistics.median(before), statistics.median(after), middle, spread])
            figures[f"{kind}, {measure}"] = {"other": before, "here": after, "ratio": middle}
    print(f"{other.name}, then {here.name}; each a message")
    print(lab.table(["", "", "other", "here", "ratio", "of the rounds"], rows))
    lab.keep("compare", figures)


if __name__ == "__main__":
    main()
