"""Reading what comes back: CPU us a message by layout, the dearest hostile ones, and 100,000 mutated reports."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent))
import _lab as lab

from bulkmail.returns import read
from tests.returns import samples
from tests.returns.hostile import HOSTILE
from tests.returns.mutants import mutant


def cost(message: bytes, times: int) -> float:
    """CPU seconds of one reading."""
    before = time.process_time()
    for _ in range(times):
        read(message, recipient=samples.PATH, sender="")
    return (time.process_time() - before) / times


def large(message: bytes) -> bytes:
    """The same with a copy of 100 kB, as OpenSMTPD returns it."""
    end = message.rfind(b"\r\n--", 0, len(message) - 4)
    return message[:end] + b"\r\n".join([b"x" * 76] * 1300) + message[end:]


def by_layout(times: int) -> None:
    layouts = {**samples.FAILURES, **samples.OTHERS, "opensmtpd, 100 kB": large(samples.OPENSMTPD)}
    costs = {name: cost(message, times) for name, message in layouts.items()}
    rows = [[name, len(layouts[name]), f"{costs[name] * 1e6:.0f}"] for name in layouts]
    print(lab.table(["layout", "bytes", "CPU us"], rows))
    print(f"mean: {sum(costs.values()) / len(costs) * 1e6:.0f} us")


def dearest(times: int) -> None:
    costs = sorted(((cost(message, times), name) for name, message in HOSTILE.items()), reverse=True)
    rows = [[name, f"{spent * 1e3:.1f}"] for spent, name in costs[:10]]
    print("\n" + lab.table(["hostile, 130 kB", "CPU ms"], rows) + "\n")


def mutated(number: int, seed: int) -> int:
    """Read mutants; return how many blame the wrong recipient."""
    dice, kinds, wrong, worst, spent = random.Random(seed), Counter[str](), 0, 0.0, 0.0
    for _ in range(number):
        made = mutant(dice)
        before = time.process_time()
        given = read(made.message, recipient=made.recipient, sender="")  # an exception ends the run
        took = time.process_time() - before
        worst, spent = max(worst, took), spent + took
        kinds[given.kind.value] += 1
        if why := made.wrong(given):
            wrong += 1
            print(f"wrong: {why}: {given}")
    print(f"{number} mutants (seed {seed}): 0 exceptions, {wrong} wrong attributions")
    print(f"CPU a message: mean {spent / number * 1e6:.0f} us, worst {worst * 1e3:.1f} ms")
    print("kinds: " + ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()))
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=300, help="readings of each layout")
    parser.add_argument("--mutants", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    by_layout(options.times)
    dearest(max(1, options.times // 100))
    sys.exit(1 if mutated(options.mutants, options.seed) else 0)


if __name__ == "__main__":
    main()
