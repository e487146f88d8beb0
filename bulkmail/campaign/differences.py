"""What changed between two runs of one campaign, in sentences.

Only what enters a message is compared; the recipients have their own check, for a list may grow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import file_digest, sha256
from typing import Any

from bulkmail.campaign.includes import includes_used
from bulkmail.campaign.links import link_words
from bulkmail.campaign.locales import letters_of
from bulkmail.campaign.model import Campaign
from bulkmail.campaign.named_list import NamedList
from bulkmail.campaign.reading import sender_domain
from bulkmail.campaign.ways_back import words_of
from bulkmail.mail import Problem, Refused

_ORDER = "the order of the attachments"
_SIGNED = "dkim "
# These enter no message: a change of them is taken without being asked about.
_SCHEDULE, _PRIORITY, _SOURCES, _CANARY = "schedule", "priority", "sources", "canary"
_PICKING = ("consent", "where", "sample", "limit", "order_by")
ONE_FOR_ALL = "one message for everybody"
"""Cannot be accepted as a change: which Message-ID a recipient's message has depends on it."""


def picked_by(campaign: Campaign) -> dict[str, Any]:
    """Return the keys that say which rows of the lists are mailed, where they are not as they are by default."""
    found = {key: value for key in _PICKING if (value := getattr(campaign, key)) != Campaign.model_fields[key].default}
    named = {str(name): name.email for name in campaign.recipients if isinstance(name, NamedList) and name.email}
    return {**found, **({"email": named} if named else {})}


def picks(change: str) -> bool:
    """Return whether a sentence of `changes` is about which rows of the lists are mailed.

    Such a change cannot be accepted once rows were read: these have been judged by what it was before.
    """
    return change.startswith(tuple(f"`{key}` " for key in (*_PICKING, "email", "variants")))


def digests(campaign: Campaign, content: Mapping[str, Any]) -> dict[str, str]:
    """Return the SHA-256 (hex) of each thing that enters a message, by its name in words for people."""
    found: dict[str, str] = {}

    def add(name: str, value: str | bytes | None) -> None:
        if value is not None:
            data = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
            found[name] = sha256(found.get(name, "").encode("ascii") + data).hexdigest()

    for name, value in _of_letters(content):
        add(name, value)
    if campaign.locale is not None:
        add("locale", json.dumps([campaign.locale.column, campaign.locale.fallback]))
    for name, source in includes_used(dict(content)).items():
        add(name, source)
    letter = content.get("letter") or {}
    for name, data in letter.get("pictures", ()):
        add(f"picture {name}", data)
    for key in ("inline_css", "preheader"):
        if letter.get(key):
            add(f"html.{key}", str(letter[key]))
    for name, value in _parts(content):
        add(name, value)
    for name, (_, data) in zip(campaign.fixed_attachments, content["attachments"], strict=True):
        add(f"attachment {name}", data)
    for _, name in campaign.row_attachments:
        add(f"attachment {name}", name)  # what the files hold is read when each message is composed
    if len(campaign.attachments) > 1:
        add(_ORDER, "\0".join(campaign.attachments))
    for key in ("from", "subject", "to", "reply_to", "envelope_from"):
        add(key, content.get(key))
    for name, value in words_of(content).items():
        add(name, value)
    if content.get("same_for_all"):
        add(ONE_FOR_ALL, "")
    for name, value in content["headers"].items():
        add(f"header {name}", value)
    for name, value in (content["unsubscribe"] or {}).items():
        add(f"unsubscribe {name}", value)
    for name, value in content["defaults"].items():
        add(f"default {name}", value)
    if content.get("schedule") is not None:
        add(_SCHEDULE, json.dumps(content["schedule"], sort_keys=True))
    if (priority := content.get("priority", "normal")) != "normal":
        add(_PRIORITY, priority)
    add(_SOURCES, content.get("sources") or None)
    if campaign.canary != Campaign.model_fields["canary"].default:
        add(_CANARY, json.dumps(content["canary"], sort_keys=True))
    for key, value in picked_by(campaign).items():
        add(f"`{key}`", json.dumps(value, sort_keys=True))
    domain = sender_domain(content["from"])
    for dkim in content["dkim"]:
        if domain == dkim["domain"] or domain.endswith("." + dkim["domain"]):
            add(f"{_SIGNED}{dkim['domain']} {dkim['selector']}", "")
    return found


def _parts(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is added to the letters, as names and values."""
    yield from link_words(content).items()
    for key, value in (content.get("invitation") or {}).items():
        if value:
            yield f"invitation.{key}", str(value)


def _of_letters(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what differs from letter to letter, each by what people call it."""
    variants = content.get("variants")
    told: set[tuple[str, str]] = set()
    for letter in letters_of(content) or [content]:
        for part in ("html", "text"):
            name = letter[f"{part}_name"]
            if letter[part] is not None and (part, name) not in told:
                yield name, f"{part}\0{letter[part]}"
                told |= {(part, name)} if variants else set()
        if letter.get("subject_key", "subject") != "subject":
            yield letter["subject_key"], letter["subject"]
        if "from_key" in letter:
            yield letter["from_key"], letter["from"]
    if variants:
        yield "`variants`", json.dumps(variants["shares"])


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return one sentence for each difference between two digests; none where the messages would be the same."""
    told_old, told_new = ({name for name in names if not _is_silent(name)} for names in (old, new))
    sentences = [f"{name} changed" for name in old if name in told_old & told_new and old[name] != new[name]]
    sentences += [f"{name} was removed" for name in old if name in told_old - told_new]
    sentences += [f"{name} was added" for name in new if name in told_new - told_old]
    same = {name for name in old if name.startswith("attachment ")} == {n for n in new if n.startswith("attachment ")}
    if same and old.get(_ORDER) != new.get(_ORDER):
        sentences.append(f"{_ORDER} changed")
    return sentences


def _is_silent(name: str) -> bool:
    """Return whether it may change unasked; a key that signs is the operator's, and no part of the text."""
    return name in (_ORDER, _SCHEDULE, _PRIORITY, _SOURCES, _CANARY) or name.startswith(_SIGNED)


def content_hash(campaign: Campaign, content: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of all that a person approves: keys, what enters a message, lists. Reads the lists.

    Raises Refused where a list cannot be read.
    """
    found = sha256(json.dumps(campaign.file.value, sort_keys=True, default=str).encode())
    found.update(json.dumps(digests(campaign, content), sort_keys=True).encode())
    for path in (*campaign.recipient_paths, *campaign.suppress_paths):
        try:
            with open(path.open(), "rb") as file:
                found.update(file_digest(file, "sha256").digest())
        except (OSError, ValueError) as error:
            raise Refused([Problem(path, 0, 0, str(error))]) from None
    return found.hexdigest()
