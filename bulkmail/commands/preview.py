"""``bulkmail preview``: the messages of some rows as they would be sent, on the terminal and for the browser."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import time
import webbrowser
from pathlib import Path
from typing import Any, NamedTuple

from bulkmail.campaign import Campaign
from bulkmail.commands.terminal import Commands, add_json, add_settings, progress, say, say_json, tell
from bulkmail.content import in_each_variant
from bulkmail.delivery import prepare
from bulkmail.exit_status import DONE, REFUSED
from bulkmail.files import Folder
from bulkmail.mail import BulkmailError, Problem, Refused
from bulkmail.preflight import (
    DEFAULT_ROWS,
    Chosen,
    RowChooser,
    Specimen,
    Wanted,
    compose_rows,
    preview_page,
    read_specimen,
)
from bulkmail.settings import Settings, load_settings
from bulkmail.suppressing import mailable_rows

FOLDER = "preview"
NOTHING_TO_SEND = "no row of the list can be sent to; bulkmail check says why"
_FOR_PEOPLE, _READABLE = 0o755, 0o644
_KINDS = {
    "first": "the first row that can be sent to",
    "longest": "the row with the most text in it",
    "shortest": "the row with the least text in it",
    "empty": "the row with the most empty cells",
    "random": "any row",
}
_LONGEST_VALUE = 160  # characters of a field on the terminal; a signature has more


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    preview = commands.add_parser("preview", help="show the messages of some rows as they would be sent")
    preview.add_argument("campaign", metavar="FOLDER", help="the campaign's folder, or its campaign.yaml")
    add_rows(preview)
    for name, words in _KINDS.items():
        preview.add_argument(f"--{name}", dest="kinds", action="append_const", const=_kind(name), help=words)
    add_variant(preview, "show the letter of this variant alone (default: each row once in the letter of each variant)")
    preview.add_argument("--open", action="store_true", help="open the page of the preview in the browser")
    add_settings(preview)
    add_json(preview)
    preview.set_defaults(run=run)


def add_variant(parser: argparse.ArgumentParser, words: str) -> None:
    """Add the option that names one of a campaign's variants."""
    parser.add_argument("--variant", metavar="NAME", help=words)


class Shown(NamedTuple):
    """A row in the letter of one variant, "" where there are none: its message, or why there is none."""

    one: Chosen
    variant: str
    message: Specimen | str

    @property
    def stem(self) -> str:
        """Return the name of its files, without what follows the last dot."""
        number = self.one.row[0]
        return f"row-{number}.{self.variant}" if self.variant else f"row-{number}"


def add_rows(parser: argparse.ArgumentParser) -> None:
    """Add the options that name rows, each of which may be given several times."""
    parser.add_argument(
        "--row", metavar="N", dest="rows", action="append", default=[], help="row N of the list, as the report counts"
    )
    parser.add_argument(
        "--email", metavar="ADDRESS", dest="emails", action="append", default=[], help="the row with this address"
    )


def run(given: argparse.Namespace) -> int:
    """Compose the rows, show them and write them into the folder; 1 where one gets no message. Raises Refused."""
    settings = load_settings(given.settings, os.getcwd(), given.campaign)
    prepared = prepare(os.path.abspath(given.campaign), settings)
    campaign = prepared.campaign
    kinds = tuple(given.kinds or ())
    wanted = Wanted(tuple(given.rows), tuple(given.emails), kinds)
    if not (wanted.rows or wanted.emails or wanted.kinds):
        wanted = Wanted(kinds=DEFAULT_ROWS)
    chosen, wrong = chosen_rows(campaign, settings, wanted)
    if not chosen:
        tell(NOTHING_TO_SEND)
        return REFUSED
    shown, written = preview_of(campaign, letters_of(prepared.content, given.variant), chosen, wrong)
    page = Path(campaign.folder, FOLDER, "index.html")
    if given.json:
        say_json([_as_json(campaign, one, written) for one in shown])
    else:
        for one in shown:
            _show(campaign, one)
        say(f"the page for the browser: {os.path.relpath(page)}")
    for one in shown:
        if isinstance(one.message, str):
            tell(problem(campaign, one.one, one.message))
    if given.open and not webbrowser.open(page.as_uri()):
        tell(f"no browser could be started; open {page} yourself")
    return REFUSED if any(isinstance(one.message, str) for one in shown) else DONE


def preview_of(
    campaign: Campaign, letters: list[tuple[str, dict[str, Any]]], chosen: list[Chosen], wrong: dict[int, str]
) -> tuple[list[Shown], list[str]]:
    """Compose the chosen rows in the letters, and write them into the campaign's folder; return the files too.

    ``wrong``: by the number of a row, why it gets no message. Raises Refused where nothing can be written.
    """
    shown = _composed(letters, chosen, wrong)
    return shown, _write(campaign, shown)


def letters_of(content: dict[str, Any], variant: str | None) -> list[tuple[str, dict[str, Any]]]:
    """Return the letter of the variant, or all letters that may be sent, by name. Raises BulkmailError."""
    letters = in_each_variant(content)
    if variant is None:
        return letters
    found = [(name, letter) for name, letter in letters if name == variant]
    if not found:
        known = ", ".join(filter(None, (name for name, _ in letters))) or "none"
        raise BulkmailError(f"the campaign has no variant {variant!r} that gets a letter; there are: {known}")
    return found


