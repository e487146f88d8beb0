"""The files that a campaign's templates include: those of its folder, then those of the operator's library.

Which ones they name is found by looking for the statements in their text (the templates are compiled elsewhere, in a
sandbox); where a name is computed, every template file of the campaign's folder counts as used. A name is looked for in
the campaign's folder first, and in the library where it is not there: so a campaign can have a block of its own in the
place of a shared one. All are read once, when the campaign is loaded.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Mapping
from typing import Any

from bulkmail.campaign.files import id_inside, read_inside, walk
from bulkmail.campaign.includes import names_used, sources_of
from bulkmail.campaign.locales import letters_of
from bulkmail.campaign.model import Campaign
from bulkmail.campaign.template import MAX_TEMPLATE
from bulkmail.files import Folder, MissingFileError
from bulkmail.mail import Problem

MAX_INCLUDES = 200
MAX_INCLUDED = 10_000_000  # bytes of all includes together

_INCLUDABLE = (".j2", ".html", ".txt")


def beside(campaign: Campaign, name: str) -> str:
    """Return the path of a file of the campaign's folder, for messages."""
    return os.path.join(os.path.dirname(campaign.file.path), name)


class Including:
    """Reads what a campaign's templates include. ``library``: the operator's folder, or None.

    ``decoded(path, data)`` makes a text of a file; ``problems``: to which is added what is wrong.
    """

    def __init__(
        self, campaign: Campaign, library: str | None, decoded: Callable[[str, bytes], str], problems: list[Problem]
    ) -> None:
        self._campaign = campaign
        self._place = library
        self._library: Folder | None = None
        self._decoded = decoded
        self._problems = problems
        self._shared: dict[str, str] = {}

    def included(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parts of a content that hold the further templates, and where those of the library stand."""
        found = {"includes": self._includes(content)}
        return {**found, "library": self._shared} if self._shared else found

    def _includes(self, content: Mapping[str, Any]) -> dict[str, str]:
        """Return the files that are named, then the others as far as the bounds allow."""
        every = [content, *letters_of(content)]
        main = {posixpath.normpath(one[name]) for one in every for name in ("html_name", "text_name")}
        found: dict[str, str] = {}
        ahead = sources_of(dict(content))
        computed = False
        size = 0
        while ahead:
            names, some_computed = names_used(ahead.pop())
            computed = computed or some_computed
            for name in sorted(names - main - set(found)):
                text = self._named(name)
                if text is not None:
                    size += len(text)
                    found[name] = text
                    ahead.append(text)
        if len(found) > MAX_INCLUDES or size > MAX_INCLUDED:
            limits = f"{MAX_INCLUDES} files and {MAX_INCLUDED // 1_000_000} MB"
            message = f"template: the included files are more than {limits} together"
            self._problems.append(self._campaign.file.problem(("template",), message))
            return found
        return self._others(found, main, size) if computed else found

    def _named(self, name: str) -> str | None:
        """Return an include that a template names; None where it does not exist: the content's check tells its line."""
        path = beside(self._campaign, name)
        try:
            try:
                data = read_inside(self._campaign.opened, name, MAX_TEMPLATE)
            except MissingFileError:
                if self._place is None:
                    return None
                path = os.path.join(self._place, name)
                data = read_inside(self._opened(self._place), name, MAX_TEMPLATE)
                self._shared[name] = path
        except MissingFileError:
            return None
        except ValueError as error:
            self._problems.append(Problem(path, 0, 0, f"the included file {error}"))
            return None
        return self._decoded(path, data)

    def _opened(self, place: str) -> Folder:
        """Return the library. Raises ValueError with a sentence."""
        if self._library is None:
            try:
                self._library = Folder.open(place)
            except OSError as error:
                raise ValueError(f"is looked for in the library {place}, which cannot be read ({error})") from None
        return self._library

    def _others(self, found: dict[str, str], main: set[str], size: int) -> dict[str, str]:
        """Add every template file of the folder, within the bounds: a name that a template computes may mean each."""
        campaign = self._campaign
        try:
            lists = {id_inside(campaign.opened, name) for name in campaign.lists}
            for name, status, _ in walk(campaign.opened):
                hidden = any(part.startswith(".") for part in name.split("/"))
                if hidden or status is None or name in main or name in found or not name.endswith(_INCLUDABLE):
                    continue
                try:
                    if id_inside(campaign.opened, name) in lists:
                        continue
                    text = read_inside(campaign.opened, name, MAX_TEMPLATE).decode("utf-8-sig")
                except ValueError:
                    continue  # no template names it; it is too large, not text, or a link that leads out
                size += len(text)
                if len(found) >= MAX_INCLUDES or size > MAX_INCLUDED:
                    break
                found[name] = text
        except ValueError as error:
            self._problems.append(campaign.file.problem(("template",), f"template: {error}"))
        return found
