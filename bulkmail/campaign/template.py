"""Where a campaign is read from, and the template files that it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from bulkmail.campaign.files import size_inside
from bulkmail.campaign.locales import is_each_locale
from bulkmail.files import FileId, Folder
from bulkmail.yamlfile import Line, Section, YamlFile

MAX_TEMPLATE = 2_000_000


@dataclass(frozen=True)
class Place:
    """Where a campaign stands: its folder, opened, and the file the values came from.

    ``checked``: the lists with their ids where another process has checked the files; they are not looked at again.
    ``spool``: the spool of earlier campaigns, for lists that are made of them.
    ``databases``: which may be asked for lists, by name; None where none may.
    """

    folder: Folder
    file: YamlFile
    checked: Mapping[str, FileId] | None = None
    spool: str = ""
    databases: Mapping[str, str] | None = None


def place_of(info: ValidationInfo) -> Place:
    """Return where the campaign stands that is being read."""
    assert isinstance(info.context, Place), "a campaign is read by load_campaign"
    return info.context


def file_here(name: str, info: ValidationInfo, limit: int | None = None) -> str:
    """Return the name of a file of the folder; raises ValueError where it is not there, or too large."""
    place = place_of(info)
    if place.checked is None:
        size_inside(place.folder, name, limit)
    return name


def _template(name: str, info: ValidationInfo) -> str:
    if is_each_locale(name):
        return name
    return file_here(name, info, MAX_TEMPLATE)


TemplateName = Annotated[Line, AfterValidator(_template)]


class Template(Section):
    """The message's two forms; the plain text is made from the HTML when it is absent."""

    html: Annotated[
        TemplateName | None, Field(description="the HTML part, a template file", examples=["body.html.j2"])
    ] = None
    text: Annotated[
        TemplateName | None,
        Field(description="the plain-text part; made from the HTML where it is left out", examples=["body.txt.j2"]),
    ] = None

    @model_validator(mode="after")
    def _one(self) -> Template:
        if self.html is None and self.text is None:
            raise ValueError("must name an html file, a text file or both")
        return self
