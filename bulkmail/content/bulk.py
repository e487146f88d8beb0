"""The fields of bulk mail: List-Unsubscribe (RFC 2369, RFC 8058), List-Id (RFC 2919), Feedback-ID."""

from __future__ import annotations

import re
from base64 import b32encode
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

from bulkmail.content.headers import LONGEST, phrase, structured
from bulkmail.content.templates import RowError
from bulkmail.content.uri import ENCODE, LOCAL, ascii_url
from bulkmail.mail import TOKEN_SIZE, parse_address

MARKETING = "marketing"
"""The kind of a campaign's mail that is not transactional."""

ONE_CLICK = ("List-Unsubscribe-Post", b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n")
"""RFC 8058 3.1; only beside an https URL, and only under the signature."""

_LONGEST_URL = LONGEST - len("List-Unsubscribe: <>,")
_LIST_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)+", re.ASCII)
_TOKEN_TAG = re.compile(r"\{\{[-+]?\s*token\s*[-+]?\}\}")
_SAMPLE = "t" * (len("test-") + TOKEN_SIZE)  # the longest token: that of a test message


def link(text: str, *, fragment: bool = False) -> str:
    """Return a rendered unsubscribe URL in ASCII. Raises RowError for what would break its field, or lead elsewhere.

    ``fragment``: the author wrote a ``#`` himself. One that a row's value brings cuts off what stands behind it, the
    token too: browsers do not send that part to the server (RFC 3986 3.5).
    """
    text = text.strip()
    if not text.startswith("https://") or len(text) < len("https://x"):
        raise RowError("unsubscribe.url: the URL does not begin with https://")
    if "#" in text and not fragment:
        raise RowError("unsubscribe.url: the URL has '#' in it, and servers do not see what stands behind; " + ENCODE)
    try:
        url = ascii_url(text)
    except ValueError as error:
        raise RowError(f"unsubscribe.url: {error}") from None
    if len(url) > _LONGEST_URL:
        raise RowError(f"unsubscribe.url: the URL is longer than {_LONGEST_URL} characters")
    return url


def with_sample(text: str) -> str:
    """Return an address with the longest token there is in the place of its ``{{ token }}``."""
    return _TOKEN_TAG.sub(_SAMPLE, text)


def mailto(text: str) -> tuple[str, str]:
    """Return what stands before and behind the token in the ``mailto:`` URL of the unsubscribe mailbox (RFC 6068).

    ``text`` is an address, which has passed the check. The token that says who wants out stands where its local part
    has ``{{ token }}``, else in the subject.
    """
    address = parse_address(with_sample(text))
    url = f"mailto:{quote(address.local, safe=LOCAL)}@{address.domain}?subject=unsubscribe"
    before, sample, behind = url.partition(_SAMPLE)
    return (before, behind) if sample else (f"{url}-", "")


def list_unsubscribe(*urls: str) -> bytes:
    """Return the field that offers these ways out (RFC 2369 3.2): the https URL first, then the mailto URL."""
    return structured("List-Unsubscribe", *[f"<{url}>" for url in urls])


def constant_fields(content: Mapping[str, Any], campaign_token: str, domain: str) -> dict[str, bytes]:
    """Return the fields that say what kind of mail it is, by name; all messages of a campaign have the same.

    Transactional mail goes to no list: it has no List-Id, and no Precedence, but is told to be automatic (RFC 3834 5).
    """
    listed, kind = content.get("list") or content["name"], content.get("kind", MARKETING)
    fields = {"Feedback-ID": feedback_id(campaign_token, slug(listed), kind, domain)}
    if kind == MARKETING:
        fields = {"List-Id": list_id(content["list_id"], listed, domain), **fields}
        return {**fields, "Precedence": structured("Precedence", "bulk")}
    return {**fields, "Auto-Submitted": structured("Auto-Submitted", "auto-generated")}


def slug(name: str) -> str:
    """Return a list's name as a part of a List-Id: a-z, 0-9 and hyphens, at most 60."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "campaign"


def list_id(text: str, listed: str, domain: str) -> bytes:
    """Return the List-Id field (RFC 2919) from ``Readers <readers.example.com>``, a bare id, or the list's name."""
    display, identifier = split_list_id(text)
    return phrase("List-Id", display, f"<{identifier or f'{slug(listed)}.{domain}'}>")


def split_list_id(text: str) -> tuple[str, str]:
    """Return the words for people and the id that stand in a ``list_id`` of campaign.yaml."""
    display, bracket, rest = text.strip().partition("<")
    if not bracket:
        return "", display.strip()
    return display.strip().strip('"'), rest.removesuffix(">").strip()


def is_list_id(identifier: str) -> bool:
    """Return whether ``identifier`` is two or more dot-separated atoms of at most 255 characters (RFC 2919 2)."""
    return len(identifier) <= 255 and _LIST_ID.fullmatch(identifier) is not None


def feedback_id(campaign_token: str, listed: str, kind: str, domain: str) -> bytes:
    """Return the Feedback-ID, ``campaign:list:kind:sender``, by which Gmail reports complaints.

    The sender's id is last, the same for all campaigns, of 5 to 15 characters. Gmail counts by each of the others
    alone, so no two of them may be the same.
    """
    sender = re.sub(r"[^a-z0-9]", "", domain)
    if not 5 <= len(sender) <= 15:
        sender = b32encode(blake2b(domain.encode("ascii"), digest_size=10).digest()).decode("ascii")[:12].lower()
    listed = f"list-{listed}" if listed in (campaign_token, kind, sender) else listed
    return structured("Feedback-ID", f"{campaign_token}:{listed}:{kind}:{sender}")
