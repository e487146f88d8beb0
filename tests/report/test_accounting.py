from __future__ import annotations

import csv
import io

from bulkmail.mail import AttemptRow, Category
from bulkmail.report import ACCOUNTING_COLUMNS, accounting
from bulkmail.report.accounting import _CATEGORIES

PMTA = {  # of its user guide, 11.6
    "bad-configuration", "bad-connection", "bad-domain", "bad-mailbox", "content-related", "inactive-mailbox",
    "invalid-sender", "message-expired", "no-answer-from-host", "other", "policy-related", "protocol-errors",
    "quota-issues", "relaying-issues", "routing-errors", "spam-related", "virus-related",
}  # fmt: skip


def attempt(n, result, category="", code=0, enhanced="", reply="", host="mx.a.example", ip="192.0.2.1"):
    return AttemptRow(
        n, n, 0, n, f"u{n}@a.example", 1_000_000_000.5 + n, 1, result, category, code or None, enhanced, reply, "rcpt",
        host, ip, "10.0.0.1", "", 5, None,
    )  # fmt: skip


def read(*batches):
    parts = accounting(
        batches,
        job="spring",
        queued_at=1_000_000_000.0,
        sender=lambda token: f"b+{token}@x.example",
        token=lambda n: f"t{n}",
    )
    return list(csv.DictReader(io.StringIO(b"".join(parts).decode(), newline="")))


def test_a_record_for_each_attempt():
    rows = read(
        [attempt(1, "delivered", code=250, enhanced="2.0.0", reply='2.0.0 Ok: queued as "1", thanks')],
        [
            attempt(2, "failed", "bad-mailbox", 550, "5.1.1", "5.1.1 no\x1b[2J such\r\nuser"),
            attempt(3, "deferred", "connection", host="mx.b.example", ip=""),
            attempt(4, "returned", "quota", 552, "5.2.2", "full"),
            attempt(5, "complained"),
            attempt(6, "unsubscribed"),
            attempt(7, "unknown", "no-answer"),
        ],
    )
    assert tuple(rows[0]) == ACCOUNTING_COLUMNS
    assert [row["type"] for row in rows] == ["d", "b", "t", "rb", "f", "t"]
    first, second, third = rows[:3]
    assert first == {
        "type": "d", "timeLogged": "2001-09-09 01:46:41+0000", "timeQueued": "2001-09-09 01:46:40+0000",
        "orig": "b+t1@x.example", "rcpt": "u1@a.example", "orcpt": "", "dsnAction": "relayed", "dsnStatus": "2.0.0",
        "dsnDiag": 'smtp;250 2.0.0 Ok: queued as "1", thanks', "dsnMta": "mx.a.example (192.0.2.1)", "bounceCat": "",
        "srcType": "api", "srcMta": "", "dlvType": "smtp", "dlvSourceIp": "10.0.0.1", "dlvDestinationIp": "192.0.2.1",
        "dlvEsmtpAvailable": "", "dlvSize": "", "vmta": "", "jobId": "spring", "envId": "t1", "queue": "a.example/",
        "vmtaPool": "",
    }  # fmt: skip
    assert (second["bounceCat"], second["dsnDiag"]) == ("bad-mailbox", "smtp;550 5.1.1 no [2J such user")
    assert (third["dsnStatus"], third["dsnMta"], third["bounceCat"]) == ("4.0.0", "mx.b.example", "bad-connection")
    assert rows[3]["bounceCat"] == "quota-issues"


def test_categories_are_those_of_powermta():
    assert set(_CATEGORIES.values()) <= PMTA
    assert set(_CATEGORIES) <= set(Category)


def test_of_no_attempts_there_is_the_header():
    assert b"".join(accounting([], job="x", queued_at=0.0, sender=str, token=str)).startswith(b"type,timeLogged,")
