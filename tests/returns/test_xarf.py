from __future__ import annotations

import base64
import json

import pytest

from bulkmail.returns import Kind, read
from bulkmail.returns.mime import LOOKED_AT, split
from bulkmail.returns.xarf import is_spam, xarf_in
from tests.returns.samples import LETTER, TOKEN, octets

COMPLAINTS = "complaints@in.example.com"


def mail(parts: str, mark: str = "X-XARF: PLAIN") -> bytes:
    return octets(
        f"""\
From: reports@trap.example
To: {COMPLAINTS}
Subject: abuse report about 192.0.2.10
Auto-Submitted: auto-generated
{mark}
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="x1"

--x1
Content-Type: text/plain; charset=utf-8

Dear abuse team, somebody got this.
{parts}
--x1--
"""
    )


def lines(kind: str) -> str:
    return f"""\
--x1
Content-Type: text/plain; charset=utf-8; name="report.txt"

---
Reported-From: reports@trap.example
Category: abuse
Report-Type: {kind}
Report-ID: '1234567'
Source-Type: ip-address
Source: 192.0.2.10
User-Agent: trap 1.0
Attachment: message/rfc822
--x1
Content-Type: message/rfc822

{LETTER}"""


def attached(given: object) -> str:
    return f"""\
--x1
Content-Type: application/json; name="xarf.json"

{json.dumps(given) if not isinstance(given, str) else given}
"""


_PAYLOAD = base64.b64encode(octets(LETTER)).decode()
THIRD = {
    "Version": "3",
    "ReporterInfo": {"ReporterOrg": "A trap"},
    "Report": {
        "ReportClass": "Activity",
        "ReportType": "Spam",
        "SourceIp": "192.0.2.10",
        "SmtpRcptToAddress": "ann@d.example",
        "Samples": [
            {"ContentType": "text/plain", "Payload": "a log"},
            {"ContentType": "message/rfc822", "Base64Encoded": True, "Payload": _PAYLOAD},
        ],
    },
}
FOURTH = {
    "xarf_version": "4.0.0",
    "category": "messaging",
    "type": "bulk_messaging",
    "source_identifier": "192.0.2.10",
    "smtp_to": "ann@d.example",
    "evidence": [{"content_type": "message/rfc822", "payload": LETTER}],
}
SPAM = {
    "0.2": mail(lines("spam")),
    "0.1": mail(lines('"spam"'), "X-ARF: yes"),
    "0.2, the message as text": mail(lines("spam").replace("Type: message/rfc822", "Type: text/plain")),
    "3": mail(attached(THIRD)),
    "4": mail(attached(FOURTH), "X-Mailer: trap"),
    "4, the message under an old type": mail(
        attached({**FOURTH, "evidence": [{"content_type": "text/rfc822", "payload": LETTER}]})
    ),
}


@pytest.mark.parametrize("version", SPAM)
def test_one_about_a_message_is_a_complaint_though_a_program_sent_it(version):
    given = read(SPAM[version], recipient=COMPLAINTS, sender="reports@trap.example")
    assert given.kind is Kind.COMPLAINT
    assert given.token == TOKEN
    assert given.feedback.type in {"spam", "bulk-messaging"}
    assert given.feedback.source_ip == "192.0.2.10"


@pytest.mark.parametrize("kind", ["login-attack", "phishing-website", "spamvertized"])
def test_one_about_something_else_is_none(kind):
    given = read(mail(lines(kind)), recipient=COMPLAINTS)
    assert (given.kind, given.reason) == (
        Kind.OTHER,
        f"it is an X-ARF report of the type {kind}, which is no complaint",
    )


@pytest.mark.parametrize(
    "part",
    ["", attached("{"), attached("[" * 50_000), attached([1]), attached({"Report": "x"}), attached({"Report": {}})],
)
def test_one_that_cannot_be_read_is_kept_for_a_look(part):
    assert read(mail(part), recipient=COMPLAINTS).kind is Kind.UNREADABLE
    assert xarf_in(split(mail(part, "X-Mailer: trap"))) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": 7, "smtp_to": [], "evidence": {"a": 1}},
        {"type": None, "evidence": ["x", {"content_type": 1}]},
        {"type": "spam", "evidence": [{"content_type": "message/rfc822", "payload": "\ud800\x00"}]},
    ],
)
def test_fields_of_another_type_are_as_good_as_none(wrong):
    found = xarf_in(split(mail(attached({"xarf_version": "4", **wrong}))))
    assert found is not None
    assert found.feedback is not None
    assert is_spam(found.feedback) is (wrong["type"] == "spam")


def test_a_report_longer_than_what_is_looked_at_changes_nothing():
    long = {**THIRD, "Report": {**THIRD["Report"], "More": "x" * LOOKED_AT}}
    assert read(mail(attached(long)), recipient=COMPLAINTS).kind is Kind.UNREADABLE
