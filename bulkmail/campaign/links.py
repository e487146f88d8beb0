"""The key ``links`` of campaign.yaml: what is added to the links of the messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from bulkmail.campaign.unsubscribing import Public
from bulkmail.mail import CLICKS, Problem
from bulkmail.yamlfile import Line, Section, YamlFile


def _filled(value: Any) -> Any:
    if isinstance(value, str) and not value.strip():
        raise ValueError("must not be empty; leave the key out")
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
        """Return the parameters that are added, by name, in the usual order."""
        return {f"utm_{name}": value for name in type(self).model_fields if (value := getattr(self, name)) is not None}


class Links(Section):
    """What is added to the links."""

    utm: Annotated[Utm | None, Field(description="parameters that are added to each link to a page")] = None
    clicks: Annotated[
        Literal["none", "count"],
        Field(description="whether clicks are counted, by link and not by person", examples=["count"]),
    ] = "none"


LinksKey = Annotated[Links | None, Field(description="what is added to the links of the messages")]


def plain_links(links: Links | None, public: Public | None, file: YamlFile, problems: list[Problem]) -> dict[str, Any]:
    """Return the part of a campaign's content that says what is added to links; nothing where nothing is.

    A problem is added where clicks are to be counted and the settings have no page that counts them.
    """
    if links is None:
        return {}
    found: dict[str, Any] = {} if links.utm is None else {"utm": links.utm.plain()}
    if links.clicks == "count":
        if public is None:
            words = "links.clicks: `count` needs `public` in the operator's settings: its page counts them"
            problems.append(file.problem(("links", "clicks"), words))
        else:
            found["clicks"] = public.url + CLICKS
    return {"links": found} if found else {}


def with_names(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content with the names of the links that are counted, by id: for people."""
    from bulkmail.content import counted_links  # noqa: PLC0415 - reading the lists needs no Jinja2

    links = content.get("links") or {}
    return {**content, "links": {**links, "names": counted_links(content)}} if links.get("clicks") else content


def link_words(content: Mapping[str, Any]) -> dict[str, str]:
    """Return what is added to the links, for a later run to compare, by what it is called for people."""
    links = content.get("links") or {}
    found = {f"links.{name}": value for name, value in links.get("utm", {}).items()}
    return {**found, "links.clicks": links["clicks"]} if links.get("clicks") else found
