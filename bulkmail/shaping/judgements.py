"""What the operator says that certain words mean (`classification`): it comes before our own reading of a reply.

A reply that comes back later, in another server's report, means the same. Two rules stand above both: a 4xx is never
permanent, nor is a reply that ended a connection before MAIL.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from bulkmail.mail import FAILURES, Category, Fate, LateEvent, Outcome, Pattern, Scope, Status, line_of
from bulkmail.shaping.classify import Verdict, classify, named_wait, status_of

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

    @property
    def lasts(self) -> bool:
        return self.category not in _PASSING if self.permanent is None else self.permanent


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
        permanent = own.lasts and reply.code >= 500 and outcome.fate is Fate.REFUSED
        signal = "" if permanent else _SIGNALS.get(own.category, "")
        return Verdict(own.category, permanent, signal, named_wait(line.lower()[4:]) if signal == "greylist" else None)

    def judge_late(self, event: LateEvent, provider: str, domain: str) -> LateEvent:
        """Return the report of a failure as these judge the reply that it repeats; what is none, as it is.

        The message to a recipient of ``domain`` was handed to a site of ``provider``. The MX host is the one that the
        report names. Where its status says that a server gave up (4.x.x, 5.4.7), the failure stays one that passes.
        """
        if event.status not in FAILURES or not 400 <= event.smtp_code <= 599:
            return event
        host = event.host.partition(" ")[0].rstrip(".").lower()
        line = line_of(event.smtp_code, event.reply)
        own = self._found(provider, host, domain if self._by_domain else "", line)
        if own is None:
            return event
        gave_up = event.smtp_code < 500 or event.enhanced[:1] == "4" or event.enhanced == "5.4.7"
        permanent = own.lasts and not gave_up
        status = status_of(Verdict(own.category, permanent=True)) if permanent else Status.BLOCKED
        return event._replace(status=str(status), category=str(own.category), soft=not permanent)

    def _find(self, provider: str, host: str, domain: str, line: str) -> _Own | None:
        for own in self._own:
            if own.scope.concerns(provider, host, domain) and own.pattern.compiled.search(line):
                return own
        return None
