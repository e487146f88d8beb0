"""Reports of one message that many got in one transaction."""

from __future__ import annotations

import random
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import campaign_key, envelope_id, token
from bulkmail.returns import judge, read
from bulkmail.returns.shared import shares
from tests.returns.samples import block, report

KEY = bytes(32)
OURS = campaign_key(KEY, 3)
CAMPAIGN, ROW, ELSEWHERE = token(OURS, 0), token(OURS, 7), token(campaign_key(KEY, 4), 0)
ENVID = envelope_id(OURS, 5, 60)
COPY = f"From: news@example.com\nMessage-ID: <q2w3e4r5.{CAMPAIGN}@example.com>\n"
FAILED = "smtp; 550 5.1.1 No such user"


def told(*some, envid=ENVID, copy=COPY, to=CAMPAIGN):
    status = f"Reporting-MTA: dns; mx.d.example\nOriginal-Envelope-Id: {envid}\n\n" + "\n".join(some)
    message = report(status, copy=copy)
    return [one.original for _, one in shares(read(message, recipient=f"bounces+{to}@in.example.com"), KEY)]


def failed(original, final="", **more):
    return block(
        final or original,
        diagnostic=FAILED,
        more=f"Original-Recipient: rfc822;{original}\n" if original else "",
        **more,
    )


def test_each_block_is_about_the_recipient_that_we_named():
    assert told(failed("ann@d.example"), failed("bob@d.example")) == ["ann@d.example", "bob@d.example"]
    assert told(failed("ann@d.example"), envid=ENVID.upper()) == ["ann@d.example"]


@pytest.mark.parametrize(
    "changed",
    [
        {"envid": ""},
        {"envid": CAMPAIGN},  # that everybody has read
        {"envid": ENVID[:-1]},
        {"envid": envelope_id(campaign_key(KEY, 4), 5, 60)},
        {"envid": envelope_id(campaign_key(b"x" * 32, 3), 5, 60)},
        {"copy": ""},
        {"copy": COPY.replace(CAMPAIGN, ELSEWHERE)},
        {"copy": COPY.replace(CAMPAIGN, ROW)},
        {"copy": COPY + f"List-Unsubscribe: <https://mail.example.com/u/{ROW}>\n"},
        {"to": ELSEWHERE},
        {"to": ROW},
    ],
)
def test_without_one_of_the_three_marks_nobody_is_named(changed):
    assert told(failed("ann@d.example"), **changed) == []


def test_an_address_that_we_have_not_written_names_nobody():
    assert told(failed("", final="ann@d.example")) == []


def test_a_forward_that_failed_is_nobodys():
    assert told(failed("ann@d.example", final="x@e.example")) == []
    assert told(failed("ann@d.example", final="x@e.example"), failed("bob@d.example")) == ["bob@d.example"]


def test_all_blocks_must_say_the_same_for_they_may_be_mixed_up():
    assert told(failed("ann@d.example"), failed("ann@D.EXAMPLE")) == ["ann@d.example"]
    for other in (
        failed("bob@d.example", action="delayed", status="4.0.0"),
        failed("bob@d.example").replace("550 5.1.1 No such user", "452 4.2.2 Mailbox full"),
        failed("bob@d.example", action="nonsense"),
        failed("bob@d.example").replace("Action", "Aktion"),
        failed("bob@d.example") + "Original-Recipient: rfc822;cem@d.example\n",
        failed("bob@d.example") + "what is this\n",
    ):
        assert told(failed("ann@d.example"), other) == []


def test_mutated_reports_blame_nobody_who_did_not_fail():
    dice, some = random.Random(3), []
    for action, status in (("delivered", "2.0.0"), ("delayed", "4.4.1"), ("failed", "4.2.2")):
        fine = block("bob@d.example", action, status, more="Original-Recipient: rfc822;bob@d.example\n")
        head = f"Reporting-MTA: dns; mx.d.example\nOriginal-Envelope-Id: {ENVID}\n\n"
        some += [report(head + "\n".join(pair), copy=COPY) for pair in permutations([failed("ann@d.example"), fine])]
        some.append(report(head + failed("ann@d.example"), copy=COPY))
    blamed = set()
    for _ in range(2000):
        lines = dice.choice(some).split(b"\r\n")
        for _ in range(dice.randint(0, 3)):
            at, to = dice.randrange(len(lines)), dice.randrange(len(lines))
            match dice.randrange(4):
                case 0:
                    del lines[at : at + dice.randint(1, 3)]
                case 1:
                    lines.insert(to, lines[at])
                case 2:
                    lines[at], lines[to] = lines[to], lines[at]
                case 3:
                    lines[at] = lines[at][: dice.randint(0, len(lines[at]))] + bytes([dice.randrange(256)])
        verdict = judge(b"\r\n".join(lines), f"bounces+{CAMPAIGN}@in.example.com", "", KEY, "")
        blamed |= {address for address, event in verdict.shares if event.status == "bounced"}
    assert blamed == {"ann@d.example"}


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=40))
def test_no_other_envelope_id_counts(text):
    assert told(failed("ann@d.example"), envid=text) == ([] if text.strip().lower() != ENVID else ["ann@d.example"])


def test_the_worker_tells_an_event_for_each():
    status = f"Reporting-MTA: dns; mx.d.example\nOriginal-Envelope-Id: {ENVID}\n\n" + failed("ann@d.example")
    verdict = judge(report(status, copy=COPY), f"bounces+{CAMPAIGN}@in.example.com", "", KEY, "")
    assert (verdict.token, verdict.event, verdict.envelope_id) == (CAMPAIGN, None, ENVID)
    [(address, event)] = verdict.shares
    assert (address, event.status, event.smtp_code) == ("ann@d.example", "bounced", 550)
