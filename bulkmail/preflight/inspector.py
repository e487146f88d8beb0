"""The worker that composes each row with the production composer and looks at the bytes that come out.

It answers one job at a time:

``("load", options)``
    options: ``content`` (the campaign's, checked, with ``date`` in epoch seconds), ``files`` (how each recipients file
    is called to people, "" where there is one), ``printed`` (`content.printed_columns`).
``("inspect", rows)``, a row is (number, file number, address, JSON array of its cells)
    -> a dict: ``kinds``, [(kind, rows)]; ``composed``, how many; ``names``, {(file number, column): {value: count}};
    ``subjects``, the first with its row, and whether others differ; ``bytes``, (sum, most, its row); ``html``, (most,
    its row); ``signed_by``, the domains.

A signature is most of what a message costs, and what it covers depends on the names of the fields alone. So each row is
composed without it, and one row of each set of fields once more with it: by the same composer, from the same content.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from bulkmail.content import Composer, Languages, in_each_variant
from bulkmail.preflight.addresses import address_kinds
from bulkmail.preflight.fields import signature_kinds, signing_domains, subject_kinds, unsubscribe_kinds
from bulkmail.preflight.kinds import Kind, error, warning
from bulkmail.preflight.letter import Letter, all_fields, read_letter
from bulkmail.preflight.marks import TextMarks, marks_in, of_data, once
from bulkmail.preflight.markup import MarkupCheck
from bulkmail.preflight.places import place_of
from bulkmail.preflight.values import ValueCheck, load_values

INSPECTOR = "bulkmail.preflight.inspector:Inspector"

_PLAIN, _SIGNED = 0, 1  # the campaign as the composer knows it, without its keys and with them
_VARIANTS = 2  # the first of its variants' letters, without its keys
_OF_EACH = 100  # rows of a list that are composed in the letters of all variants
_LARGE_HTML = 80_000  # bytes
_CLIPPED_HTML = 102_000
_LARGE = 10_000_000
_SHAPES = 200  # sets of fields that are signed

Row = tuple[int, int, str, str]


class Inspector:
    """The worker: see the top of the module for its jobs and answers."""

    SETS_UP = ("load",)

    def __init__(self) -> None:
        self._composer = Composer()
        self._content: dict[str, Any] = {}
        self._values: list[ValueCheck] = []
        self._languages: Languages | None = None
        self._variants: list[tuple[int, str]] = []
        self._markup = MarkupCheck()
        self._text_marks = TextMarks()
        self._shapes: dict[tuple[bytes, ...], list[Kind]] = {}
        self._signers: list[str] = []
        self._same: tuple[bytes, Letter, list[Kind]] | None = None

    def handle(self, job: tuple[Any, ...]) -> Any:
        """Return the answer to one job. Raises LookupError for an unknown one."""
        if job[0] == "load":
            self._load(job[1])
            return ("loaded",)
        if job[0] == "inspect":
            return self._inspect(job[1])
        raise LookupError(f"the inspector knows no job {job[0]!r}")

    def _load(self, options: dict[str, Any]) -> None:
        self._content = content = options["content"]
        self._composer.handle(("load", _PLAIN, {**content, "dkim": []}))
        self._composer.handle(("load", _SIGNED, content))
        self._values = load_values(options)
        self._languages = Languages(content) if content.get("locales") else None
        letters = in_each_variant(content) if content.get("variants") else []
        for number, (_, letter) in enumerate(letters, _VARIANTS):
            self._composer.handle(("load", number, {**letter, "dkim": []}))
        self._variants = [(number, name) for number, (name, _) in enumerate(letters, _VARIANTS)]

    def _inspect(self, rows: Sequence[Row]) -> dict[str, Any]:
        date = self._content["date"]
        answers = self._composer.handle(
            ("compose", _PLAIN, [(n, n, email, date, file_no, cells) for n, file_no, email, cells in rows])
        )
        batch = _Batch()
        for row, (_, wire, _, wrong) in zip(rows, answers, strict=True):
            number = row[0]
            kinds = list(address_kinds(row[2]))
            if wire is None:
                kinds.append(error("template-error", *place_of(wrong or "the row could not be composed")))
            else:
                letter, found = self._look(wire, row, batch.names)
                kinds += found
                batch.measure(number, letter)
            if self._variants and number <= _OF_EACH:
                kinds += self._in_each_variant(row)
            for kind in dict.fromkeys(kinds):
                batch.kinds.setdefault(kind, []).append(number)
        return {**batch.answer(), "signed_by": self._signers}

    def _in_each_variant(self, row: Row) -> Iterator[Kind]:
        """Yield what is odd about the letters of all variants for a row: a short list has no row for some of them."""
        number, file_no, email, cells = row
        for loaded, name in self._variants:
            job = ("compose", loaded, [(number, number, email, self._content["date"], file_no, cells)])
            ((_, wire, _, wrong),) = self._composer.handle(job)
            if wire is None:
                where, words = place_of(wrong or "the row could not be composed")
                yield error("template-error", where, f"in the letter of variant {name}: {words}")
            else:
                yield from self._look(wire, row, {})[1]

    def _look(self, wire: bytes, row: Row, names: dict[tuple[int, int], Counter[str]]) -> tuple[Letter, list[Kind]]:
        """Read the composed message of a row; return it with everything that is odd about it and about its cells."""
        if self._same is not None and self._same[0] is wire:  # one message for all
            return self._same[1], self._same[2]
        _, file_no, email, encoded = row
        cells: list[str] = json.loads(encoded)
        values = self._values[file_no]
        values.count_names(cells, names)
        letter = read_letter(wire)
        own = letter.token
        kinds = [*values.kinds(cells), *subject_kinds(letter.subject), *_sizes(letter)]
        if self._languages is not None:
            kinds += _locale(self._languages, file_no, cells)
        marks = marks_in("subject", letter.subject)
        if self._content.get("kind") != "transactional" or b"list-unsubscribe" in letter.fields:
            kinds += unsubscribe_kinds(letter, own, email, cells)
        if letter.html is not None:
            for kind in self._markup.kinds(letter.html, own, letter.pictures):
                (marks if kind[1] == "leftover" else kinds).append(kind)
            if letter.text is None and all(kind[1] != "empty-letter" for kind in kinds):
                words = "there is no text part, because the HTML has no text: the letter is pictures alone"
                kinds.append(warning("no-text-part", "text", words, "write words, or name a text template"))
        elif not (letter.text or "").strip():
            kinds.append(error("empty-letter", "text", "nothing stands in the letter", "write it"))
        left = once([*marks, *self._text_marks.kinds(letter.text or "")])
        kinds += [of_data(kind, [email, *cells]) for kind in left]
        kinds += self._signature(letter, row)
        if self._content.get("same_for_all"):
            self._same = wire, letter, kinds
        return letter, kinds

    def _signature(self, letter: Letter, row: Row) -> list[Kind]:
        """Return what is wrong with the signature of messages that have these fields."""
        shape = tuple(letter.fields)
        known = self._shapes.get(shape)
        if known is not None or len(self._shapes) >= _SHAPES:
            return known or []
        number, file_no, email, cells = row
        job = ("compose", _SIGNED, [(number, number, email, self._content["date"], file_no, cells)])
        ((_, wire, _, wrong),) = self._composer.handle(job)
        if wire is None:
            kinds = [error("template-error", *place_of(wrong or "the row could not be signed"))]
        else:
            fields = all_fields(wire)
            self._signers = self._signers or signing_domains(fields)
            kinds = signature_kinds(fields, b"list-unsubscribe" in letter.fields)
        self._shapes[shape] = kinds
        return kinds


class _Batch:
    """What is counted of some rows."""

    def __init__(self) -> None:
        self.kinds: dict[Kind, list[int]] = {}
        self.names: dict[tuple[int, int], Counter[str]] = {}
        self._composed = 0
        self._bytes = 0
        self._largest = (0, 0)  # bytes, row
        self._html = (0, 0)
        self._subject: tuple[int, str] | None = None
        self._differ = False

    def measure(self, number: int, letter: Letter) -> None:
        """Count one composed message."""
        self._composed += 1
        self._bytes += letter.size
        self._largest = max(self._largest, (letter.size, number))
        self._html = max(self._html, (letter.html_size, number))
        subject = letter.subject
        if self._subject is None:
            self._subject = number, subject
        elif subject != self._subject[1]:
            self._differ = True

    def answer(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "kinds": list(self.kinds.items()),
            "composed": self._composed,
            "names": {key: dict(counts) for key, counts in self.names.items()},
            "subjects": (self._subject, self._differ),
            "bytes": (self._bytes, *self._largest),
            "html": self._html,
        }


def _locale(languages: Languages, file_no: int, cells: Sequence[str]) -> list[Kind]:
    tag, found = languages.of(file_no, cells)
    if found:
        return []
    words = f"{languages.said(file_no, cells)[:40]!r} is a locale without a letter, so the one for {tag} is sent"
    remedy = f"write its templates and subject, or a language tag such as {', '.join(languages.tags[:5])}"
    return [warning("no-locale", languages.column, words, remedy)]


def _sizes(letter: Letter) -> list[Kind]:
    if letter.html_size >= _CLIPPED_HTML:
        words = f"the HTML has more than {_CLIPPED_HTML // 1000} KB, where Gmail cuts a letter off and hides its end"
        return [warning("html-clipped", "html", words, "shorten it; styles and long links take most room")]
    if letter.html_size >= _LARGE_HTML:
        words = (
            f"the HTML has more than {_LARGE_HTML // 1000} KB; Gmail cuts a letter off at {_CLIPPED_HTML // 1000} KB"
        )
        return [warning("html-large", "html", words, "shorten it; styles and long links take most room")]
    if letter.size >= _LARGE:
        words = f"the message has more than {_LARGE // 1_000_000} MB, which many receivers do not take"
        return [warning("message-large", "message", words, "put attachments on a web server and link to them")]
    return []
