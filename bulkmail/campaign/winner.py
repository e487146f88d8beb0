"""``winner`` of campaign.yaml: the letters are tried with their shares first, and the rest gets the better one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from bulkmail.campaign.variants import Variant
from bulkmail.mail import WHOLE, UnitError, parse_duration
from bulkmail.yamlfile import ErrorAt, Line, Section


def _seconds(value: Any) -> float:
    try:
        return parse_duration(value)
    except UnitError as error:
        raise ValueError(str(error)) from None


class WinnerKeys(Section):
    """When the rest is sent, and what decides which letter it gets."""

    after: Annotated[
        Annotated[float, PlainValidator(_seconds), WithJsonSchema({"type": "string"})],
        Field(description="how long after its first message the rest is sent", examples=["4h"]),
    ]
    by: Annotated[
        Literal["clicks", "unsubscribes", "manual"],
        Field(description="what decides: clicks, unsubscribes, or a person (manual)", examples=["unsubscribes"]),
    ]
    rest: Annotated[
        Line | None,
        Field(description="the variant that the rest gets where there is no difference; the first", examples=["a"]),
    ] = None


WinnerKey = Annotated[
    WinnerKeys | None,
    Field(
        description="the variants are tried with their shares first, and the rest gets the better one",
        examples=[{"after": "4h", "by": "unsubscribes"}],
    ),
]


def check_winner(winner: WinnerKeys | None, variants: Mapping[str, Variant], *, clicks: bool) -> None:
    """Raise ErrorAt where there is nothing to compare, no rest to send to, or nothing to decide by.

    ``clicks``: whether clicks are counted.
    """
    if winner is None:
        return
    letters = [name for name, one in variants.items() if not one.hold_out]
    if len(letters) < 2:
        raise ErrorAt(("winner",), "needs at least two `variants` with a letter to choose from")
    lacking = [name for name, one in variants.items() if one.share is None]
    if lacking or sum(one.share or 0 for one in variants.values()) >= WHOLE:
        words = "nobody is left for the better letter: give each variant a share, together less than 100%"
        raise ErrorAt(("winner",), words)
    if winner.by == "clicks" and not clicks:
        words = "clicks are not counted, so they cannot decide; add links: {clicks: count}"
        raise ErrorAt(("winner", "by"), words)
    if winner.rest is not None and winner.rest not in letters:
        words = f"{winner.rest[:40]!r} is not a variant with a letter; there are: {', '.join(letters)}"
        raise ErrorAt(("winner", "rest"), words)


def plain_winner(winner: WinnerKeys | None) -> dict[str, Any]:
    """Return what stands under ``contest`` of a content's variants: seconds, by what, and the one of a draw or ""."""
    if winner is None:
        return {}
    return {"contest": {"after": winner.after, "by": winner.by, "rest": winner.rest or ""}}
