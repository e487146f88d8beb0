"""Links that are counted: what stands in them, and who signs it.

``/c/<token>/<link>/<signature>?<target>``: the recipient's token, the link's id in its campaign (with ``-<variant>``
where it stands in a variant), and where it leads. The signature is a keyed BLAKE2b hash of all three with the key of
the spool, so such a link leads nowhere but to where the campaign wrote it to lead: nobody can make one that leads
elsewhere. 80 bits of it.
"""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Sequence
from hashlib import blake2b
from hmac import compare_digest
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

from bulkmail.mail.identity import KEY_SIZE, read_token

CLICKS = "/c/"
"""What the paths of counted links begin with."""

MOST_TARGET = 4000
"""Characters of a target as they stand in the link; longer links are not counted."""

_PERSON = b"click"
_LINK, _SIGNATURE = 5, 10  # bytes
_KEPT = "-._~:/"  # stand in a query as they are (RFC 3986 3.4)


class Click(NamedTuple):
    """A counted link that was asked for. ``number``: the row's, 0 where all recipients got the same message."""

    campaign_id: int
    number: int
    link: str
    variant: str
    target: str


class ClickCount(NamedTuple):
    """How often a link of a campaign was followed: by ``people``, and by ``scanners``, programs that look at links.

    ``label``: the link as its template has it, for people; "" where it is not known.
    """

    link: str
    variant: str
    people: int
    scanners: int
    label: str = ""


def link_id(label: str) -> str:
    """Return the id of a link by how its template has it: 8 characters of a-z and 2-7, the same after every start."""
    digest = blake2b(label.encode("utf-8", "surrogatepass"), digest_size=_LINK, person=_PERSON).digest()
    return b32encode(digest).decode("ascii").lower()


def quoted_target(target: str) -> str:
    """Return where a link leads, as it stands in the query of a counted one."""
    return quote(target, safe=_KEPT, errors="replace")


def click_path(key: bytes, token: str, place: str, quoted: str) -> str:
    """Return the path and query of a counted link behind `CLICKS`.

    ``key``: the spool's or the campaign's. ``place``: the link's id, with its variant as ``id-variant``. ``quoted``: of
    `quoted_target`.
    """
    return f"{token}/{place}/{_signature(key, token, place, quoted)}?{quoted}"


def read_click(spool_key: bytes, path: bytes, query: bytes) -> Click | None:
    """Return what a counted link stands for: ``path`` behind `CLICKS`. None where its signature is not right.

    Mail programs may have encoded more or less of the query, or put parameters or a full stop behind it.
    """
    parts = path.decode("ascii", "replace").split("/")
    if len(parts) != len(("token", "place", "signature")):
        return None
    token, place, signature = parts
    read = read_token(spool_key, token)
    if read is None:
        return None
    try:
        target = unquote_to_bytes(query.partition(b"&")[0]).decode("utf-8")
    except UnicodeDecodeError:
        return None
    link, _, variant = place.partition("-")
    for one in (target, target.rstrip(".,;:!?)>]}'\"")):
        right = _signature(spool_key, token.lower(), place, quoted_target(one))
        if compare_digest(right.encode(), signature.lower().encode()):
            return Click(*read, link, variant, one)
    return None


def clicks_by_variant(counts: Sequence[ClickCount]) -> dict[str, int]:
    """Return how often people followed the links of each variant; "" for messages in none."""
    found: dict[str, int] = {}
    for one in counts:
        found[one.variant] = found.get(one.variant, 0) + one.people
    return found


def _signature(key: bytes, token: str, place: str, quoted: str) -> str:
    signed = f"{token}/{place}?{quoted}".encode()
    # in hexadecimal: Base32 would take five times as long, and each message has many of them
    return blake2b(signed, key=key[:KEY_SIZE], digest_size=_SIGNATURE, person=_PERSON).hexdigest()
