"""The composer: the worker that holds the messages of the loaded campaigns, and fills them in for many rows at once.

A campaign with variants or locales has several letters (`Letters`), each a `MessageTemplate`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from bulkmail.content.attaching import FolderGoneError
from bulkmail.content.dkim import sign_each
from bulkmail.content.draft import Draft, Rendered
from bulkmail.content.headers import clean
from bulkmail.content.locales import Languages, each_letter
from bulkmail.content.message import MessageTemplate
from bulkmail.content.mime import Part, attachment
from bulkmail.content.templates import RowError
from bulkmail.content.variants import by_variant, variant_chooser
from bulkmail.mail import AddressError

Before = TypeVar("Before")
After = TypeVar("After")


class Composer:
    """The worker: holds the message templates of the loaded campaigns. Plain data in, plain data out."""

    SETS_UP = ("load",)  # jobs whose memory is kept, and does not count against the room of a row

    def __init__(self) -> None:
        self._loaded: dict[int, MessageTemplate | Letters] = {}

    def handle(self, job: tuple[Any, ...]) -> Any:
        """Do one job: ``("load", campaign, content)``, ``("compose", campaign, rows)`` or ``("forget", campaign)``.

        A row is ``(id, n, email, date, file_no, fields_json)``; its answer ``(id, message or None, return path,
        error or None)``. A text instead of all answers says why none can be composed now, which is no row's fault.
        Raises LookupError for a campaign that is not loaded.
        """
        verb, campaign = job[0], job[1]
        if verb == "load":
            self._loaded[campaign] = message_template(job[2])
            return ("loaded", campaign)
        if verb == "forget":
            self._loaded.pop(campaign, None)
            return ("forgotten", campaign)
        if verb != "compose":
            raise LookupError(f"the composer knows no job {verb!r}")
        template = self._loaded.get(campaign)
        if template is None:
            raise LookupError(f"campaign {campaign} is not loaded in this worker")
        if template.same_for_all:
            # one object: the frame back holds its bytes once
            message = template.same()
            return [(row[0], message, template.sender(row[1]), None) for row in job[2]]
        try:
            return self._composed(template, job[2])
        except FolderGoneError as error:
            return str(error)

    @staticmethod
    def _composed(template: MessageTemplate | Letters, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        # Step by step for all rows: a processor does the same thing again faster than one thing after the other
        rendered = _each(lambda row: template.rendered(row[1], row[2], row[3], row[4], _cells(row[5])), rows)
        drafts = _each(template.draft, rendered)
        fields = iter(sign_each([draft.unsigned for draft in drafts if isinstance(draft, Draft)]))
        messages = _each(lambda draft: draft.complete(next(fields)), drafts)
        return [
            (row[0], None, "", message)
            if isinstance(message, str) or isinstance(one, str)
            else (row[0], message, template.return_path(one.token), None)
            for row, one, message in zip(rows, rendered, messages, strict=True)
        ]


def _each(step: Callable[[Before], After], items: Sequence[Before | str]) -> list[After | str]:
    """Apply ``step`` to every item; an item that fails becomes a str, its error text, and is passed on as it is."""
    results: list[After | str] = []
    for item in items:
        if isinstance(item, str):
            results.append(item)
            continue
        try:
            results.append(step(item))
        except (RowError, AddressError) as error:
            words = str(error).encode("utf-8", "replace").decode("utf-8")  # it may quote half a surrogate pair
            results.append(clean(words))
        except UnicodeEncodeError as error:
            half = ord(error.object[error.start])
            results.append(f"the row holds half of a surrogate pair (U+{half:04X}), which is no character")
    return results


def _cells(fields: str) -> list[str]:
    """Return the cells of one row. Raises RowError for what is no JSON: it must not cost the other rows of the job."""
    try:
        cells: list[str] = json.loads(fields)
    except ValueError as error:
        raise RowError(f"the row's cells cannot be read ({error}); correct the row") from None
    return cells


class Letters:
    """The messages of a campaign with several letters, chosen row by row: a `MessageTemplate` of each, or more letters.

    ``choose(email, file_no, cells)`` gives the name of a row's letter.
    """

    same_for_all = False

    def __init__(
        self, letters: Mapping[str, MessageTemplate | Letters], choose: Callable[[str, int, Sequence[str]], str]
    ) -> None:
        self._letters = letters
        self._choose = choose
        self._any = next(iter(letters.values()))

    def rendered(self, n: int, email: str, date: float, file_no: int, cells: Sequence[str]) -> Rendered:
        """Render a row with the templates of its letter, as `MessageTemplate.rendered` does."""
        name = self._choose(email, file_no, cells)
        rendered = self._letters[name].rendered(n, email, date, file_no, cells)
        return rendered._replace(letter=(name, *rendered.letter))

    def draft(self, rendered: Rendered) -> Draft:
        """Put the message together by the letter that it was rendered with, as `MessageTemplate.draft` does."""
        name, *inner = rendered.letter
        return self._letters[name].draft(rendered._replace(letter=tuple(inner)))

    def same(self) -> bytes:
        """Raise LookupError: with several letters no message is the same for all."""
        raise LookupError("there are several letters")

    def sender(self, n: int) -> str:
        """Return the return path of the message for recipient ``n``, which no letter changes."""
        return self._any.sender(n)

    def return_path(self, own_token: str) -> str:
        """Return the return path by the token of a recipient, which no letter changes."""
        return self._any.return_path(own_token)


def message_template(content: dict[str, Any], fixed: list[Part] | None = None) -> MessageTemplate | Letters:
    """Return what composes the messages of a content; ``fixed`` as in `MessageTemplate`."""
    several = content.get("variants") or content.get("locales")
    if several and fixed is None and not content.get("row_attachments"):
        fixed = [attachment(name, data) for name, data in content["attachments"]]
    if content.get("variants"):
        choose = variant_chooser(content["variants"])
        letters = {name: message_template(one, fixed) for name, one in by_variant(content).items()}
        return Letters(letters, lambda email, _file_no, _cells: choose(email))
    if content.get("locales"):
        languages = Languages(content)
        letters = {one["locale"]: MessageTemplate(one, fixed) for one in each_letter(content)}
        return Letters(letters, lambda _email, file_no, cells: languages.of(file_no, cells).tag)
    return MessageTemplate(content, fixed)
