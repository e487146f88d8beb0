"""The key ``html`` of campaign.yaml: what is done to the HTML before it is sent."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bulkmail.yamlfile import Line, Section


class Html(Section):
    """What is done to the HTML."""

    inline_css: Annotated[
        bool, Field(description="write style sheets into the elements: many mail programs read nothing else")
    ] = False
    embed_images: Annotated[
        bool, Field(description="send pictures of the folder along in each message, instead of refusing them")
    ] = False
    preheader: Annotated[
        Line,
        Field(
            description="what an inbox shows behind the subject; a template as the subject is",
            examples=["{{ first_name }}, three things for your garden"],
        ),
    ] = ""
