"""What the report counts while it writes: statuses, reasons, domains and the receivers' words, in bounded memory."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from bulkmail.mail import AddressError, RecipientRow, Status, domain_key
from bulkmail.report.cells import one_line

TOP_DOMAINS = 50
_KEPT = 20_000  # domains; twice as many are held between two prunings
_WORDINGS = 2_000
_EXAMPLE = 600  # characters, a little more than a report cell shows
_TOP_REPLIES = 3
_SHORTEST_TEXT = 3  # characters of what is no address, to be looked for in what is said of it

_ADDRESS = re.compile(r"[^\s<>(),;:\"@]{1,64}@(?=[\w.-]{1,253})")

_Wording = tuple[str, int, str]


class Domains:
    """Counts statuses by recipient domain: exactly for as many domains as fit, for heavy ones also beyond that.

    Past the limit the lightest half is forgotten. A domain among the heaviest 50 of a real list is met again long
    before that happens to it; only of a list with very many domains of a few rows each are the figures a lower bound.
    """

    def __init__(self, kept: int = _KEPT) -> None:
        self._most = kept
        self._spelled: Counter[tuple[str, str]] = Counter()
        self._counts: dict[str, Counter[str]] = {}

    def add(self, emails: Iterable[str], statuses: Iterable[str]) -> None:
        """Count a batch of addresses as written."""
        domains = [email[email.rfind("@") + 1 :] for email in emails]
        self._spelled.update(zip(domains, statuses, strict=True))
        if len(self._spelled) > self._most:
            self._fold()

    def top(self, count: int = TOP_DOMAINS) -> dict[str, dict[str, int]]:
        """Return the domains with the most rows, each with its statuses, the largest first."""
        self._fold()
        order = sorted(self._counts.items(), key=lambda item: (-item[1].total(), item[0]))
        return {domain: dict(sorted(counts.items())) for domain, counts in order[:count]}

    def _fold(self) -> None:
        for (spelled, status), count in self._spelled.items():
            if status != Status.INVALID:  # the text behind the @ of a bad address is no domain
                self._counts.setdefault(_domain(spelled), Counter())[status] += count
        self._spelled.clear()
        if len(self._counts) > self._most:
            order = sorted(self._counts.items(), key=lambda item: -item[1].total())
            self._counts = dict(order[: self._most // 2])


class Said(NamedTuple):
    """A wording: its ``key`` (see `wording_key`), an example of it, and how many ``times`` it was counted."""

    category: str
    key: str
    example: str
    times: int


def wording_key(category: str, code: int | None, reply: str) -> str:
    """Return a short name of the wording that a reply is one of: the same wherever and whenever it is met."""
    return _key(_wording(category, code, reply))


class Wordings:
    """Counts the receivers' words by category.

    Two replies are one wording when they have the code and all their plain words in common: queue ids, addresses and
    host names differ from reply to reply. The example shown is the first one met.
    """

    def __init__(self, most: int = _WORDINGS) -> None:
        self._most = most
        self._counts: Counter[_Wording] = Counter()
        self._examples: dict[_Wording, str] = {}

    def add(self, category: str, code: int | None, reply: str, email: str = "") -> None:
        """Count one reply to ``email``, which an example does not show."""
        key = _wording(category, code, reply)
        self._counts[key] += 1
        if key not in self._examples:
            self._examples[key] = _without(email, reply)[:_EXAMPLE]
            if len(self._examples) > self._most:
                self._prune()

    def top(self, count: int = _TOP_REPLIES) -> dict[str, list[tuple[str, int]]]:
        """Return for each category its most frequent wordings, as (example, how many)."""
        found: dict[str, list[tuple[str, int]]] = {}
        for said in self.said(count):
            found.setdefault(said.category, []).append((said.example, said.times))
        return found

    def said(self, count: int) -> list[Said]:
        """Return the ``count`` most frequent wordings of each category, the most frequent first.

        The addresses in an example lose what stands before their @: a report gets forwarded.
        """
        of: Counter[str] = Counter()
        found = []
        for key, number in sorted(self._counts.items(), key=lambda item: (-item[1], item[0])):
            of[key[0]] += 1
            if of[key[0]] <= count:
                example = _ADDRESS.sub(_masked, one_line(f"{key[1] or ''} {self._examples[key]}")).strip()
                found.append(Said(key[0], _key(key), example, number))
        return found

    def total(self, category: str) -> int:
        """Return how many replies of a category are counted."""
        return sum(count for key, count in self._counts.items() if key[0] == category)

    def _prune(self) -> None:
        self._counts = Counter(dict(self._counts.most_common(self._most // 2)))
        self._examples = {key: self._examples[key] for key in self._counts}


class Stats:
    """Everything counted in one pass over the recipients."""

    def __init__(self) -> None:
        self.rows = 0
        self.outcomes: Counter[tuple[str, str]] = Counter()  # (status, category)
        self.domains = Domains()
        self.wordings = Wordings()
        self.late: Counter[str] = Counter()  # how many came back later, unsubscribed, complained
        self.no_more: Counter[tuple[str, str]] = Counter()  # (status, category) of those who complained or unsubscribed
        self.by_variant: dict[str, Counter[str]] = {}  # of each: people by status, who unsubscribed, who complained
        self.subject = ""  # of a message that was delivered, as its recipient sees it

    def add(
        self,
        emails: Sequence[str],
        statuses: Sequence[str],
        categories: Sequence[str],
        codes: Sequence[int | None],
        replies: Sequence[str],
    ) -> None:
        """Count a batch, given as columns."""
        self.rows += len(emails)
        self.outcomes.update(zip(statuses, categories, strict=True))
        self.domains.add(emails, statuses)
        for category, code, reply, email in zip(categories, codes, replies, emails, strict=True):
            if category and reply:
                self.wordings.add(category, code, reply, email)

    def add_variants(self, names: Sequence[str], rows: Sequence[RecipientRow]) -> None:
        """Count the variants of a batch; "" where a row has none."""
        for name, row in zip(names, rows, strict=True):
            if name:
                counts = self.by_variant.setdefault(name, Counter())
                counts[row.status] += 1
                counts["unsubscribed"] += row.unsubscribed_at is not None
                counts["complained"] += row.complained_at is not None

    def add_late(self, rows: Sequence[RecipientRow]) -> None:
        """Count what came back of a batch."""
        for row in rows:
            self.late["returned"] += row.late_at is not None
            self.late["unsubscribed"] += row.unsubscribed_at is not None
            self.late["complained"] += row.complained_at is not None
            if row.wants_no_more:
                self.no_more[row.status, row.category] += 1

    @property
    def by_status(self) -> dict[str, int]:
        """Rows by status; every status is there, and they sum to ``rows``."""
        found = {str(status): 0 for status in Status}
        for (status, _), count in self.outcomes.items():
            found[status] = found.get(status, 0) + count
        return found

    @property
    def by_category(self) -> dict[str, int]:
        """Rows by category, the most frequent first; rows without one do not count."""
        found: Counter[str] = Counter()
        for (_, category), count in self.outcomes.items():
            if category:
                found[category] += count
        return dict(found.most_common())

    def parts(self) -> dict[str, Any]:
        """Return what summary.json takes from a pass over the rows, as plain data."""
        return {
            "rows": self.rows,
            "by_status": self.by_status,
            "by_category": self.by_category,
            "by_domain": self.domains.top(),
        }


def _wording(category: str, code: int | None, reply: str) -> _Wording:
    return category, code or 0, " ".join(filter(str.isalpha, reply.split()))


def _key(wording: _Wording) -> str:
    return sha256("\0".join(map(str, wording)).encode("utf-8", "replace")).hexdigest()[:16]


def _without(email: str, reply: str) -> str:
    """Return the reply without the address it is about, however that is written; its domain stays, where it has one."""
    local, at, domain = email.strip().rpartition("@")
    if at and local:
        return re.sub(re.escape(f"{local}@"), "…@", reply, flags=re.IGNORECASE)
    return reply.replace(domain, "…") if len(domain) > _SHORTEST_TEXT else reply


def _masked(found: re.Match[str]) -> str:
    """Return what stands for an address; the form that our own advice names is none."""
    return found[0] if found[0] == "local@" else "…@"


def _domain(spelled: str) -> str:
    if spelled.isascii():
        return spelled.strip().lower()
    try:
        return domain_key(spelled)
    except AddressError:
        return spelled.strip().lower()
