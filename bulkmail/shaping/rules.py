"""What is done when a receiver says certain words so often: the rules of `shaping.rules`, and those that are shipped.

A rule has a scope (providers, MX hosts, recipient domains, or everybody), a pattern, and a number of times within a
period; when the words were heard that often from what one limit counts, its action is taken for a time. Of the rules
that match a reply only the first counts it, together with those behind it that have the same scope and pattern and want
it more often: so a first word slows down and the tenth stops. The operator's rules come before the shipped ones.

A rule about the rate may count *in a row*: when the receiver has accepted something since it was slowed down for,
slowing down mends it, and what was counted before counts no more.

An action that is in force is not taken again, and what was counted for it counts no more. Replies of our own making
(a suspension, a deadline) are no replies and never counted.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from bulkmail.mail import Divided, Pattern, Rate, Scope, format_duration, line_of

if TYPE_CHECKING:
    from bulkmail.settings import ShapingRule  # the report's processes import this room, and need no settings

_REMEMBERED = 1000  # which rules match, of the last different replies
_MOST_COUNTED = 10_000  # of rules and limits, the last used ones


@dataclass(frozen=True, slots=True)
class RuleAction:
    """What a rule does, for ``lasts`` seconds.

    ``rate``: messages at this rate at most; ``slower``: at this part of the rate in use. ``connections`` at most;
    ``fewer``: this part of them. ``messages`` on a connection at most. ``chunking_off``: no BDAT. ``rest``: seconds for
    which nothing is sent. ``stop``: the campaign is held at the provider.
    """

    lasts: float = 3600.0
    rate: Rate | None = None
    slower: float | None = None
    connections: int | None = None
    fewer: float | None = None
    messages: int | None = None
    chunking_off: bool = False
    rest: float | None = None
    stop: bool = False

    @property
    def words(self) -> str:
        """What it does, as the settings have it."""
        said = {
            "rate": self.rate or _divided(self.slower),
            "connections": self.connections or _divided(self.fewer),
            "messages_per_connection": self.messages,
            "chunking": "off" if self.chunking_off else None,
            "rest": None if self.rest is None else format_duration(self.rest),
            "stop": "campaign" if self.stop else None,
        }
        done = ", ".join(f"{name} {value}" for name, value in said.items() if value)
        lasting = self.rate or self.slower or self.connections or self.fewer or self.messages or self.chunking_off
        return f"{done}, for {format_duration(self.lasts)}" if lasting else done

    @property
    def in_force(self) -> float:
        """Seconds for which it is not taken again."""
        return max(self.lasts, self.rest or 0.0)


def _divided(part: float | None) -> str:
    return "" if part is None else f"/{1 / part:g}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``name``: where it stands. ``within``: seconds. ``in_a_row``: only what slowing down does not mend."""

    name: str
    scope: Scope
    pattern: Pattern
    action: RuleAction
    times: int = 1
    within: float = 3600.0
    in_a_row: bool = False

    def same_words(self, other: Rule) -> bool:
        """Return whether both are rungs of one ladder."""
        return (self.scope, self.pattern.written) == (other.scope, other.pattern.written)


def own_rules(given: Sequence[ShapingRule]) -> tuple[Rule, ...]:
    """Return the operator's rules."""
    return tuple(
        Rule(f"shaping.rules[{number}]", rule.scope, rule.pattern, _action(rule), rule.times, rule.within)
        for number, rule in enumerate(given)
    )


def _action(rule: ShapingRule) -> RuleAction:
    do = rule.do
    slower = do.rate if isinstance(do.rate, Divided) else None
    fewer = do.connections if isinstance(do.connections, Divided) else None
    return RuleAction(
        lasts=rule.lasts,
        rate=None if slower else do.rate,
        slower=slower,
        connections=None if fewer else do.connections,
        fewer=fewer,
        messages=do.messages_per_connection,
        chunking_off=do.chunking is not None,
        rest=do.rest,
        stop=do.stop is not None,
    )


class RuleBook:
    """All rules in their order: the operator's, then the shipped ones."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._by_domain = any(rule.scope.domains for rule in rules)
        self._found = lru_cache(_REMEMBERED)(self._find)

    def matching(self, provider: str, host: str, domain: str, code: int, text: str) -> tuple[int, ...]:
        """Return the numbers of the rules that count this reply."""
        return self._found(provider, host, domain if self._by_domain else "", line_of(code, text))

    def _find(self, provider: str, host: str, domain: str, line: str) -> tuple[int, ...]:
        found: list[int] = []
        for number, rule in enumerate(self.rules):
            if found:
                if rule.same_words(self.rules[found[0]]):
                    found.append(number)
            elif rule.scope.concerns(provider, host, domain) and rule.pattern.compiled.search(line):
                found.append(number)
        return tuple(found)


@dataclass(slots=True)
class _Heard:
    times: deque[float] = field(default_factory=deque)
    in_force_until: float = float("-inf")


class RuleCounter:
    """Counts how often each rule's words were heard, for each limit key. Times in seconds, on any one clock."""

    def __init__(self, book: RuleBook) -> None:
        self.book = book
        self._heard: OrderedDict[tuple[str, int], _Heard] = OrderedDict()

    def heard(
        self,
        key: str,
        now: float,
        *,
        provider: str,
        host: str,
        domain: str,
        code: int,
        text: str,
        mended: bool = False,
    ) -> list[Rule]:
        """Count a refusal; return the rules that act because of it. ``key``: the limit key it concerns.

        ``mended``: something was accepted since the receiver was last slowed down for.
        """
        acting = []
        for number in self.book.matching(provider, host, domain, code, text):
            rule = self.book.rules[number]
            heard = self._heard.setdefault((key, number), _Heard())
            self._heard.move_to_end((key, number))
            if len(self._heard) > _MOST_COUNTED:
                self._heard.popitem(last=False)
            if now < heard.in_force_until:
                continue
            if mended and rule.in_a_row:
                heard.times.clear()
            heard.times.append(now)
            while heard.times[0] <= now - rule.within:
                heard.times.popleft()
            if len(heard.times) >= rule.times:
                heard.times.clear()
                heard.in_force_until = now + rule.action.in_force
                acting.append(rule)
        return acting
