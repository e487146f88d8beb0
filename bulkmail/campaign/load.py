"""From a path to a Campaign."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any

from bulkmail.campaign.files import CAMPAIGN_FILE
from bulkmail.campaign.model import Campaign
from bulkmail.campaign.template import Place
from bulkmail.files import FileId, Folder, MissingFileError
from bulkmail.mail import Problem, Refused
from bulkmail.yamlfile import MAX_BYTES, YamlFile, load, validate

_LOOKED_AT = 1_000  # entries of a folder
_SHOWN = 5  # campaigns that are named
_NO_YAML = frozenset({".csv", ".tsv", ".txt", ".xlsx", ".xls", ".ods", ".jsonl", ".html", ".j2"})
"""How files of a campaign end that are given in place of it."""


def load_campaign(
    path: str, *, follow: bool = True, spool: str = "", databases: Mapping[str, str] | None = None
) -> Campaign:
    """Return the campaign in the file or folder at ``path``. Raises Refused with every problem found.

    Checked are the keys and the files they name. What the templates say is checked by `snapshot`. ``follow``: whether
    the folder may be a link. ``spool``: of the earlier campaigns of which it may take lists (`Campaign.earlier`).
    ``databases``: which it may ask for lists, by name; None: the answers must be there.
    """
    if os.path.isdir(path):
        path = os.path.join(path, CAMPAIGN_FILE)
    where, name = os.path.split(path)
    if os.path.splitext(name)[1].lower() in _NO_YAML and os.path.isfile(path):
        raise Refused([Problem(path, 0, 0, f"this is no campaign; give its folder, or the {CAMPAIGN_FILE} in it")])
    try:
        folder = Folder.open(os.path.abspath(where), follow=follow)
        data = folder.read(name, MAX_BYTES)
    except FileNotFoundError:
        above, called = os.path.split(os.path.abspath(where))
        raise Refused([Problem(where, 0, 0, f"this folder does not exist{_nearest(above, called)}")]) from None
    except OSError as error:
        raise Refused([Problem(path, 0, 0, f"its folder cannot be opened ({error.strerror})")]) from None
    except ValueError as error:
        near = os.path.join(where, "campaign.yml")
        if isinstance(error, MissingFileError) and name == CAMPAIGN_FILE and os.path.exists(near):
            raise Refused([Problem(near, 0, 0, "rename this file to campaign.yaml")]) from None
        if isinstance(error, MissingFileError) and (found := _nearest(where, name)):
            raise Refused([Problem(path, 0, 0, f"it does not exist{found}")]) from None
        if isinstance(error, MissingFileError) and name == CAMPAIGN_FILE:
            raise Refused([Problem(path, 0, 0, f"it does not exist{_campaigns_in(where)}")]) from None
        raise Refused([Problem(path, 0, 0, f"the file {str(error).removeprefix(f'{name} ')}")]) from None
    file = load(path, data)
    return validate(file, Campaign, Place(folder, file, spool=spool, databases=databases))


def _nearest(where: str, name: str) -> str:
    """Return the question whether a campaign's folder of a similar name was meant; "" where there is none."""
    folders = _campaign_folders(where)
    near = get_close_matches(name, [folder for folder in folders if folder.isprintable()], 1)
    return f"; did you mean {near[0]}?" if near else ""


def _campaigns_in(where: str) -> str:
    """Return which campaigns' folders are in ``where``, or how one is made."""
    found = sorted(filter(str.isprintable, _campaign_folders(where)))
    if not found:
        return "; `bulkmail init NAME` makes a campaign's folder with one"
    more = ", …" if len(found) > _SHOWN else ""
    return f"; a campaign is a folder with it, and here are {', '.join(found[:_SHOWN])}{more}"


def _campaign_folders(where: str) -> list[str]:
    """Return the folders in ``where`` that have a campaign.yaml."""
    try:
        with os.scandir(where or os.curdir) as listing:
            entries = list(islice(listing, _LOOKED_AT))
    except OSError:
        return []
    return [entry.name for entry in entries if os.path.isfile(os.path.join(entry.path, CAMPAIGN_FILE))]


def campaign_as_checked(file: YamlFile, folder: Folder, lists: Mapping[str, FileId], spool: str = "") -> Campaign:
    """Return the campaign in ``file``, whose files another process has checked, its lists with the ids in ``lists``."""
    return validate(file, Campaign, Place(folder, file, lists, spool))


def schema() -> dict[str, Any]:
    """Return the JSON Schema of campaign.yaml, for editors."""
    return Campaign.model_json_schema()
