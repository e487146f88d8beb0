"""Where settings come from: a file, or nowhere."""

from __future__ import annotations

import os
import stat
from typing import Any

from bulkmail.files import open_regular, read_open
from bulkmail.mail import Problem, Refused
from bulkmail.settings.sections import Settings
from bulkmail.settings.values import Reading
from bulkmail.yamlfile import MAX_BYTES, load, validate

DEFAULT_FILE = "bulkmail.yaml"
_CAMPAIGN_FILES = ("campaign.yaml", "campaign.yml")


def load_settings(path: str | None = None, cwd: str = "", campaign: str | None = None) -> Settings:
    """Return the settings in the file at ``path``; else in ``bulkmail.yaml`` of ``cwd`` if that exists, else defaults.

    ``campaign`` is the path of the campaign that is asked for, relative to ``cwd``. Raises Refused with every problem
    found; one of them is a ``bulkmail.yaml`` that was not named and that another user may have written.
    """
    where = os.path.join(cwd, path or DEFAULT_FILE)
    folder = os.path.dirname(os.path.abspath(where))
    if path is None and not os.path.lexists(where):
        return Settings.model_validate({}, context=Reading(folder))
    file = load(where) if path is not None else load(where, _implied(where, folder, campaign))
    return validate(file, Settings, Reading(folder, file))


def _implied(where: str, folder: str, campaign: str | None) -> bytes:
    """Read a file that was not named. Settings can name a program to run, so it must be this user's own."""
    foreign = any(os.path.lexists(os.path.join(folder, name)) for name in _CAMPAIGN_FILES)
    if campaign is not None:
        named = os.path.join(folder, campaign)
        home = named if os.path.isdir(named) else os.path.dirname(named)
        # a folder's name that is mistyped is told by who reads the campaign
        there = os.path.lexists(named) or named.endswith((".yaml", ".yml"))
        foreign = foreign or (there and os.path.realpath(home) == os.path.realpath(folder))
    remedy = f"name it with --settings {where} where it is yours, or start from another folder"
    if foreign:
        words = f"it lies in a campaign's folder, so it is not taken for the operator's settings; {remedy}"
        raise Refused([Problem(where, 0, 0, words)])
    try:
        descriptor = open_regular(where)
        status = os.fstat(descriptor)
        data = read_open(descriptor, MAX_BYTES)
    except ValueError as error:
        raise Refused([Problem(where, 0, 0, f"the file {error}")]) from None
    if status.st_uid not in (os.geteuid(), 0):
        raise Refused([Problem(where, 0, 0, f"it belongs to another user (uid {status.st_uid}); {remedy}")])
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        words = f"other users may write to it (mode {stat.S_IMODE(status.st_mode):04o}); chmod go-w {where}"
        raise Refused([Problem(where, 0, 0, words)])
    return data


def schema() -> dict[str, Any]:
    """Return the JSON Schema of bulkmail.yaml, for editors."""
    return Settings.model_json_schema()
