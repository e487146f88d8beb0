"""The key ``invitation`` of campaign.yaml: an event that each message invites its recipient to."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from bulkmail.yamlfile import Line, Section


class InvitationKeys(Section):
    """An event. All texts but ``organizer`` are templates."""

    summary: Annotated[Line, Field(description="what it is called", examples=["Open day, {{ city }}"])]
    start: Annotated[
        Line,
        Field(
            description="when it begins, or a day; a row for which it is empty gets none", examples=["2026-12-10T18:00"]
        ),
    ]
    end: Annotated[Line, Field(description="when it ends, or its last day", examples=["2026-12-10T20:00"])] = ""
    duration: Annotated[Line, Field(description="how long it lasts, instead of `end`")] = ""
    timezone: Annotated[
        Line, Field(description="whose clocks `start` and `end` count by", examples=["Europe/Berlin"])
    ] = ""
    location: Annotated[Line, Field(description="where", examples=["The Old Sawmill, 7 Millrace Lane"])] = ""
    description: Annotated[str, Field(description="more, also several lines", examples=["Ring the bell twice."])] = ""
    organizer: Annotated[
        Line, Field(description="who gets the answers; left out, `from`", examples=["Events <events@example.com>"])
    ] = ""
    uid: Annotated[
        Line,
        Field(
            description="a name of each row's event, to change it later by another campaign", examples=["{{ booking }}"]
        ),
    ] = ""
    sequence: Annotated[int, Field(ge=0, description="0, and 1 more at each change of the event", examples=[1])] = 0

    @model_validator(mode="after")
    def _one_end(self) -> InvitationKeys:
        if self.end and self.duration:
            raise ValueError("has both `end` and `duration`; take one of them away")
        return self

    @property
    def plain(self) -> dict[str, Any]:
        """As part of a content."""
        return {"invitation": self.model_dump()}


InvitationKey = Annotated[
    InvitationKeys | None, Field(description="an event that each message invites its recipient to")
]
