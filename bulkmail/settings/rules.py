"""`shaping.rules` and `classification`: what the operator says of certain words in replies."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Protocol

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from bulkmail.mail import BulkmailError, Category, Divided, Pattern, Rate, Scope, UnitError, parse_pattern, parse_rate
from bulkmail.settings.automaton import Comparisons, line_for
from bulkmail.settings.values import Count, Domain, Seconds, preset, suffix
from bulkmail.yamlfile import ErrorAt, Line, Many, Section

_MOST_STEPS = 200_000  # to compare all rules with each other, half a second


def _divided(value: Any) -> Divided | None:
    found = re.fullmatch(r"/(\d{1,4})", value, re.ASCII) if isinstance(value, str) else None
    if found is None:
        return None
    if int(found[1]) < 2:
        raise ValueError(f"{value!r} must divide by 2 or more")
    return Divided(1 / int(found[1]))


def _pace(value: Any) -> Rate | Divided:
    found = _divided(value)
    if found is not None:
        return found
    try:
        return parse_rate(value)
    except UnitError as error:
        raise ValueError(f"{error}; or a part of the rate in use, such as /2") from None


def _connections(value: Any) -> int | Divided:
    found = _divided(value)
    if found is not None:
        return found
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1_000_000:
        return value
    raise ValueError("must be a whole number from 1 on, or a part of the connections in use, such as /2")


def _pattern(text: str) -> str:
    try:
        pattern = parse_pattern(text)
    except BulkmailError as error:
        raise ValueError(str(error)) from None
    if line_for(pattern) is None:
        raise ValueError("can never match: what is looked at are refusals in one line, such as 451 4.7.1 try later")
    return text


_PART = r"/\d{1,4}"
_RATE = {"type": "string", "pattern": rf"^\s*\d{{1,9}}/(s|m|h|d)(,\s*burst=\d{{1,9}})?\s*$|^{_PART}$"}
_NUMBER = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": f"^{_PART}$"}]}
RuleRate = Annotated[Any, PlainValidator(_pace), PlainSerializer(str), WithJsonSchema(_RATE)]
RuleConnections = Annotated[Any, PlainValidator(_connections), PlainSerializer(str), WithJsonSchema(_NUMBER)]
Match = Annotated[Line, AfterValidator(_pattern)]
MxSuffix = Annotated[str, AfterValidator(suffix)]
_ONE_OR_MANY = BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
_NAMES = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
CATEGORIES = Literal[
    "bad-mailbox", "inactive-mailbox", "bad-domain", "quota", "rate-limited", "greylisted", "spam-content",
    "spam-reputation", "policy", "authentication", "invalid-sender", "too-large", "protocol", "routing", "connection",
    "tls", "virus", "other",
]  # fmt: skip


class Words(Section):
    """Whose replies, and which words."""

    provider: Annotated[Many[Line], _ONE_OR_MANY, _NAMES] = ()
    mx: Annotated[Many[MxSuffix], _ONE_OR_MANY, _NAMES] = ()
    domain: Annotated[Many[Domain], _ONE_OR_MANY, _NAMES] = ()
    match: Annotated[Match, Field(description="words of the reply", examples=["TSS04"])]

    @model_validator(mode="after")
    def _one_scope(self) -> Words:
        named = [key for key in ("provider", "mx", "domain") if getattr(self, key)]
        if len(named) > 1:
            raise ErrorAt((named[1],), f"stands beside {named[0]}; a rule has one of provider, mx and domain")
        return self

    @property
    def scope(self) -> Scope:
        """Whose replies."""
        suffixes = tuple("." + one.lstrip(".") for one in self.mx)
        return Scope(frozenset(self.provider), suffixes, frozenset(self.domain))

    @property
    def pattern(self) -> Pattern:
        """What is looked for in them."""
        return parse_pattern(self.match)


class Do(Section):
    """What a rule does."""

    rate: RuleRate | None = None
    connections: RuleConnections | None = None
    messages_per_connection: Count | None = None
    chunking: Literal["off"] | None = None
    rest: Seconds | None = None
    stop: Literal["campaign"] | None = None

    @model_validator(mode="after")
    def _something(self) -> Do:
        if all(value is None for _, value in self):
            raise ValueError(f"says nothing to do; give one of {', '.join(type(self).model_fields)}")
        return self


class ShapingRule(Words):
    """When these words were heard so often within a time, this is done for a time."""

    times: Annotated[int, Field(ge=1, le=10_000)] = 1
    within: Seconds = preset("1h")
    do: Annotated[Do, Field(description="what is done", examples=[{"rate": "/2"}])]
    lasts: Annotated[Seconds, Field(alias="for", default="1h", validate_default=True)]


class Judgement(Words):
    """What replies with these words mean: ``category``, and whether they are meant for ever (a 4xx never is)."""

    category: Annotated[CATEGORIES, Field(description="what it means", examples=["policy"])]
    permanent: bool | None = None

    @property
    def means(self) -> Category:
        """The category."""
        return Category(self.category)


class _Once(NamedTuple):
    scope: Scope
    pattern: Pattern
    times: int = 1


class CountsWords(Protocol):
    """A rule, as far as it can be in another one's way."""

    @property
    def scope(self) -> Scope:
        """Whose replies."""

    @property
    def pattern(self) -> Pattern:
        """Which words."""

    @property
    def times(self) -> int:
        """How often."""


def never(rules: Sequence[CountsWords], *, ladders: bool = True) -> Iterable[tuple[int, str, str]]:
    """Find the rules that can never act, because an earlier one takes what they match: number, key and why.

    ``ladders``: rules with the same scope and words stand for more and more times, and each counts.
    """
    comparisons = Comparisons(_MOST_STEPS)
    for number, rule in enumerate(rules):
        for earlier, other in enumerate(rules[:number], 1):
            if not (other.scope.holds(rule.scope) and comparisons.hides(other.pattern, rule.pattern)):
                continue
            words = f"rule {earlier} ({other.pattern.written}) matches all that it matches, and the first one counts"
            if not ladders or (other.scope, other.pattern.written) != (rule.scope, rule.pattern.written):
                yield number, "match", f"can never act: {words}; put it before that one"
                break
            if rule.times <= other.times:
                words = f"rule {earlier} has the same words and wants them {other.times} times"
                yield number, "times", f"can never act: {words}; of such rules each wants more than the one before"
                break


def check_providers(key: str, rules: Sequence[Words], providers: Collection[str]) -> None:
    """Raise ErrorAt for the first of ``rules``, found under ``key``, whose provider there is not."""
    for number, rule in enumerate(rules):
        for name in sorted(rule.scope.providers.difference(providers)):
            known = ", ".join(sorted(providers))
            raise ErrorAt((key, number, "provider"), f"can never act: there is no provider {name!r} ({known})")


def check_rules(rules: Sequence[ShapingRule]) -> None:
    """Raise ErrorAt for the first rule of `shaping` that can never act."""
    for number, rule in enumerate(rules):
        if rule.do.stop and not rule.provider:
            raise ErrorAt(("rules", number, "do", "stop"), "needs `provider`: a campaign is stopped at a provider")
    for number, key, why in never(rules):
        raise ErrorAt(("rules", number, key), why)


def check_classification(rules: Sequence[Judgement]) -> None:
    """Raise ErrorAt for the first rule of `classification` that is never used."""
    for number, key, why in never([_Once(rule.scope, rule.pattern) for rule in rules], ladders=False):
        raise ErrorAt(("classification", number, key), why)
