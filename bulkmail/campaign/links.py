"""The key ``links`` of campaign.yaml: what is added to the links of the messages."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from bulkmail.yamlfile import Line, Section


def _filled(value: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        raise ValueError("must not be empty; leave the key out")
    return value


def _built(value: Any) -> Any:
    if value == "count":
        raise ValueError("not supported yet; remove the key or write its default, none")
    return value


_Value = Annotated[Line | None, BeforeValidator(_filled)]


class Utm(Section):
    """Parameters by which the usual programs for web analytics tell where a visitor comes from."""

    source: Annotated[_Value, Field(description="who sends the visitor, utm_source", examples=["newsletter"])] = None
    medium: Annotated[_Value, Field(description="by what, utm_medium", examples=["email"])] = None
    campaign: Annotated[_Value, Field(description="which campaign, utm_campaign", examples=["{{ campaign }}"])] = None
    id: Annotated[_Value, Field(description="the campaign's number, utm_id", examples=["2026-18"])] = None
    term: Annotated[_Value, Field(description="what was searched for, utm_term", examples=["{{ plan }}"])] = None
    content: Annotated[_Value, Field(description="which of several letters, utm_content", examples=["a"])] = None

    @model_validator(mode="after")
    def _some(self) -> Utm:
        if not self.plain():
            raise ValueError("must give at least one of source, medium, campaign, id, term and content")
        return self

    def plain(self) -> dict[str, str]:
        """The parameters that are added, by name, in the usual order."""
        return {f"utm_{name}": value for name in type(self).model_fields if (value := getattr(self, name)) is not None}


class Links(Section):
    """What is added to the links."""

    utm: Annotated[Utm | None, Field(description="parameters that are added to each link to a page")] = None
    clicks: Annotated[
        Literal["none", "count"],
        BeforeValidator(_built),
        Field(description="whether clicks are counted, by link and not by person", examples=["none"]),
    ] = "none"


LinksKey = Annotated[Links | None, Field(description="what is added to the links of the messages")]


def plain_links(links: Links | None) -> dict[str, Any]:
    """The part of a campaign's content that says so; nothing where nothing is added."""
    if links is None or links.utm is None:
        return {}
    return {"links": {"utm": links.utm.plain()}}
