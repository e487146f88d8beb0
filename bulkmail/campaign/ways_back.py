"""What a campaign is beside others: ``list``, ``kind``, ``priority`` and ``bounces`` of campaign.yaml.

They say what comes back of it and what people leave, and how much it gets where others are sent with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Protocol

from pydantic import AfterValidator, Field

from bulkmail.campaign.naming import check_campaign_name
from bulkmail.campaign.unsubscribing import Inbound
from bulkmail.shaping import Priority
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
ApprovalKey = Annotated[
    Literal["required", "none"] | None,
    Field(description="whether a person has to approve it before anything is sent", examples=["required"]),
]
PriorityKey = Annotated[
    Priority | None,
    Field(
        description="how much it gets where other campaigns are sent to the same receivers: of two neighbours the"
        " higher one gets three times as much; left out, normal, or transactional for that kind",
        examples=["high"],
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
    def priority(self) -> Priority | None: ...  # noqa: D102
    @property
    def bounces(self) -> str: ...  # noqa: D102


def ways_back(campaign: Keys, inbound: Inbound | None) -> dict[str, Any]:
    """Return the part of a campaign's content that says where its messages come back to, and what people leave."""
    return {
        "list": campaign.listed,
        "kind": campaign.kind,
        "bounces": campaign.bounces,
        "inbound": "" if inbound is None else inbound.domain,
    }


def priority_of(campaign: Keys) -> Priority:
    """Return what ``priority`` says, or else ``kind``."""
    return campaign.priority or ("transactional" if campaign.kind == "transactional" else "normal")


def words_of(content: Mapping[str, Any]) -> dict[str, str]:
    """Return what comes back, for a later run to compare, by what people call it; defaults are left out."""
    found = {
        "list": content.get("list", ""),
        "kind": content.get("kind", ""),
        "bounces": content.get("bounces", ""),
        "inbound domain": content.get("inbound", ""),
    }
    defaults = {"list": content["name"], "kind": "marketing", "bounces": "each"}
    return {name: value for name, value in found.items() if value and value != defaults.get(name)}
