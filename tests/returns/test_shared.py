"""Reports of one message that many got in one transaction."""

from __future__ import annotations

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


def failed(original, final="forward@e.example", **more):
    return block(final, diagnostic=FAILED, more=f"Original-Recipient: rfc822;{original}\n" if original else "", **more)


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


def test_two_blocks_of_one_recipient_count_where_they_agree():
    assert told(failed("ann@d.example"), failed("ann@D.EXAMPLE", final="x@e.example")) == ["ann@d.example"]
    assert told(failed("ann@d.example"), failed("ann@d.example", action="delayed", status="4.0.0")) == []


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=40))
def test_no_other_envelope_id_counts(text):
    assert told(failed("ann@d.example"), envid=text) == ([] if text.strip().lower() != ENVID else ["ann@d.example"])


def test_the_worker_tells_an_event_for_each():
    status = f"Reporting-MTA: dns; mx.d.example\nOriginal-Envelope-Id: {ENVID}\n\n" + failed("ann@d.example")
    verdict = judge(report(status, copy=COPY), f"bounces+{CAMPAIGN}@in.example.com", "", KEY, "")
    assert (verdict.token, verdict.event, verdict.envelope_id) == (CAMPAIGN, None, ENVID)
    [(address, event)] = verdict.shares
    assert (address, event.status, event.smtp_code) == ("ann@d.example", "bounced", 550)
