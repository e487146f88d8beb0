"""A campaign in the form of PowerMTA's accounting file: CSV with its columns, one record for each attempt.

Programs that read such files (bounce processors, log shippers, dashboards) can read ours. The columns are those of
PowerMTA's user guide (5.0, 11.2), in the order of its examples. A record is ``d`` (delivered), ``b`` (bounced), ``t``
(an attempt that failed for now), ``rb`` (a bounce that came back later) or ``f`` (a complaint). What we do not know
stays empty: ``dlvEsmtpAvailable``, ``dlvSize``, ``vmta``, ``vmtaPool``. ``jobId`` is the campaign, ``envId`` the token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime

from bulkmail.mail import AttemptRow, Category, local_in
from bulkmail.report.cells import one_line
from bulkmail.report.lines import lines

ACCOUNTING_COLUMNS = (
    "type",
    "timeLogged",
    "timeQueued",
    "orig",
    "rcpt",
    "orcpt",
    "dsnAction",
    "dsnStatus",
    "dsnDiag",
    "dsnMta",
    "bounceCat",
    "srcType",
    "srcMta",
    "dlvType",
    "dlvSourceIp",
    "dlvDestinationIp",
    "dlvEsmtpAvailable",
    "dlvSize",
    "vmta",
    "jobId",
    "envId",
    "queue",
    "vmtaPool",
)

_TYPES = {
    "delivered": ("d", "relayed", "2.0.0"),
    "failed": ("b", "failed", "5.0.0"),
    "deferred": ("t", "delayed", "4.0.0"),
    "unknown": ("t", "delayed", "4.4.2"),
    "returned": ("rb", "failed", "5.0.0"),
    "complained": ("f", "", ""),
}
_CATEGORIES = {
    Category.BAD_MAILBOX: "bad-mailbox",
    Category.INACTIVE_MAILBOX: "inactive-mailbox",
    Category.BAD_DOMAIN: "bad-domain",
    Category.QUOTA: "quota-issues",
    Category.RATE_LIMITED: "policy-related",
    Category.GREYLISTED: "policy-related",
    Category.SPAM_CONTENT: "spam-related",
    Category.SPAM_REPUTATION: "spam-related",
    Category.POLICY: "policy-related",
    Category.AUTHENTICATION: "policy-related",
    Category.INVALID_SENDER: "invalid-sender",
    Category.TOO_LARGE: "content-related",
    Category.PROTOCOL: "protocol-errors",
    Category.ROUTING: "routing-errors",
    Category.DNS: "routing-errors",
    Category.CONNECTION: "bad-connection",
    Category.NO_ANSWER: "no-answer-from-host",
    Category.TLS: "bad-configuration",
    Category.VIRUS: "virus-related",
    Category.EXPIRED: "message-expired",
    Category.SCHEDULE: "message-expired",
}
"""What PowerMTA calls a category (user guide 11.6); all others are its ``other``."""


def accounting(
    rows: Iterable[Sequence[AttemptRow]],
    *,
    job: str,
    queued_at: float,
    sender: Callable[[str], str],
    token: Callable[[int], str],
) -> Iterator[bytes]:
    """Yield the file in parts, for attempts that come in batches, oldest first.

    ``queued_at``: when the campaign was made, epoch seconds. ``sender`` gives the return path for a token, ``token``
    the token of a row's number.
    """
    yield lines([ACCOUNTING_COLUMNS])
    queued = _time(queued_at)
    for batch in rows:
        yield lines(_record(row, job, queued, sender, token(row.n)) for row in batch if row.result in _TYPES)


def _record(row: AttemptRow, job: str, queued: str, sender: Callable[[str], str], own_token: str) -> tuple[str, ...]:
    kind, action, status = _TYPES[row.result]
    bounced = kind in ("b", "t", "rb")
    reply = one_line(row.reply)
    code = f"{row.smtp_code} " if row.smtp_code else ""
    mta = f"{row.mx_host} ({row.mx_ip})" if row.mx_ip else row.mx_host
    return (
        kind,
        _time(row.at),
        queued,
        sender(own_token),
        row.email,
        "",
        action,
        row.enhanced or status,
        f"smtp;{code}{reply}" if reply and kind != "f" else "",
        mta,
        _CATEGORIES.get(Category(row.category), "other") if bounced and row.category else "",
        "api",
        "",
        "smtp",
        row.source_ip,
        row.mx_ip,
        "",
        "",
        "",
        job,
        own_token,
        f"{_domain(row.email)}/",
        "",
    )


def _domain(email: str) -> str:
    return email[len(local_in(email)) + 1 :].strip(" >") if "@" in email else ""


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S+0000")
