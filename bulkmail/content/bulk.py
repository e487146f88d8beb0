"""The fields of bulk mail: List-Unsubscribe (RFC 2369, RFC 8058), List-Id (RFC 2919), Feedback-ID."""

from __future__ import annotations

import re
from base64 import b32encode
from hashlib import blake2b
from urllib.parse import quote

from bulkmail.content.headers import LONGEST, phrase, structured
from bulkmail.content.templates import RowError
from bulkmail.content.uri import ascii_url
from bulkmail.mail import Address

ONE_CLICK = ("List-Unsubscribe-Post", b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n")
"""RFC 8058 3.1; only beside an https URL, and only under the signature."""

_LONGEST_URL = LONGEST - len("List-Unsubscribe: <>,")
_LIST_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)+", re.ASCII)
_REMEDY = "use {{ value|urlencode }}"
_ASCII_LOCAL = "!$'*+-._~"  # RFC 6068 2, the rest is %-encoded


def link(text: str, *, fragment: bool = False) -> str:
    """A rendered unsubscribe URL in ASCII. Raises RowError for what would break its field, or lead elsewhere.

    ``fragment``: the author wrote a ``#`` himself. One that a row's value brings cuts off what stands behind it, the
    token too: browsers do not send that part to the server (RFC 3986 3.5).
    """
    text = text.strip()
    if not text.startswith("https://") or len(text) < len("https://x"):
        raise RowError("unsubscribe.url: the URL does not begin with https://")
    if "#" in text and not fragment:
        raise RowError("unsubscribe.url: the URL has '#' in it, and servers do not see what stands behind; " + _REMEDY)
    try:
        url = ascii_url(text)
    except ValueError as error:
        raise RowError(f"unsubscribe.url: {error}") from None
    if len(url) > _LONGEST_URL:
        raise RowError(f"unsubscribe.url: the URL is longer than {_LONGEST_URL} characters")
    return url


def mailto(address: Address) -> str:
    """``mailto:`` URL of the unsubscribe mailbox (RFC 6068), but for the token at its end that says who wants out."""
    return f"mailto:{quote(address.local, safe=_ASCII_LOCAL)}@{address.domain}?subject=unsubscribe-"


def list_unsubscribe(*urls: str) -> bytes:
    """RFC 2369 3.2: the https URL first, then the mailto URL."""
    return structured("List-Unsubscribe", *[f"<{url}>" for url in urls])


def list_id(text: str, campaign: str, domain: str) -> bytes:
    """The List-Id field (RFC 2919) from ``Readers <readers.example.com>``, a bare id, or the campaign's name."""
    display, identifier = split_list_id(text)
    if not identifier:
        slug = re.sub(r"[^a-z0-9]+", "-", campaign.lower()).strip("-")[:60] or "campaign"
        identifier = f"{slug}.{domain}"
    return phrase("List-Id", display, f"<{identifier}>")


def split_list_id(text: str) -> tuple[str, str]:
    """``(words for people, id)``."""
    display, bracket, rest = text.strip().partition("<")
    if not bracket:
        return "", display.strip()
    return display.strip().strip('"'), rest.removesuffix(">").strip()


def is_list_id(identifier: str) -> bool:
    """Whether it is two or more dot-separated atoms of at most 255 characters (RFC 2919 2)."""
    return len(identifier) <= 255 and _LIST_ID.fullmatch(identifier) is not None


def feedback_id(campaign_token: str, domain: str) -> bytes:
    """``campaign:::sender`` for Gmail's reports: at most 4 fields, a stable sender id of 5 to 15 characters."""
    sender = re.sub(r"[^a-z0-9]", "", domain)
    if not 5 <= len(sender) <= 15:
        sender = b32encode(blake2b(domain.encode("ascii"), digest_size=10).digest()).decode("ascii")[:12].lower()
    return structured("Feedback-ID", f"{campaign_token}:::{sender}")
