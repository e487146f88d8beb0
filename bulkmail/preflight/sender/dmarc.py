"""DMARC as RFC 9989 has it: the policy record, the DNS tree walk, the organizational domain, alignment.

No public suffix list: the organizational domain is found by asking for ``_dmarc`` records from the domain upwards
(RFC 9989 4.10). ``pct``, ``rf`` and ``ri`` are gone, ``t``, ``np`` and ``psd`` are new.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from bulkmail.preflight.sender.lookup import Lookup, is_unknown

Policy = Literal["none", "quarantine", "reject"]

POLICIES: tuple[Policy, ...] = ("none", "quarantine", "reject")
"""From the mildest to the strictest."""
REMOVED = ("pct", "rf", "ri")
"""Tags of RFC 7489 that RFC 9989 knows no more; receivers that follow it ignore them."""

_LABELS = 7  # of a name that has more, as many are kept after the first lookup (RFC 9989 4.10)
_VERSION = re.compile(r"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_ALMOST = re.compile(r"\s*[\"']?\s*v\s*=\s*[\"']?DMARC", re.IGNORECASE)
_TAG = re.compile(r"[ \t]*([A-Za-z]+)[ \t]*=[ \t]*(.*?)[ \t]*", re.DOTALL)
_MAILTO = re.compile(r"mailto:[^@,\s]+@[^@,\s!]+(?:![0-9]+[kmgt]?)?", re.IGNORECASE)


@dataclass(frozen=True)
class DmarcRecord:
    """A policy record at ``domain`` (its name in the DNS is ``_dmarc.`` and that).

    ``p`` is "none" where the record has none and reports are wanted (RFC 9989 4.10.1). ``psd``: y, n or u.
    ``problems``: what is odd about it, each a clause.
    """

    domain: str
    text: str
    p: Policy = "none"
    sp: Policy | None = None
    np: Policy | None = None
    strict_dkim: bool = False
    strict_spf: bool = False
    testing: bool = False
    psd: str = "u"
    reports: bool = False
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Walk:
    """The tree walk from one domain: the records found on the way, the lowest first, and what was wrong at a name.

    ``unknown``: why a lookup failed, "" where none did; then ``organizational`` may be another.
    """

    start: str
    records: tuple[DmarcRecord, ...] = ()
    unknown: str = ""
    wrong: tuple[tuple[str, str], ...] = field(default=())  # (domain, what is wrong)

    @property
    def own(self) -> DmarcRecord | None:
        """The record at the domain itself."""
        return next((record for record in self.records if record.domain == self.start), None)

    @property
    def organizational(self) -> str:
        """The organizational domain (RFC 9989 4.10.2)."""
        for record in self.records:
            if record.psd == "n":
                return record.domain
            if record.psd == "y" and record.domain != self.start:
                labels = self.start.split(".")
                return ".".join(labels[-record.domain.count(".") - 2 :])
        return self.records[-1].domain if self.records else self.start

    @property
    def applied(self) -> DmarcRecord | None:
        """The record whose policy applies to mail from the domain: its own, the organizational one's, the suffix's."""
        if self.own is not None:
            return self.own
        organizational = self.organizational
        above = next((record for record in self.records if record.domain == organizational), None)
        return above or next((record for record in self.records if record.psd == "y"), None)

    def policy(self, *, exists: bool = True) -> Policy:
        """Return what receivers are asked to do with mail from the domain that fails; ``exists``: whether it does."""
        record = self.applied
        if record is None:
            return "none"
        asked: Policy = record.p
        if record is not self.own:
            asked = record.sp or record.p
            if not exists:
                asked = record.np or asked
        return POLICIES[max(0, POLICIES.index(asked) - 1)] if record.testing else asked


def parse_dmarc(domain: str, text: str) -> DmarcRecord | None:
    """Read a TXT record found at ``_dmarc.`` and ``domain``; None where it is no DMARC record or has no policy.

    What is wrong behind the version is ignored, as RFC 9989 4.7 says, and told in ``problems``.
    """
    if _VERSION.match(text) is None:
        return None
    tags: dict[str, str] = {}
    problems: list[str] = []
    for part in text.split(";")[1:]:
        found = _TAG.fullmatch(part)
        if found is None:
            if part.strip():
                problems.append(f"`{part.strip()[:40]}` is no tag and is ignored")
        elif found[1].lower() in tags:
            problems.append(f"`{found[1]}` stands there twice; the first counts")
        else:
            tags[found[1].lower()] = found[2]
    reports = any(_MAILTO.fullmatch(uri.strip()) for uri in tags.get("rua", "").split(","))
    policies = {name: _policy(name, tags, problems) for name in ("p", "sp", "np")}
    invalid = policies["p"] is None or any(tags.get(name) and policies[name] is None for name in ("sp", "np"))
    if invalid and not reports:
        return None
    if "rua" in tags and not reports:
        problems.append(f"rua={tags['rua'][:60]} is no mailto: address")
    gone = [name for name in REMOVED if name in tags]
    if gone:
        problems.append(f"{', '.join(gone)}: RFC 9989 knows no such tag any more")
    return DmarcRecord(
        domain,
        text,
        "none" if invalid else policies["p"] or "none",
        None if invalid else policies["sp"],
        None if invalid else policies["np"],
        strict_dkim=tags.get("adkim", "r").lower() == "s",
        strict_spf=tags.get("aspf", "r").lower() == "s",
        testing=tags.get("t", "n").lower() == "y",
        psd=tags.get("psd", "u").lower(),
        reports=reports,
        problems=tuple(problems),
    )


def _policy(name: str, tags: dict[str, str], problems: list[str]) -> Policy | None:
    value = tags.get(name, "").lower()
    for policy in POLICIES:
        if value == policy:
            return policy
    if name in tags:
        problems.append(f"{name}={tags[name][:40]} is no policy (none, quarantine, reject)")
    elif name == "p":
        problems.append("it has no p=, which counts as p=none because reports are wanted")
    return None


async def walk(domain: str, lookup: Lookup) -> Walk:
    """Walk up from ``domain`` (A-labels, lower case), at most eight lookups (RFC 9989 4.10). Raises OwnFault."""
    labels = domain.split(".")
    names = [domain]
    names += [".".join(labels[-count:]) for count in range(min(_LABELS, len(labels) - 1), 0, -1)]
    records: list[DmarcRecord] = []
    wrong: list[tuple[str, str]] = []
    for name in names:
        answer = await lookup(f"_dmarc.{name}", "TXT")
        if is_unknown(answer):
            return Walk(domain, tuple(records), answer.text or "the DNS did not answer", tuple(wrong))
        texts = [text for text in answer.records if _VERSION.match(text)]
        found = [record for text in texts if (record := parse_dmarc(name, text)) is not None]
        if len(texts) > 1:
            wrong.append((name, f"there are {len(texts)} DMARC records, so none of them counts"))
        elif texts and not found:
            wrong.append((name, f"the record has no valid p=: {texts[0][:80]!r}"))
        elif not texts:
            wrong += [
                (name, f"a receiver takes no notice of {text[:80]!r}") for text in answer.records if _almost(text)
            ]
        else:
            records += found
            if found[0].psd in ("y", "n"):
                break
    return Walk(domain, tuple(records), "", tuple(wrong))


def _almost(text: str) -> bool:
    return _ALMOST.match(text) is not None


def aligned(walk_from: Walk, walk_other: Walk, *, strict: bool) -> bool:
    """Return whether an authenticated domain is aligned with From (RFC 9989 4.4): the same, or of one organization."""
    if walk_from.start == walk_other.start:
        return True
    return not strict and walk_from.organizational == walk_other.organizational


def related(one: str, other: str) -> bool:
    """Return whether two domains share their last two labels, so that a list of public suffixes may call them one."""
    return one.split(".")[-2:] == other.split(".")[-2:]
