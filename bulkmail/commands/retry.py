"""``bulkmail retry``: a new campaign to some rows of one that has ended."""

from __future__ import annotations

import argparse
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from bulkmail.campaign import TAKEN_AGAIN, check_campaign_name, copy_campaign, load_campaign
from bulkmail.commands.terminal import Commands, add_json, add_settings, say, say_json
from bulkmail.exit_status import DONE
from bulkmail.listing import batches, check_ended, files_of, find_campaign
from bulkmail.mail import BulkmailError, Category, RecipientRow, can_be_tried_again
from bulkmail.report import write_list
from bulkmail.settings import load_settings
from bulkmail.spool import CampaignRow, Reading, open_reader


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    retry = commands.add_parser("retry", help="make a new campaign to those whom an ended one did not reach")
    retry.add_argument("name", metavar="NAME", help="the campaign that has ended")
    retry.add_argument(
        "--status",
        metavar="STATUS,...",
        help=f"which rows: some of {', '.join(TAKEN_AGAIN)} (default: those of try-again.csv)",
    )
    retry.add_argument("--category", metavar="CATEGORY,...", help="only rows with these categories, such as quota")
    retry.add_argument("--as", dest="new", metavar="NEW", help="the new campaign's name (default: NAME-retry)")
    add_settings(retry)
    add_json(retry)
    retry.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Make the folder of the new campaign beside the old one's. Raises BulkmailError, and Refused."""
    statuses = _chosen(given.status, TAKEN_AGAIN, "status of rows that can be sent to again")
    categories = _chosen(given.category, tuple(map(str, Category)), "category")
    settings = load_settings(given.settings, os.getcwd())
    reader = open_reader(settings.spool)
    try:
        old = find_campaign(reader, given.name)
        check_ended(old)
        name, folder = _place(reader, old, given.new)
        counts = _make(reader, old, name, folder, statuses, categories)
    finally:
        reader.close()
    rows = counts.total()
    if given.json:
        say_json({"campaign": name, "folder": folder, "rows": rows, "by_status": dict(counts), "from": old.name})
        return DONE
    told = ", ".join(f"{count:,} {status}" for status, count in counts.most_common())
    say(f"{name}: {rows:,} {'row' if rows == 1 else 'rows'} of {old.name} ({told}), in {folder}")
    if counts["unknown"]:
        say("The rows that are unknown may have the message, and would then get it a second time.")
    if counts["bounced"]:
        say("The rows that are bounced have bad addresses; receivers count mail to these against you.")
    shown = os.path.relpath(folder)
    say(f"Look at its files, then: bulkmail check {shown}; to send it: bulkmail send {shown}")
    say(f"A machine sends it with twistd -n bulkmail -c {shown}; in a watched folder it is taken up by itself.")
    return DONE


def _chosen(given: str | None, known: Sequence[str], what: str) -> frozenset[str]:
    words = frozenset(word.strip() for word in (given or "").split(",") if word.strip())
    for word in sorted(words):
        if word not in known:
            near = get_close_matches(word, known, 1, 0.75)
            remedy = f"did you mean {near[0]}?" if near else f"write some of {', '.join(known)}"
            raise BulkmailError(f"{word!r} is not a {what}; {remedy}")
    return words


def _place(reader: Reading, old: CampaignRow, wanted: str | None) -> tuple[str, str]:
    """Return the name of the new campaign and its folder. Raises BulkmailError where there is one already."""
    parent = os.path.dirname(os.path.abspath(old.folder))
    taken = {row.name for row in reader.campaigns()}
    if wanted is not None:
        try:
            check_campaign_name(wanted)
        except ValueError as error:
            raise BulkmailError(f"--as: {error}") from None
        if wanted in taken:
            raise BulkmailError(f"the spool has a campaign {wanted!r} already; give another name with --as")
        folder = os.path.join(parent, wanted)
        if os.path.lexists(folder):
            raise BulkmailError(f"{folder} is there already; give another name with --as")
        return wanted, folder
    number = 1
    while True:
        name = f"{old.name[:80]}-retry" + (f"-{number}" if number > 1 else "")
        folder = os.path.join(parent, name)
        if name not in taken and not os.path.lexists(folder):
            return name, folder
        number += 1


def _make(
    reader: Reading, old: CampaignRow, name: str, folder: str, statuses: frozenset[str], categories: frozenset[str]
) -> Counter[str]:
    """Make the folder, whole or not at all; return how many rows of each status it takes."""
    if not os.path.isdir(old.folder):
        raise BulkmailError(
            f"the folder of {old.name} is gone ({old.folder}); make a new campaign with `recipients: {{rest_of: "
            f"{old.name}}}`"
        )
    campaign = load_campaign(old.folder)
    counts: Counter[str] = Counter()

    def wanted(status: str, category: str) -> bool:
        chosen = status in statuses if statuses else can_be_tried_again(status, category)
        return chosen and (not categories or category in categories)

    def counted(found: Iterator[list[RecipientRow]]) -> Iterator[list[RecipientRow]]:
        for rows in found:
            counts.update([row.status for row in rows])
            yield rows

    # a hidden folder until it is whole: one that appears in a watched folder is sent
    aside = os.path.join(os.path.dirname(folder), f".{name}.part")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        path = copy_campaign(campaign, aside, name)
        with open(path, "xb", buffering=1 << 18) as file:
            write_list(file.write, files_of(reader, old.id), counted(batches(reader, old.id, wanted)))
        if not counts:
            raise BulkmailError(f"no row of {old.name} is {_described(statuses, categories)}; see `bulkmail status`")
        os.rename(aside, folder)
    except OSError as error:
        raise BulkmailError(f"{folder} cannot be made: {error.strerror}") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return counts


def _described(statuses: frozenset[str], categories: frozenset[str]) -> str:
    words = " or ".join(sorted(statuses)) or "one that can be tried again"
    return f"{words} with the category {' or '.join(sorted(categories))}" if categories else words
