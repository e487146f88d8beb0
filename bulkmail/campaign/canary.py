"""``canary`` of campaign.yaml: how many messages go to a provider first, and how bad they may be before it stops."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import (
    Field,
    PlainValidator,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)

from bulkmail.shaping import PARTS, StopRules
from bulkmail.yamlfile import ErrorAt, Section

_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,3})?) ?%", re.ASCII)
_NONE = "none"


def _parts(text: str) -> int | None:
    """Return the parts of `PARTS` in ``0.3%``; None for ``none``. Raises ValueError."""
    if text == _NONE:
        return None
    found = _SHARE.fullmatch(text)
    parts = round(float(found[1]) * PARTS / 100) if found is not None else 0
    if not 0 < parts <= PARTS:
        raise ValueError("must be a share of the messages, such as 5% (more than 0% and at most 100%), or none")
    return parts


def _share(value: Any) -> str:
    _parts(value if isinstance(value, str) else "")
    return str(value)


_PATTERN = rf"^({_SHARE.pattern}|{_NONE})$"
Share = Annotated[str, PlainValidator(_share), WithJsonSchema({"type": "string", "pattern": _PATTERN})]


class Stop(Section):
    """Shares as they are written; ``none`` where that stops nothing."""

    bounced: Annotated[Share, Field(description="addresses that do not exist", examples=["10%"])] = "10%"
    blocked: Annotated[Share, Field(description="messages refused for another reason", examples=["5%"])] = "5%"
    complained: Annotated[
        Share, Field(description="recipients who complained, where complaints come back to us", examples=["0.3%"])
    ] = "0.3%"


class CanaryKeys(Section):
    """How a campaign finds out early that it goes wrong at a provider."""

    per_provider: Annotated[
        Annotated[int, Field(ge=10, le=1_000_000)],
        Field(description="messages that are sent to a provider before the rest", examples=[200]),
    ] = 200
    of: Annotated[
        Annotated[int, Field(ge=10, le=1_000_000)],
        Field(description="last outcomes at a provider that are judged", examples=[500]),
    ] = 500
    stop: Annotated[Stop, Field(description="which share of these stops the campaign there")] = Stop()

    @model_validator(mode="after")
    def _together(self) -> CanaryKeys:
        if self.of < self.per_provider:
            raise ErrorAt(("of",), f"must be at least per_provider, which is {self.per_provider:,}")
        for key in ("bounced", "blocked"):
            parts = _parts(getattr(self.stop, key))
            if parts is not None and parts * self.per_provider < PARTS:
                least = 100 / self.per_provider
                words = (
                    f"is less than one of {self.per_provider:,} messages, so the first one that is {key} would stop it"
                )
                raise ErrorAt(("stop", key), f"{words}; write at least {least:.2g}%, or none")
        return self

    @property
    def rules(self) -> StopRules:
        """The decision it stands for."""
        stop = self.stop
        return StopRules(self.per_provider, self.of, *map(_parts, (stop.bounced, stop.blocked, stop.complained)))


def _or_none(value: Any, read: ValidatorFunctionWrapHandler) -> CanaryKeys | None:
    if value == _NONE:
        return None
    if value is None or isinstance(value, str):
        raise ValueError("must be none, or a mapping such as {per_provider: 200}")
    found: CanaryKeys = read(value)
    return found


class _Schema:
    """The word beside the mapping, in the schema for editors."""

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return {"anyOf": [{"const": _NONE}, handler(core)]}


CanaryKey = Annotated[
    CanaryKeys | None,
    WrapValidator(_or_none),
    _Schema(),
    Field(
        description="how many messages a provider gets before the rest, and when the campaign stops there by itself;"
        " or none",
        examples=["none", {"per_provider": 500, "stop": {"bounced": "5%"}}],
    ),
]


def plain_canary(keys: CanaryKeys | None) -> dict[str, Any] | None:
    """Return the keys as plain data for the spool; `canary_rules` takes it."""
    return None if keys is None else asdict(keys.rules)


def canary_rules(content: Mapping[str, Any]) -> StopRules | None:
    """Return the rules in a campaign's content, None without any; what an earlier version began has the default's."""
    plain = content.get("canary", {})
    return None if plain is None else StopRules(**plain)