def _composed(letters: list[tuple[str, dict[str, Any]]], chosen: list[Chosen], wrong: dict[int, str]) -> list[Shown]:
    """Return each row in each of the letters, and once where it gets no message at all."""
    good = [one for one in chosen if one.row[0] not in wrong]
    composed: dict[int, list[Shown]] = {number: [] for number in wrong}
    for name, letter in letters:
        messages = compose_rows(letter, [one.row for one in good], time.time())
        for one, message in zip(good, messages, strict=True):
            read = message if isinstance(message, str) else read_specimen(*message)
            composed.setdefault(one.row[0], []).append(Shown(one, name, read))
    return [shown for one in chosen for shown in composed[one.row[0]] or [Shown(one, "", wrong[one.row[0]])]]


def chosen_rows(campaign: Campaign, settings: Settings, wanted: Wanted) -> tuple[list[Chosen], dict[int, str]]:
    """Return the wanted rows, and by number why some of them get no message. Raises Refused, BulkmailError."""
    chooser = RowChooser(wanted, campaign.recipients, random.Random())  # noqa: S311 - any row will do
    with mailable_rows(campaign, settings) as rows, progress("reading the list") as bar:
        every = iter(rows)
        for row in every:
            bar.update()
            if not chooser.look(row):
                break
        chosen = chooser.chosen()
        wrong = {one.row[0]: one.row[7] for one in chosen if one.row[6] not in {"ok", "held"}}
        if any(one.row[6] == "held" for one in chosen):
            for _ in every:
                bar.update()
            twice = rows.duplicates()
            wrong.update({one.row[0]: twice[one.row[0]] for one in chosen if one.row[0] in twice})
    return chosen, wrong


def problem(campaign: Campaign, one: Chosen, words: str) -> Problem:
    """Return why a row gets no message, with the place of the row, as check tells it."""
    path = os.path.join(os.path.dirname(campaign.file.path), campaign.recipients[one.row[1]])
    found, _, rest = words.partition(": ")
    if found.startswith("line ") and found[5:].isdecimal():
        return Problem(path, int(found[5:]), 0, rest)
    return Problem(path, 0, 0, f"row {one.row[2]:,}: {words}")


def _kind(name: str) -> str:
    return "emptiest" if name == "empty" else name


def _heading(campaign: Campaign, shown: Shown) -> str:
    one = shown.one
    row = f"{campaign.recipients[one.row[1]]}:{one.row[2]}" if len(campaign.recipients) > 1 else str(one.row[2])
    why = "" if one.why == f"row {row}" else f" ({one.why})"
    variant = f", variant {shown.variant}" if shown.variant else ""
    return f"row {row}: {_plain(one.row[3])}{why}{variant}"


def _show(campaign: Campaign, one: Shown) -> None:
    """Print one message: its fields, a blank line, its text."""
    say(f"== {_heading(campaign, one)}")
    message = one.message
    if isinstance(message, str):
        say(f"no message: {_plain(message)}\n")
        return
    say(f"MAIL FROM:<{_plain(message.return_path)}>")
    say(f"Subject: {_plain(message.subject)}")
    for name, value in message.fields:
        if name != "Subject":
            short = value if len(value) <= _LONGEST_VALUE else value[: _LONGEST_VALUE - 1] + "…"
            say(f"{name}: {_plain(short)}")
    for file in message.attachments:
        say(f"(attached: {_plain(file)})")
    text = "(no text part)" if message.text is None else message.text
    say("\n" + "\n".join(map(_plain, text.rstrip().splitlines())) + "\n")


def _plain(text: str) -> str:
    """Return one line that changes nothing of the terminal: what cannot be printed is shown by its code."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _write(campaign: Campaign, shown: list[Shown]) -> list[str]:
    """Write the messages and the page into the campaign's folder; return the files' names. Raises Refused."""
    files: dict[str, bytes] = {}
    for one in shown:
        if isinstance(one.message, Specimen):
            files[f"{one.stem}.eml"] = one.message.wire
            if one.message.html is not None:
                files[f"{one.stem}.html"] = one.message.html.encode()
    articles = [(_heading(campaign, one), one.message) for one in shown]
    files["index.html"] = preview_page(campaign.name, articles).encode()
    write_anew(campaign.opened, FOLDER, files)
    return list(files)


def write_anew(inside: Folder, name: str, files: dict[str, bytes]) -> None:
    """Make the folder ``name``, new, with these files. Raises Refused where it cannot be had."""
    try:
        with contextlib.suppress(FileNotFoundError):
            inside.remove(name)
        folder = inside.subfolder(name, _FOR_PEOPLE)
        for file, data in files.items():
            with os.fdopen(folder.create(file, _READABLE), "wb") as out:
                out.write(data)
    except OSError as error:
        where = os.path.join(inside.path, name)
        raise Refused([Problem(where, 0, 0, f"nothing can be written here: {error.strerror}")]) from None


def _as_json(campaign: Campaign, shown: Shown, written: list[str]) -> dict[str, Any]:
    """Return what programs are told of one row."""
    one, variant, message = shown
    number, file, row, email, _, cells, _, _ = one.row
    told: dict[str, Any] = {
        "row": number,
        "file": campaign.recipients[file],
        "file_row": row,
        "email": email,
        "chosen": one.why,
        "cells": json.loads(cells) if cells else [],
        "variant": variant or None,
    }
    if isinstance(message, str):
        return {**told, "error": message}
    stem = os.path.join(campaign.folder, FOLDER, shown.stem)
    return {
        **told,
        "error": None,
        "envelope_from": message.return_path,
        "subject": message.subject,
        "fields": message.fields,
        "text": message.text,
        "attachments": message.attachments,
        "bytes": len(message.wire),
        "eml": f"{stem}.eml",
        "html": f"{stem}.html" if f"{shown.stem}.html" in written else None,
    }
