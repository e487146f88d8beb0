"""``bulkmail test``: one row's message really sent, to other addresses; the campaign knows nothing of it."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bulkmail.commands.once import sent_once
from bulkmail.commands.preview import NOTHING_TO_SEND, add_variant, chosen_rows, letters_of, problem
from bulkmail.commands.terminal import Commands, add_json, add_settings, progress, say, say_json, tell
from bulkmail.delivery import Prepared, prepare, trial_of
from bulkmail.exit_status import DONE, REFUSED
from bulkmail.mail import AddressError, RecipientRow, Refused, Status, address_in
from bulkmail.preflight import Row, Wanted
from bulkmail.settings import Settings, load_settings

WITHIN = 300.0
"""Seconds after which the sending is given up."""

_MOST = 100  # addresses; more is a campaign
_UNTRIED = "no attempt could be made within {seconds:g} s"


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    test = commands.add_parser("test", help="really send one row's message to other addresses, as a test")
    test.add_argument("campaign", metavar="FOLDER", help="the campaign's folder, or its campaign.yaml")
    test.add_argument(
        "--to", metavar="ADDRESS", nargs="+", action="extend", required=True, type=_address, help="who gets the test"
    )
    test.add_argument("--row", metavar="N", help="the row whose message it is (default: the first that can be sent to)")
    add_variant(test, "send the letter of this variant alone (default: those of all variants)")
    add_settings(test)
    add_json(test)
    test.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Send the message; say what each receiver answered; 1 if one did not accept it. Raises Refused and OwnFault."""
    settings = load_settings(given.settings, os.getcwd(), given.campaign)
    prepared = prepare(os.path.abspath(given.campaign), settings)
    wanted = Wanted(rows=(given.row,)) if given.row else Wanted(kinds=("first",))
    chosen, wrong = chosen_rows(prepared.campaign, settings, wanted)
    if not chosen:
        tell(NOTHING_TO_SEND)
        return REFUSED
    (one,) = chosen
    if one.row[6] in {"invalid", "bad-row"}:
        raise Refused([problem(prepared.campaign, one, wrong[one.row[0]])])
    letters = letters_of(prepared.content, given.variant)
    rows = send_test(prepared, settings, letters, one.row, given.to)
    for name, row in rows:
        if not given.json:
            say(line_of(name, row))
    if given.json:
        say_json([{**_as_json(row), "variant": name or None} for name, row in rows])
    return DONE if all(row.status == Status.DELIVERED for _, row in rows) else REFUSED


def _address(text: str) -> str:
    """Return an address as it is mailed to. Raises ArgumentTypeError."""
    try:
        return str(address_in(text))
    except AddressError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def send_test(
    prepared: Prepared,
    settings: Settings,
    letters: Sequence[tuple[str, dict[str, Any]]],
    row: Row,
    to: Sequence[str],
) -> list[tuple[str, RecipientRow]]:
    """Send the row in each letter to the addresses; return what became of each, with the letter's variant.

    Runs the reactor, which a process can do once. Raises Refused, OwnFault.
    """
    addresses = list(dict.fromkeys(to))[:_MOST]
    with tempfile.TemporaryDirectory(prefix="bulkmail-test-", ignore_cleanup_errors=True) as place:
        trials = []
        for number, (_, letter) in enumerate(letters):
            folder = os.path.join(place, f"campaign-{number}")
            os.mkdir(folder, 0o700)
            trials.append(trial_of(replace(prepared, content=letter), row[1], json.loads(row[5]), addresses, folder))
        with progress(f"sending to {', '.join(addresses)}", unit="s") as bar:
            sent = sent_once(trials, settings, place, bar.update, within=WITHIN)
    return [(name, row) for (name, _), rows in zip(letters, sent, strict=True) for row in rows]


def line_of(variant: str, row: RecipientRow) -> str:
    """Return what became of one address, as a sentence."""
    return f"variant {variant}: {_line(row)}" if variant else _line(row)


def _line(row: RecipientRow) -> str:
    if row.status == Status.DELIVERED:
        tls = f", {row.tls}" if row.tls else ", in clear"
        return f"{row.email}: accepted by {row.mx_host} ({row.mx_ip}{tls}): {row.smtp_code} {row.reply}"
    if not row.attempts:
        return f"{row.email}: not sent ({row.status}): {row.note or _UNTRIED.format(seconds=WITHIN)}"
    by = f" by {row.mx_host} ({row.mx_ip})" if row.mx_host else ""
    stage = f" at {row.stage}" if row.stage else ""
    code = f"{row.smtp_code} " if row.smtp_code else ""
    later = "; a test is not tried again" if row.status == Status.DEFERRED else ""
    return f"{row.email}: not accepted{by}{stage} ({row.status}, {row.category}): {code}{row.reply or row.note}{later}"


def _as_json(row: RecipientRow) -> dict[str, Any]:
    """Return what programs are told of one address."""
    names = (
        "email",
        "status",
        "category",
        "smtp_code",
        "enhanced",
        "reply",
        "stage",
        "mx_host",
        "mx_ip",
        "tls",
        "note",
    )
    told = {name: getattr(row, name) for name in names}
    return {**told, "accepted": row.status == Status.DELIVERED}
