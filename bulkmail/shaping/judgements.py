"""What the operator says that certain words mean (`classification`): it comes before our own reading of a reply.

Two rules stand above it too: a 4xx is never permanent, nor is a reply that ended a connection before MAIL.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from bulkmail.mail import Category, Fate, Outcome, Pattern, Scope, line_of
from bulkmail.shaping.classify import Verdict, classify, named_wait

if TYPE_CHECKING:
    from bulkmail.settings import Judgement  # the report's processes import this room, and need no settings

_REMEMBERED = 1000
_PASSING = frozenset({Category.RATE_LIMITED, Category.GREYLISTED, Category.CONNECTION})
_SIGNALS = {Category.RATE_LIMITED: "rate", Category.GREYLISTED: "greylist"}


class _Own(NamedTuple):
    scope: Scope
    pattern: Pattern
    category: Category
    permanent: bool | None


class Judgements:
    """The operator's own classification; where nothing of it matches, `classify` decides."""

    def __init__(self, given: Sequence[Judgement]) -> None:
        self._own = [_Own(one.scope, one.pattern, one.means, one.permanent) for one in given]
        self._by_domain = any(one.scope.domains for one in self._own)
        self._found = lru_cache(_REMEMBERED)(self._find)

    def judge(self, outcome: Outcome, provider: str, domain: str) -> Verdict:
        """Judge the outcome of a recipient of ``domain`` whose site is of ``provider``."""
        reply = outcome.reply
        if reply is None or outcome.category is not None or not 400 <= reply.code <= 599:
            return classify(outcome)
        line = line_of(reply.code, reply.text)
        own = self._found(provider, outcome.peer.host, domain if self._by_domain else "", line)
        if own is None or outcome.fate not in (Fate.REFUSED, Fate.LOST):
            return classify(outcome)
        lasts = own.category not in _PASSING if own.permanent is None else own.permanent
        permanent = lasts and reply.code >= 500 and outcome.fate is Fate.REFUSED
        signal = "" if permanent else _SIGNALS.get(own.category, "")
        return Verdict(own.category, permanent, signal, named_wait(line.lower()[4:]) if signal == "greylist" else None)

    def _find(self, provider: str, host: str, domain: str, line: str) -> _Own | None:
        for own in self._own:
            if own.scope.concerns(provider, host, domain) and own.pattern.compiled.search(line):
                return own
        return None
