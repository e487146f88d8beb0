"""Where a message comes back to: its return path, and the address for complaints (RFC 9477).

With an inbound server of our own each of these addresses holds the recipient's token, so that whatever comes back
finds its row, also where it names no address or another one. They are derived, so a retry has the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bulkmail.content.dkim import SigningKey, keys_for, matches
from bulkmail.content.headers import LINE, parse_mailbox
from bulkmail.mail import BOUNCES, COMPLAINTS, Address, own_address, parse_address, token

CFBL_ADDRESS, CFBL_FEEDBACK_ID = "CFBL-Address", "CFBL-Feedback-ID"
_OURS = frozenset({CFBL_ADDRESS.lower(), CFBL_FEEDBACK_ID.lower()})


def signing_keys(domain: str, inbound: str, entries: Iterable[Mapping[str, Any]]) -> list[SigningKey]:
    """Return the keys that sign messages whose From is at ``domain``: its own, and one for the inbound domain.

    The latter only where complaints are asked for at a domain that neither From nor a key of it stands for: then both
    owners have to sign (RFC 9477, "third-party address"). ``inbound``: "" without an inbound server.
    Raises DkimKeyError.
    """
    entries = tuple(entries)
    keys = keys_for(domain, entries)
    if keys and inbound and not _stands_for(domain, keys, inbound):
        keys += keys_for(inbound, entries)
    return keys


def asks_for_complaints(domain: str, inbound: str, keys: Iterable[SigningKey]) -> bool:
    """Return whether receivers may send complaints of messages signed so to ``inbound``; else they ignore the field."""
    keys = tuple(keys)
    return bool(inbound and keys) and _stands_for(domain, keys, inbound)


def _stands_for(domain: str, keys: Iterable[SigningKey], inbound: str) -> bool:
    return matches(inbound, domain) or any(matches(inbound, key.domain) for key in keys)


class WaysBack:
    """The ways back of one campaign's messages. ``keys``: those that sign them."""

    def __init__(self, content: Mapping[str, Any], author: Address, keys: Iterable[SigningKey]) -> None:
        self._domain: str = content.get("inbound", "")
        own = content["envelope_from"] or (None if self._domain else str(author))
        self._fixed = None if own is None else str(parse_address(own))
        if self._fixed is None and content.get("bounces") == "shared":
            mark: str = content.get("token_mark", "")
            self._fixed = own_address(BOUNCES, mark + token(content["key"], 0), self._domain)
        own_fields = _OURS & {name.lower() for name in content["headers"]}
        self._complaints = not own_fields and asks_for_complaints(author.domain, self._domain, keys)

    def sender(self, token: str) -> str:
        """Return the return path (MAIL FROM) of the message with this token."""
        return self._fixed or own_address(BOUNCES, token, self._domain)

    @property
    def own_for_each(self) -> bool:
        """Whether each recipient has a return path of its own."""
        return self._fixed is None

    def complaint_fields(self, token: str) -> dict[str, bytes]:
        """Return the fields that ask receivers for complaints; none where these could not come back."""
        if not self._complaints:
            return {}
        line = f"{CFBL_ADDRESS}: {own_address(COMPLAINTS, token, self._domain)};"
        fold = " " if len(line) + len(" report=arf") <= LINE else "\r\n "
        return {
            CFBL_ADDRESS: f"{line}{fold}report=arf\r\n".encode("ascii"),
            CFBL_FEEDBACK_ID: f"{CFBL_FEEDBACK_ID}: {token}\r\n".encode("ascii"),
        }


def return_path(content: Mapping[str, Any]) -> Callable[[str], str]:
    """Return what gives the return path of a campaign's message for its token."""
    return WaysBack(content, parse_mailbox(content["from"])[1], ()).sender
