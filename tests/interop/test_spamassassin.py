"""The letters that come with bulkmail, as SpamAssassin scores them by its own rules, without the network."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bulkmail.campaign import ListRows, starter_files
from bulkmail.delivery import prepare
from bulkmail.preflight import compose_rows
from bulkmail.settings import load_settings

pytestmark = [pytest.mark.process, pytest.mark.interop]

ROOT = Path(__file__).parent.parent.parent
MOST = 0.5  # points of a rule
RULES = r"^X-Spam-Rules: (.*(?:\n[ \t].*)*)\n(?:.+\n)*?X-Number: (\d+)"
LOW_CONTRAST = (
    '<table><tr><td bgcolor="#3f5b3a"><a href="https://x.example/" style="color:#ffffff">Go</a></td></tr></table>'
)


def messages(campaign: Path) -> list[bytes]:
    """A message of each kind of row: of two rows with cells empty or alike in the same columns the first."""
    settings = load_settings(str(ROOT / "campaigns" / "bulkmail.yaml"), str(ROOT), str(campaign))
    prepared = prepare(str(campaign), settings)
    kinds: dict[tuple[object, ...], Any] = {}
    with ListRows(prepared.campaign, settings) as rows:
        for row in rows:
            if row[6] in ("ok", "held"):
                cells = json.loads(row[5])
                plan = [cell for cell in cells if cell in ("free", "member", "plus")]
                kinds.setdefault((*plan, *(not cell for cell in cells), any("|" in cell for cell in cells)), row)
    made = compose_rows(prepared.content, list(kinds.values()), time.time())
    assert not [one for one in made if isinstance(one, str)]
    return [one[0] for one in made if not isinstance(one, str)]


@pytest.fixture
def scores(needs: Callable[[str, str], str]) -> Callable[[list[bytes]], list[dict[str, float]]]:
    """``scores(messages)``: for each message the points of each rule that it meets."""
    command = needs("spamassassin", "spamassassin")

    def scores(wires: list[bytes]) -> list[dict[str, float]]:
        mark = "From hello@acorn-oak.example Thu Jan  1 00:00:00 2026\nX-Number: {}\n"
        box = b""
        for number, wire in enumerate(wires):
            box += mark.format(number).encode() + wire.replace(b"\r\n", b"\n") + b"\n"
        told = ["--cf=report_safe 0", "--cf=add_header all Rules _TESTSSCORES(,)_"]
        done = subprocess.run([command, "--local", "--mbox", *told], input=box, capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr
        said = done.stdout.decode("utf-8", "replace")
        # not in the order in which they were given
        shown = {int(number): rules for rules, number in re.findall(RULES, said, re.MULTILINE)}
        assert len(shown) == len(wires)
        found = [re.findall(r"([A-Z0-9_]+)=(-?[\d.]+)", "".join(shown[n].split())) for n in range(len(wires))]
        return [{rule: float(points) for rule, points in one} for one in found]

    return scores


def test_no_rule_of_content_costs_the_letters_of_the_examples_anything(
    scores: Callable[[list[bytes]], list[dict[str, float]]], tmp_path: Path
) -> None:
    for name, data in starter_files("spring").items():
        (tmp_path / name).write_bytes(data)
    welcome, started = messages(ROOT / "campaigns" / "welcome"), messages(tmp_path)
    assert len(welcome) >= 4
    worse = started[0].replace(b"</body>", LOW_CONTRAST.replace("=", "=3D").encode() + b"</body>")
    *found, of_worse = scores([*welcome, *started, worse])
    assert not [(rule, points) for rules in found for rule, points in rules.items() if points > MOST]
    assert all(rules["MAILING_LIST_MULTI"] < 0 for rules in found)
    assert of_worse["HTML_FONT_LOW_CONTRAST"] > MOST  # so it does look at the content
    told = (ROOT / "docs" / "deliverability.md").read_text(encoding="utf-8")
    assert not [rule for rules in found for rule in rules if f"`{rule}`" not in told]
