"""What comes back of a campaign and what people leave: ``list``, ``kind`` and ``bounces`` of campaign.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Protocol

from pydantic import AfterValidator, Field

from bulkmail.campaign.naming import check_campaign_name
from bulkmail.campaign.unsubscribing import Inbound
from bulkmail.yamlfile import Line

ListName = Annotated[
    Annotated[Line, AfterValidator(check_campaign_name)] | None,
    Field(description="the list that people unsubscribe from; left out, the campaign's name", examples=["newsletter"]),
]
Kind = Annotated[
    Literal["marketing", "transactional"],
    Field(
        description="marketing, or transactional: what each recipient has asked for or must know, such as a receipt",
        examples=["marketing"],
    ),
]
Bounces = Annotated[
    Literal["each", "shared"],
    Field(
        description="whether each recipient has a return path of its own where the service takes bounces, or all share"
        " one",
        examples=["each"],
    ),
]


class Keys(Protocol):
    """A campaign's keys, as far as they say what comes back."""

    @property
    def listed(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def bounces(self) -> str: ...  # noqa: D102


def ways_back(campaign: Keys, inbound: Inbound | None) -> dict[str, Any]:
    """The part of a campaign's content that says where its messages come back to, and what is left by unsubscribing."""
    return {
        "list": campaign.listed,
        "kind": campaign.kind,
        "bounces": campaign.bounces,
        "inbound": "" if inbound is None else inbound.domain,
    }


def words_of(content: Mapping[str, Any]) -> dict[str, str]:
    """The same for a later run to compare, by what it is called for people; defaults are left out."""
    found = {
        "list": content.get("list", ""),
        "kind": content.get("kind", ""),
        "bounces": content.get("bounces", ""),
        "inbound domain": content.get("inbound", ""),
    }
    defaults = {"list": content["name"], "kind": "marketing", "bounces": "each"}
    return {name: value for name, value in found.items() if value and value != defaults.get(name)}
