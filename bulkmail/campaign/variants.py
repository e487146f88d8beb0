"""``variants`` of campaign.yaml: letters that are compared with each other, and groups that get none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema, model_validator

from bulkmail.campaign.locales import Subject
from bulkmail.campaign.selection import share_of
from bulkmail.campaign.template import Template
from bulkmail.campaign.unsubscribing import Text
from bulkmail.mail import REST, WHOLE
from bulkmail.yamlfile import ErrorAt, Section

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", re.ASCII)
_MOST = 26
_PERCENT = r"\d+(?:\.\d+)? ?%"


def _places(value: Any) -> int:
    places = round(share_of(value) * WHOLE)
    if not places:
        raise ValueError("must be at least 0.0001%")
    return places


class Variant(Section):
    """One letter of several, or a group that gets none. What it does not say is as in the campaign."""

    share: Annotated[
        Annotated[
            int,
            PlainValidator(_places),
            WithJsonSchema({"anyOf": [{"type": "string", "pattern": _PERCENT}, {"type": "number"}]}),
        ]
        | None,
        Field(
            description="the share of the people who get it, by their address; left out, what the others leave",
            examples=["10%"],
        ),
    ] = None
    hold_out: Annotated[bool, Field(description="whether these people get no message", examples=[True])] = False
    subject: Subject | None = None
    sender: Annotated[
        Text | None,
        Field(
            alias="from",
            description="the sender under another name, with the same address",
            examples=["Ann of Example Shop <news@example.com>"],
        ),
    ] = None
    template: Annotated[
        Template | None,
        Field(description="the message's HTML, text or both", examples=[{"html": "other.html.j2"}]),
    ] = None

    @model_validator(mode="after")
    def _no_letter_where_held_out(self) -> Variant:
        if self.hold_out and any(one is not None for one in (self.subject, self.sender, self.template)):
            raise ValueError("a group with `hold_out` gets no message, so it has no subject, sender or template")
        return self


def _named(variants: Mapping[str, Variant]) -> Mapping[str, Variant]:
    if not variants:
        raise ValueError("must have at least one variant, such as {a: {share: 50%, subject: Spring is here}}")
    if len(variants) > _MOST:
        raise ValueError(f"there are {len(variants)}; {_MOST} are the most")
    for name in variants:
        if not isinstance(name, str) or _NAME.fullmatch(name) is None or name == REST:
            words = f"a variant is called by 1 to 40 letters, digits, _ and -, and not {REST}; not {str(name)[:60]!r}"
            raise ErrorAt((name,), words)
    given = sum(one.share or 0 for one in variants.values())
    if given > WHOLE:
        raise ValueError(f"the shares are {100 * given / WHOLE:g}% together, more than 100%")
    if given == WHOLE and (lacking := [name for name, one in variants.items() if one.share is None]):
        raise ErrorAt((lacking[0],), "there is no share left for it: the others have 100%")
    return variants


VariantsKey = Annotated[
    Mapping[str, Variant],
    AfterValidator(_named),
    Field(
        description="letters that are compared with each other, each for a share of the people",
        examples=[{"a": {"share": "10%", "subject": "Spring is here"}, "b": {"share": "10%"}}],  # `winner` needs a rest
    ),
]


def check_senders(sender: str, variants: Mapping[str, Variant]) -> None:
    """Raise ErrorAt where a variant has another sender than the campaign, not only another name of it."""
    for name, variant in variants.items():
        if variant.sender is not None and _address(variant.sender) != _address(sender):
            words = f"must have the address of the campaign's `from`, {_address(sender)}: only the name can differ"
            raise ErrorAt(("variants", name, "from"), words)


def _address(mailbox: str) -> str:
    return mailbox.rpartition("<")[2].rstrip("> \t")


def shares(variants: Mapping[str, Variant]) -> list[tuple[str, int, bool]]:
    """Return each variant's name, its share and whether it gets no message, as `mail.Share` has them.

    Those without a share get what the others leave, in equal parts.
    """
    left = WHOLE - sum(one.share or 0 for one in variants.values())
    without = [name for name, one in variants.items() if one.share is None]
    each = {name: left // len(without) + (at < left % len(without)) for at, name in enumerate(without)}
    return [(name, each[name] if one.share is None else one.share, one.hold_out) for name, one in variants.items()]


def named_letter(letter: dict[str, Any], variant: Variant, name: str) -> dict[str, Any]:
    """Return a variant's letter with the keys of campaign.yaml that its subject and its sender are written under."""
    if variant.sender is not None:
        letter = {**letter, "from": variant.sender, "from_key": f"variants.{name}.from"}
    if variant.subject is None:
        return letter
    letter = {**letter, "subject_key": f"variants.{name}.{letter.get('subject_key', 'subject')}"}
    if letter["locales"] is not None:
        by_tag = {
            tag: {**one, "subject_key": f"variants.{name}.{one['subject_key']}"}
            for tag, one in letter["locales"]["letters"].items()
        }
        letter["locales"] = {**letter["locales"], "letters": by_tag}
    return letter
