"""Sessions that tell what is said in them, for people who look: commands, replies, and of a message its size only.

Most sessions are not looked at, so a `Pipeline` and a `ReplyReader` tell nothing and pay nothing for it. For one that
is, `telling` puts others in their place, which tell what is taken to be written and what was read, as it passes.

What is never told: a message, and what of a sign-in (RFC 4954) could serve to sign in: the responses, and the texts of
the challenges, in which a server can say a response again. Of AUTH its mechanism is told, of each of these lines `***`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from itertools import islice
from typing import TypeAlias, TypeVar

from bulkmail.mail import Reply
from bulkmail.smtp.pipeline import Pipeline
from bulkmail.smtp.replies import ReplyReader
from bulkmail.smtp.table import Slot

MASK = "***"


class What(StrEnum):
    """What a line tells of."""

    COMMAND = "command"
    REPLY = "reply"
    MESSAGE = "message"  # its size, once its last byte is taken to be written
    NOTE = "note"  # what is not said in SMTP: a connection is established, under TLS, closed


Tell: TypeAlias = Callable[[What, str], None]
"""Called with a line that was said. The text may hold anything that the caller of a session put into a command."""

Hidden: TypeAlias = Callable[[str], str]

T = TypeVar("T")


class TellingPipeline(Pipeline):
    """Tells what is taken. ``hidden``: gives a text without the secrets that are in it."""

    __slots__ = ("hidden", "tell")

    hidden: Hidden
    tell: Tell

    def take(self) -> bytes:
        """Take the bytes to be written now, and tell them."""
        waiting = list(self._out)
        slots = iter([slot for slot, _ in islice(self.owed, self.asked, None)])
        data = super().take()
        for said, asks, body in waiting[: len(waiting) - len(self._out)]:
            owing = list(islice(slots, asks))  # one for each of its commands, or for the message
            if body:
                self.tell(What.MESSAGE, f"{len(said):,} bytes")
                continue
            for line in said.decode().split("\r\n")[:-1]:
                self.tell(What.COMMAND, _masked(line) if owing == [Slot.AUTH] else self.hidden(line))
        return data


class TellingReader(ReplyReader):
    """Tells each reply. ``line``: what the replies are owed for."""

    __slots__ = ("hidden", "line", "tell")

    hidden: Hidden
    line: Pipeline
    tell: Tell

    def next(self) -> Reply | None:
        """Return the next complete reply, or None while there is none, and tell it. Raises MalformedReply."""
        reply = super().next()
        if reply is not None:
            challenge = reply.code // 100 == 3 and self.line.oldest is Slot.AUTH
            *before, last = (MASK,) if challenge else reply.lines or ("",)
            for text in before:
                self.tell(What.REPLY, f"{reply.code}-{self.hidden(text)}")
            self.tell(What.REPLY, f"{reply.code} {self.hidden(last)}".rstrip())
        return reply


def telling(line: Pipeline, reader: ReplyReader, tell: Tell | None, hidden: Hidden) -> tuple[Pipeline, ReplyReader]:
    """Return what is in the place of both from now on; with None for ``tell`` they tell nothing any more."""
    if tell is None:
        return _as(Pipeline, line, Pipeline), _as(ReplyReader, reader, ReplyReader)
    telling_line = _as(TellingPipeline, line, Pipeline)
    telling_reader = _as(TellingReader, reader, ReplyReader)
    telling_line.tell = telling_reader.tell = tell
    telling_line.hidden = telling_reader.hidden = hidden
    telling_reader.line = telling_line
    return telling_line, telling_reader


def _as(wanted: type[T], one: object, of: type) -> T:
    """Return another one with the same state, which is in the fields of the class ``of``."""
    other = wanted.__new__(wanted)
    for name in of.__slots__:  # type: ignore[attr-defined]
        setattr(other, name, getattr(one, name))
    return other


def _masked(line: str) -> str:
    """Return a line of a sign-in without its responses: the command and mechanism, ``*``, or nothing of it."""
    verb, _, rest = line.partition(" ")
    if verb != "AUTH":
        return line if line == "*" else MASK
    mechanism, _, response = rest.partition(" ")
    return f"AUTH {mechanism} {MASK}" if response else f"AUTH {mechanism}"
