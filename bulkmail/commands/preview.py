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
from typing import Any

from bulkmail.campaign import Campaign
from bulkmail.commands.terminal import (
    DONE,
    REFUSED,
    Commands,
    add_json,
    add_settings,
    progress,
    say,
    say_json,
    tell,
)
from bulkmail.delivery import prepare
from bulkmail.files import Folder
from bulkmail.mail import Problem, Refused
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
    preview.add_argument("--open", action="store_true", help="open the page of the preview in the browser")
    add_settings(preview)
    add_json(preview)
    preview.set_defaults(run=run)


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
        tell("no row of the list can be sent to; bulkmail check says why")
        return REFUSED
    good = [one for one in chosen if one.row[0] not in wrong]
    messages = compose_rows(prepared.content, [one.row for one in good], time.time())
    shown: dict[int, Specimen | str] = {**wrong}
    for one, message in zip(good, messages, strict=True):
        shown[one.row[0]] = message if isinstance(message, str) else read_specimen(*message)
    written = _write(campaign, [(one, shown[one.row[0]]) for one in chosen])
    page = Path(campaign.folder, FOLDER, "index.html")
    if given.json:
        say_json([_as_json(campaign, one, shown[one.row[0]], written) for one in chosen])
    else:
        for one in chosen:
            _show(campaign, one, shown[one.row[0]])
        say(f"the page for the browser: {os.path.relpath(page)}")
    for one in chosen:
        words = shown[one.row[0]]
        if isinstance(words, str):
            tell(problem(campaign, one, words))
    if given.open and not webbrowser.open(page.as_uri()):
        tell(f"no browser could be started; open {page} yourself")
    return REFUSED if any(isinstance(one, str) for one in shown.values()) else DONE


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


def _heading(campaign: Campaign, one: Chosen) -> str:
    row = f"{campaign.recipients[one.row[1]]}:{one.row[2]}" if len(campaign.recipients) > 1 else str(one.row[2])
    why = "" if one.why == f"row {row}" else f" ({one.why})"
    return f"row {row}: {_plain(one.row[3])}{why}"


def _show(campaign: Campaign, one: Chosen, message: Specimen | str) -> None:
    """Print one message: its fields, a blank line, its text."""
    say(f"== {_heading(campaign, one)}")
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
    """One line that changes nothing of the terminal: what cannot be printed is shown by its code."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _write(campaign: Campaign, shown: list[tuple[Chosen, Specimen | str]]) -> list[str]:
    """Write the messages and the page into the campaign's folder; the names of the files. Raises Refused."""
    files: dict[str, bytes] = {}
    for one, message in shown:
        if isinstance(message, Specimen):
            files[f"row-{one.row[0]}.eml"] = message.wire
            if message.html is not None:
                files[f"row-{one.row[0]}.html"] = message.html.encode()
    articles = [(_heading(campaign, one), message) for one, message in shown]
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


def _as_json(campaign: Campaign, one: Chosen, message: Specimen | str, written: list[str]) -> dict[str, Any]:
    """Return what programs are told of one row."""
    number, file, row, email, _, cells, _, _ = one.row
    told: dict[str, Any] = {
        "row": number,
        "file": campaign.recipients[file],
        "file_row": row,
        "email": email,
        "chosen": one.why,
        "cells": json.loads(cells) if cells else [],
    }
    if isinstance(message, str):
        return {**told, "error": message}
    stem = os.path.join(campaign.folder, FOLDER, f"row-{number}")
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
        "html": f"{stem}.html" if f"row-{number}.html" in written else None,
    }
