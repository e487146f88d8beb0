"""A campaign of 2,000 rows as it might have gone: many receivers, every way to fail."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from bulkmail.mail import AttemptRow, RecipientRow
from bulkmail.report import Facts

START = 1_796_119_200.123  # 2026-12-01T10:00:00.123Z
KEY = bytes(range(32))

DOMAINS = (
    ("gmail.com", "google", "gmail-smtp-in.l.google.com", 34),
    ("yahoo.com", "yahoo", "mta5.am0.yahoodns.net", 12),
    ("outlook.com", "outlook", "outlook-com.olc.protection.outlook.com", 10),
    ("hotmail.com", "outlook", "hotmail-com.olc.protection.outlook.com", 6),
    ("icloud.com", "apple", "mx01.mail.icloud.com", 6),
    ("gmx.net", "gmx", "mx00.gmx.net", 4),
    ("contoso.example", "office365", "contoso-example.mail.protection.outlook.com", 5),
    ("fabrikam.example", "office365", "fabrikam-example.mail.protection.outlook.com", 3),
    ("orange.fr", "orange", "smtp-in.orange.fr", 3),
    ("comcast.net", "comcast", "mx1.comcast.net", 3),
    ("bücher.example", "", "mail.xn--bcher-kva.example", 1),
    *((f"company-{n}.example", "", f"mx.company-{n}.example", 1) for n in range(14)),
)

FAILURES = (
    ("bounced", "bad-mailbox", 550, "5.1.1", "5.1.1 <{email}>: Recipient address rejected: user unknown", "rcpt", 40),
    (
        "bounced",
        "bad-mailbox",
        550,
        "5.1.1",
        "5.1.1 The email account that you tried to reach does not exist. {id} - gsmtp",
        "rcpt",
        30,
    ),
    ("bounced", "inactive-mailbox", 550, "5.2.1", "5.2.1 The account is disabled. {id}", "rcpt", 9),
    ("bounced", "bad-domain", None, "", "the domain does not exist (NXDOMAIN)", "dns", 12),
    ("blocked", "quota", 552, "5.2.2", "5.2.2 Mailbox over quota", "rcpt", 8),
    (
        "blocked",
        "authentication",
        550,
        "5.7.26",
        "5.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC policy. {id}",
        "dot",
        6,
    ),
    (
        "blocked",
        "spam-reputation",
        550,
        "5.7.1",
        "5.7.1 Service unavailable, client host [192.0.2.9] blocked, see https://blocklist.example/?id={id}",
        "rcpt",
        5,
    ),
    ("expired", "connection", None, "", "no mail server answered: connection timed out after 30 s", "connect", 4),
    ("unknown", "no-answer", None, "", "the connection closed before the final reply", "dot", 2),
    ("deferred", "greylisted", 451, "4.7.1", "4.7.1 Greylisted, please try again in 5 minutes", "rcpt", 14),
    ("deferred", "rate-limited", 421, "4.7.0", "4.7.0 [TSS04] Messages from 192.0.2.9 temporarily deferred", "mail", 8),
    ("suppressed", "", None, "", "", "", 12),
    ("duplicate", "", None, "", "", "", 10),
    ("invalid", "invalid-address", None, "", "the domain has no dot", "", 5),
    ("invalid", "template", None, "", "body.html.j2:12: 'dict object' has no attribute 'price'", "", 2),
)


@dataclass
class Sample:
    """The rows and what the ledger would know of them."""

    files: list[tuple[str, list[str]]]
    rows: list[RecipientRow]
    facts: dict[str, Any]


def _rows(count: int, rng: Random, *, ended: bool) -> Iterator[tuple[RecipientRow, str]]:
    weights = [domain[3] for domain in DOMAINS]
    for n in range(1, count + 1):
        domain, provider, host, _ = rng.choices(DOMAINS, weights)[0]
        email = f"{rng.choice(['anna', 'ben', 'chloe', 'dan', 'eve'])}.{rng.randrange(9999)}@{domain}"
        first = START + n * 0.9 + rng.random()
        mark = f"{rng.getrandbits(48):x}-{rng.getrandbits(40):x}.{n % 90}"
        fields = json.dumps([email, rng.choice(["Anna", "Ben", "Zoë"]), rng.choice(["London", "Leeds, Yorks", "=1+1"])])
        peer = (host, "192.0.2.25", "198.51.100.9", "TLSv1.3")
        if rng.random() < 0.9:
            row = RecipientRow(
                n, 0, n, email, "delivered", "", 250, "2.0.0", f"2.0.0 OK {mark} - gsmtp", "dot", *peer, 1, first,
                first + 0.4, 10_240 + n % 99, "", fields,
            )  # fmt: skip
            yield row, provider
            continue
        known = [failure for failure in FAILURES if not (ended and failure[0] == "deferred")]
        status, category, code, enhanced, reply, stage, _ = rng.choices(known, [failure[-1] for failure in known])[0]
        words = reply.format(email=email, id=mark)
        tried = status not in ("suppressed", "duplicate", "invalid")
        reached = stage not in ("", "dns", "connect")
        row = RecipientRow(
            n, 0, n, email, status, category, code, enhanced, words, stage, *(peer if reached else ("",) * 4),
            int(tried), first if tried else None, None if status == "deferred" else first + 1, 10_240 if reached else 0,
            "", fields,
        )  # fmt: skip
        yield row, provider


def make_sample(count: int = 2000, seed: int = 7, *, ended: bool = True) -> Sample:
    rows: list[RecipientRow] = []
    by_status: dict[str, int] = {}
    by_provider: dict[str, dict[str, int]] = {}
    for row, provider in _rows(count, Random(seed), ended=ended):
        rows.append(row)
        by_status[row.status] = by_status.get(row.status, 0) + 1
        counts = by_provider.setdefault(provider, {})
        counts[row.status] = counts.get(row.status, 0) + 1
    facts = {
        "campaign": "spring-sale",
        "state": "finished" if ended else "running",
        "now": START + count,
        "input_rows": count,
        "input_complete": True,
        "by_status": by_status,
        "by_provider": by_provider,
        "possibly_doubled": 2,
        "rate": 61.25,
        "started_at": START,
        "ended_at": START + count * 0.95 if ended else None,
        "exit_status": 0 if ended else None,
        "subject": "{{ first_name }}, spring is here",
        "sender": "Example Shop <news@example.com>",
    }
    return Sample([("recipients.csv", ["email", "first_name", "city"])], rows, facts)


@pytest.fixture(scope="session")
def sample() -> Sample:
    return make_sample()


def recipient(**changes: Any) -> RecipientRow:
    """A delivered row with some values of its own."""
    row = RecipientRow(
        1, 0, 1, "a@example.com", "delivered", "", 250, "2.0.0", "2.0.0 OK", "dot", "mx.example.com", "192.0.2.1",
        "198.51.100.9", "TLSv1.3", 1, START, START + 1, 1234, "", '["a@example.com"]',
    )  # fmt: skip
    return row._replace(**{"row_in_file": changes.get("n", 1), **changes})


def attempt(**changes: Any) -> AttemptRow:
    row = AttemptRow(
        1, 1, 0, 1, "a@example.com", START, 1, "delivered", "", 250, "2.0.0", "2.0.0 OK", "dot", "mx.example.com",
        "192.0.2.1", "198.51.100.9", "TLSv1.3", 412, None,
    )  # fmt: skip
    return row._replace(**{"row_in_file": changes.get("n", 1), **changes})


def facts(**changes: Any) -> Facts:
    given: dict[str, Any] = {
        "campaign": "spring-sale",
        "state": "running",
        "now": START + 60,
        "input_rows": 0,
        "input_complete": True,
        "by_status": {},
    }
    return Facts(**(given | changes))


@pytest.fixture(scope="session", name="recipient")
def _recipient() -> Callable[..., RecipientRow]:
    return recipient


@pytest.fixture(scope="session", name="attempt")
def _attempt() -> Callable[..., AttemptRow]:
    return attempt


@pytest.fixture(scope="session", name="facts")
def _facts() -> Callable[..., Facts]:
    return facts
