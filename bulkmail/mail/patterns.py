"""Patterns that an operator writes: a text that is looked for in a reply, or a regular expression between slashes.

A reply is matched as one line, ``421 4.7.0 [TSS04] Messages from …``, its first `JUDGED` characters, upper and lower
case alike. What a receiver sends is not ours to choose, so no expression may take long on any text: Python tries one
way to match after the other, and an expression that has too many ways to match `JUDGED` characters is refused. How many
it has at most is counted from its parts: a repetition has as many as it may have lengths, what stands behind each other
is multiplied, what stands in its stead is added.
"""

from __future__ import annotations

import re
import warnings
from re import _constants as kinds  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from bulkmail.mail.errors import BulkmailError
from bulkmail.mail.groups import provider_behind

JUDGED = 300  # characters of a reply
_MOST_WAYS = 1_000_000  # some milliseconds
_ENDLESS = float("inf")


class Pattern(NamedTuple):
    """``written`` is what the operator wrote; ``text`` what is looked for, in lower case, "" for an expression."""

    written: str
    text: str
    compiled: re.Pattern[str]

    def covers(self, other: Pattern) -> bool:
        """Return whether it surely matches each reply that ``other`` matches."""
        return self.written == other.written or bool(self.text and self.text in other.text)


class Scope(NamedTuple):
    """Whose replies: at most one of the three, and those of all receivers where there is none.

    Of these providers, of MX hosts under these suffixes (``.example.com``), or about recipients of these domains
    (A-labels).
    """

    providers: frozenset[str] = frozenset()
    mx: tuple[str, ...] = ()
    domains: frozenset[str] = frozenset()

    def concerns(self, provider: str, host: str, domain: str) -> bool:
        """Return whether the reply of this MX host, about a recipient of this domain, is in it.

        ``provider`` may be the group of a route, such as ``partner at google``: what holds for either holds for it.
        """
        if self.providers:
            return provider in self.providers or provider_behind(provider) in self.providers
        if self.mx:
            return f".{host}".endswith(self.mx)
        return not self.domains or domain in self.domains

    def holds(self, other: Scope) -> bool:
        """Return whether all of ``other`` is surely in it."""
        if self.providers:
            return bool(other.providers) and other.providers <= self.providers
        if self.mx:
            return bool(other.mx) and all(suffix.endswith(self.mx) for suffix in other.mx)
        return not self.domains or (bool(other.domains) and other.domains <= self.domains)


def line_of(code: int, text: str) -> str:
    """Return the line that patterns are matched against."""
    return f"{code} {' '.join(text[: 2 * JUDGED].split())}"[:JUDGED]


def parse_pattern(written: str) -> Pattern:
    """Read a pattern. Raises BulkmailError: no expression, one that may take long, or one that can never match."""
    if len(written) > 2 and written.startswith("/") and written.endswith("/"):
        return Pattern(written, "", _expression(written[1:-1]))
    text = " ".join(written.lower().split())
    if not text:
        raise BulkmailError("must be a text of the reply, such as TSS04, or an expression between slashes")
    if len(text) > JUDGED:
        raise BulkmailError(f"can never match: the first {JUDGED} characters of a reply are judged, and this is longer")
    alphabet = re.ASCII if text.isascii() else re.UNICODE  # whose upper and lower case are alike
    return Pattern(written, text, re.compile(re.escape(text), re.IGNORECASE | alphabet))


def _expression(source: str) -> re.Pattern[str]:
    flags = re.IGNORECASE | re.ASCII
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # such as "possible nested set": it means something else than it seems to
            compiled, parsed = re.compile(source, flags), parser.parse(source, flags)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise BulkmailError(f"is no regular expression: {error}") from None
    if parsed.getwidth()[0] > JUDGED:
        raise BulkmailError(f"can never match: the first {JUDGED} characters of a reply are judged, and it needs more")
    if JUDGED * _ways(parsed) > _MOST_WAYS:
        raise BulkmailError(
            "may take long on a hostile reply: it has too many ways to match. Write shorter repetitions, such as "
            r".{0,40} for .*, and none within another"
        )
    return compiled


def _ways(parts: Any) -> float:
    """Count the ways in which a sequence of parts can match `JUDGED` characters, at most."""
    found = 1.0
    for kind, argument in parts:
        found *= _ways_of(kind, argument)
        if found > _MOST_WAYS:
            return _ENDLESS
    return found


def _ways_of(kind: Any, argument: Any) -> float:
    if kind in (kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT):
        return _repeated(*argument)
    if kind is kinds.BRANCH:
        return sum(_ways(branch) for branch in argument[1])
    if kind is kinds.SUBPATTERN:
        return _ways(argument[-1])
    if kind is kinds.ATOMIC_GROUP:
        return _ways(argument)
    if kind in (kinds.ASSERT, kinds.ASSERT_NOT):
        return _ways(argument[1])
    return _ENDLESS if kind in (kinds.GROUPREF, kinds.GROUPREF_EXISTS) else 1.0


def _repeated(least: int, most: int, part: Any) -> float:
    least, most = min(least, JUDGED), min(int(most), JUDGED)
    each = _ways(part)
    if each == 1.0:
        return most - least + 1
    found = 0.0
    for times in range(least, most + 1):
        if times and each ** min(times, 64) > _MOST_WAYS:
            return _ENDLESS
        found += each**times
    return found
