"""``bulkmail init``: a campaign's folder to start from."""

from __future__ import annotations

import argparse
import os

from bulkmail.campaign import is_campaign_name, nearest_name, starter_files
from bulkmail.commands.terminal import Commands, add_json, add_settings, say, say_json
from bulkmail.exit_status import DONE
from bulkmail.mail import BulkmailError

_FOR_PEOPLE, _READABLE = 0o755, 0o644


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    init = commands.add_parser("init", help="make the folder of a new campaign, with an example to change")
    init.add_argument("name", metavar="NAME", help="the campaign's name, which becomes the folder's; or a path to it")
    add_settings(init)
    add_json(init)
    init.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Make the folder and its files. Raises BulkmailError for a name that is not allowed or a folder that exists."""
    around, name = os.path.split(given.name.rstrip("/"))
    if not is_campaign_name(name):
        near = nearest_name(name)
        offer = f"; write {os.path.join(around, near)}" if near else ""
        raise BulkmailError(
            f"{name!r} cannot be a campaign's name: it has 1 to 100 letters, digits and . _ - and does not start with "
            f". or -{offer}"
        )
    folder = os.path.join(around, name)
    try:
        os.mkdir(folder)
        os.chmod(folder, _FOR_PEOPLE)  # whatever the umask
        made = starter_files(name)
        for file, data in made.items():
            _write(os.path.join(folder, file), data)
    except FileExistsError:
        raise BulkmailError(f"{folder} exists already; give another name, or change what is in it") from None
    except OSError as error:
        raise BulkmailError(f"{folder} cannot be made: {error.strerror}") from None
    if given.json:
        say_json({"name": name, "folder": os.path.abspath(folder), "files": list(made)})
        return DONE
    say(f"{folder}: made, with {', '.join(made)}")
    say("Change campaign.yaml, the templates and the list; then")
    say(f"  bulkmail check {folder}             finds what is wrong with it")
    say(f"  bulkmail preview {folder} --open    shows the messages in your browser")
    say("The steps after these stand in campaign.yaml.")
    return DONE


def _write(path: str, data: bytes) -> None:
    with open(path, "xb") as file:
        file.write(data)
    os.chmod(path, _READABLE)
