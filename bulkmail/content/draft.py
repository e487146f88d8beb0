"""A message between the steps of composing: what its templates printed, and the same but for its signatures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bulkmail.content.dkim import Unsigned, signed
from bulkmail.content.mime import Body
from bulkmail.content.templates import RowError
from bulkmail.mail import plain_lines

SIZE_CAP = 25_000_000
"""Bytes of a message; larger ones are refused by the large providers anyway."""


class Rendered(NamedTuple):
    """The templates rendered for one row."""

    token: str
    date: int
    fields: dict[str, bytes]
    html: list[str]
    text: list[str]
    attached: Sequence[str] = ()  # the files that this row alone carries
    invitation: str = ""
    letter: tuple[str, ...] = ()  # which one, where there are several: of a variant, of a locale


class Draft(NamedTuple):
    """A message that lacks only its signatures."""

    unsigned: list[Unsigned]
    head: bytes
    body: Body

    def signed(self) -> bytes:
        """Return the complete message. Raises RowError when it is too large."""
        return self.complete(signed(self.unsigned))

    def complete(self, signatures: bytes) -> bytes:
        """Return the message with these signatures. Raises RowError when it is too large."""
        head = signatures + self.head
        if not plain_lines(head):  # the event loop relies on it, and has no time to look itself
            raise RowError("the header has a line that must not be sent as it is; this is a mistake of bulkmail")
        message = b"".join([head, *self.body.chunks()])
        if len(message) > SIZE_CAP:
            raise RowError(f"the message has {len(message):,} bytes, more than the {SIZE_CAP:,} that providers take")
        return message
