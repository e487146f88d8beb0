"""Variants that are tried first: who gets which letter, over a crash, until somebody has chosen for the rest."""

from __future__ import annotations

import csv
import io
import json
import signal
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest

from bulkmail.control import Client
from bulkmail.mail import REST, Variants

pytestmark = [pytest.mark.loopback, pytest.mark.slow]

SHARES = [("a", 300_000, False), ("b", 300_000, False), ("none", 100_000, True)]
MORE = """\
variants:
  a: {share: 30%}
  b: {share: 30%, subject: "Last chance", from: "Ann <news@example.com>"}
  none: {share: 10%, hold_out: true}
winner: {after: 500ms, by: manual}
"""


def test_the_rest_waits_over_a_crash_and_gets_the_letter_that_was_chosen(world: Any, until: Any) -> None:
    addresses = [f"user-{n}@d{n % 4}.test" for n in range(40)]
    campaign = world.campaign("spring", addresses, more=MORE)
    variants = Variants(SHARES)
    tried = [one for one in addresses if variants.of(one) in ("a", "b")]
    rest = [one for one in addresses if variants.of(one) == REST]
    service = world.start("-c", "spring")
    until(lambda: "Waiting for a choice" in world.bulkmail("status", "spring").out, "the wait")
    assert world.server.count() == len(tried)
    client = Client(str(world.folder / "spool"))
    compared = until(lambda: (told := client.get("campaigns", "spring", "variants"))["variants"] and told, "the report")
    assert {one["variant"] for one in compared["variants"]} <= {"a", "b", "none", REST}
    assert compared["winner"] is None
    service.signal(signal.SIGKILL)
    service.wait()

    assert "there is no variant 'c'" in world.bulkmail("choose", "spring", "c").said
    chosen = world.bulkmail("choose", "spring", "b", "--by", "ann")
    assert (chosen.status, chosen.out.startswith("spring: chosen.")) == (0, True), chosen.said
    ended = world.run("-c", "spring")

    assert ended.status == 0, ended.said
    campaign.check_report()
    subjects = {}
    for path in Path(world.server.kept).iterdir():
        message = BytesParser(policy=policy.default).parsebytes(path.read_bytes())
        subjects[message["To"].addresses[0].addr_spec] = message["Subject"]
    assert subjects.keys() == {*tried, *rest}
    last = {one for one, subject in subjects.items() if subject == "Last chance"}
    assert last == {*rest, *(one for one in tried if variants.of(one) == "b")}
    assert {row["email"]: row["variant"] for row in campaign.rows()} == {
        one: "b" if one in rest else variants.of(one) for one in addresses
    }
    assert campaign.summary()["winner"] == {"variant": "b", "why": "chosen by ann"}
    assert campaign.summary()["by_category"] == {"hold-out": 40 - len(tried) - len(rest)}


def test_a_rehearsal_sends_the_rest_what_its_readers_have_clicked_most(world: Any) -> None:
    world.settings(public={"url": "https://mail.example.com"})
    more = "unsubscribe: built-in\nlinks: {clicks: count}\n" + MORE.replace("by: manual", "by: clicks")
    more = more.replace("share: 30%, subject", "share: 30%, template: {html: other.html.j2}, subject")
    addresses = [f"clicks+{n}@accept.test" for n in range(40)]
    campaign = world.campaign("spring", addresses, more=more, html="<p>Nothing to follow")
    (campaign.folder / "other.html.j2").write_text('<a href="https://shop.example/spring">Look</a>')
    groups = [Variants(SHARES).of(one) for one in addresses]

    rehearsed = world.run("-c", "spring", "--rehearse")

    assert rehearsed.status == 0, rehearsed.said
    place = campaign.folder / "rehearsal"
    summary = json.loads((place / "summary.json").read_text("utf-8"))
    a, b = groups.count("a"), groups.count("b")
    why = f"b has the most (a: 0 of {a} clicked, b: {b} of {b} clicked)"
    assert summary["winner"] == {"variant": "b", "why": why}
    assert summary["by_variant"]["b"] == {"delivered": b + groups.count(REST)}
    rows = csv.DictReader(io.StringIO((place / "recipients.csv").read_bytes().decode("utf-8-sig"), newline=""))
    assert [row["variant"] for row in rows] == ["b" if one == REST else one for one in groups]
    assert summary["clicks"]["people"] == b + groups.count(REST)
