"""What follows from a message, as the worker process answers it."""

from __future__ import annotations

import marshal

import pytest

from bulkmail.mail import LateResult, address_hash, campaign_key, parse_address, token
from bulkmail.returns import Kind, judge
from bulkmail.returns.reader import Reader
from tests.returns.samples import ADDRESS, UNKNOWN, octets, report

KEY = bytes(32)
TOKEN = token(campaign_key(KEY, 1), 7)
PATH = f"bounces+{TOKEN}@in.example.com"
FAILED = f"""\
Reporting-MTA: dns; mta.host.example

Original-Recipient: rfc822;{ADDRESS}
Final-Recipient: rfc822; {ADDRESS}
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.d.example
Diagnostic-Code: smtp; {UNKNOWN.format(ADDRESS)}
"""


def test_a_failure_of_the_rows_address_is_an_event():
    verdict = judge(report(FAILED, copy=""), PATH, "", KEY, ADDRESS)
    assert (verdict.kind, verdict.token) == (Kind.FAILED, TOKEN)
    event = verdict.event
    assert (event.result, event.status, event.category) == (LateResult.RETURNED, "bounced", "bad-mailbox")
    assert (event.smtp_code, event.enhanced, event.host, event.soft) == (550, "5.1.1", "mx.d.example", False)
    assert event.reply.startswith("550 5.1.1") or "User unknown" in event.reply
    assert len(event.key) == 16
    assert judge(report(FAILED, copy=""), PATH, "", KEY, ADDRESS).event.key == event.key


@pytest.mark.parametrize("address", ["", "other@d.example"])
def test_a_failure_of_another_address_is_none(address):
    verdict = judge(report(FAILED, copy=""), PATH, "", KEY, address)
    assert (verdict.kind, verdict.token, verdict.event) == (Kind.FAILED, TOKEN, None)


def test_where_only_the_hash_of_the_address_is_kept_a_report_must_name_it():
    number = address_hash(KEY, parse_address(ADDRESS).key)
    event = judge(report(FAILED, copy=""), PATH, "", KEY, "", number).event
    assert (event.result, event.status) == (LateResult.RETURNED, "bounced")
    assert judge(report(FAILED, copy=""), PATH, "", KEY, "", number + 1).event is None
    moved = FAILED.replace(f"Original-Recipient: rfc822;{ADDRESS}\n", "").replace(ADDRESS, "target@e.example")
    assert judge(report(moved, copy=""), PATH, "", KEY, "", number).event is None


def test_a_delay_changes_no_status():
    text = FAILED.replace("failed", "delayed").replace("5.1.1", "4.4.1").replace("550 4.4.1", "450 4.4.1")
    event = judge(report(text, copy=""), PATH, "", KEY, ADDRESS).event
    assert (event.result, event.status) == (LateResult.RETURNED, "")


def test_a_persons_answer_is_answered():
    message = octets("From: Ann <ann@d.example>\nSubject: Re: spring\n\nThank you!\n")
    verdict = judge(message, f"complaints+{TOKEN}@in.example.com", "ann@d.example", KEY, ADDRESS)
    assert (verdict.kind, verdict.event.result, verdict.event.reply) == (
        Kind.OTHER, LateResult.ANSWERED, "other: Re: spring")  # fmt: skip


def test_mail_to_the_address_for_it_unsubscribes():
    message = octets("From: ann@d.example\nSubject: unsubscribe\n\n\n")
    verdict = judge(message, f"unsubscribe+{TOKEN}@in.example.com", "ann@d.example", KEY, "")
    assert (verdict.kind, verdict.token, verdict.event.result) == (
        Kind.UNSUBSCRIBE, TOKEN, LateResult.UNSUBSCRIBED)  # fmt: skip


def test_the_worker_answers_in_plain_data():
    job = ("read", report(FAILED, copy=""), PATH, "", KEY, ADDRESS)
    answer = Reader().handle(job)
    assert marshal.loads(marshal.dumps(answer)) == answer
    assert answer[3] == tuple(judge(*job[1:]).event)
    with pytest.raises(LookupError, match="no job"):
        Reader().handle(("compose", b"", "", "", b"", ""))
