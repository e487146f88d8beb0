"""A campaign's folder once more under another name: its files without its lists, its report and its marks."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat

import yaml

from bulkmail.campaign.files import CAMPAIGN_FILE, walk
from bulkmail.campaign.model import Campaign
from bulkmail.campaign.starter import INVENTED
from bulkmail.files import Folder
from bulkmail.mail import BulkmailError

_LIST = "recipients.csv"
_AGAIN = "recipients.csv has the rows of the earlier campaign that are sent to again"


def copy_campaign(campaign: Campaign, target: str, name: str) -> str:
    """Copy the campaign's files into the new folder ``target``; return the path at which its list is to be written.

    campaign.yaml gets the new name and that list, and is the same otherwise, comments included, but for what `bulkmail
    init` has written there of its folder and its list; and where it does not say what people unsubscribe from, the copy
    says that it is the same as before. Left out are the lists of recipients, and what this program and
    people put beside them while it was sent. Raises OSError, BulkmailError.
    """
    source = campaign.folder
    os.mkdir(target)
    lists = {os.path.normpath(name) for name in campaign.recipients}
    for path, status, link in walk(campaign.opened):
        if status is None or os.path.normpath(path) in lists:
            continue
        os.makedirs(os.path.dirname(os.path.join(target, path)), exist_ok=True)
        if link:
            os.symlink(link, os.path.join(target, path))
        elif stat.S_ISREG(status.st_mode):
            shutil.copyfile(os.path.join(source, path), os.path.join(target, path), follow_symlinks=False)
    path = os.path.join(target, _LIST)
    if os.path.lexists(path):
        there = os.path.join(source, _LIST)
        raise BulkmailError(
            f"{there} is not the list of this campaign, and the new one needs its name; rename it first"
        )
    text = Folder.open(source).read(CAMPAIGN_FILE, len(campaign.file.path) + 1_000_000).decode("utf-8-sig")
    with open(os.path.join(target, CAMPAIGN_FILE), "w", encoding="utf-8", newline="") as file:
        text = with_values(text, {"name": name, "recipients": _LIST})
        if campaign.list_name is None:
            text = _with_list(text, json.dumps(campaign.listed))
        file.write(_with_remarks(text, {campaign.name, os.path.basename(source)}, name))
    return path


def _with_remarks(text: str, old: set[str], new: str) -> str:
    """Return campaign.yaml with the remarks that `bulkmail init` has made about ``old`` being about ``new``."""
    names = "|".join(map(re.escape, sorted(old)))
    text = re.sub(rf"(?m)^(#\s+bulkmail [a-z]+ )(?:{names})(?=\s|$)", lambda found: found[1] + new, text)
    return text.replace(f"# {INVENTED}:", f"# {_AGAIN}:")


def _with_list(text: str, listed: str) -> str:
    """Return campaign.yaml with the key ``list`` behind its name, so that who has left the one stays away from both."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode), "a campaign that was loaded is a mapping"
    key, value = next((key, value) for key, value in root.value if key.value == "name")
    if root.flow_style:
        return f"{text[: value.end_mark.index]}, list: {listed}{text[value.end_mark.index :]}"
    start = text.find("\n", value.end_mark.index)
    head, tail = (text, "") if start < 0 else (text[:start], text[start:])
    return f"{head}\n{' ' * key.start_mark.column}list: {listed}{tail}"


def with_values(text: str, values: dict[str, str]) -> str:
    """Return the YAML ``text``, a mapping, with other plain values for some of its keys, and all else as it is."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode), "a campaign that was loaded is a mapping"
    places = [(node.start_mark.index, _end(node), values[key.value]) for key, node in root.value if key.value in values]
    for start, end, value in sorted(places, reverse=True):
        text = text[:start] + value + text[end:]
    return text


def _end(node: yaml.Node) -> int:
    """Return the index where a value's text ends; for one over several lines the parser names the next key's place."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    end: int = node.end_mark.index
    return end
