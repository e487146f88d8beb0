"""What the rehearsed exchangers took, on disk: for tests that compare it with the report.

``received.jsonl``: one line for each recipient of each message kept, ``messages.bin``: the messages' bytes, one after
the other, dots unstuffed. Written at least once a second and at the end.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as _quoted
from typing import NamedTuple

MESSAGES = "messages.bin"
RECEIVED = "received.jsonl"
_FLUSH_AT = 4_000_000  # bytes held back
_MESSAGE_ID = re.compile(rb"(?:\A|\r\n)message-id:[ \t]*(?:\r\n[ \t]+)?(<[^>\r\n]*>)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Received:
    """One recipient of one message. ``offset`` is None where the bytes were not kept."""

    at: float
    mx: str
    ip: str  # of the exchanger
    source_ip: str
    mail_from: str
    rcpt: str
    message_id: str
    size: int
    offset: int | None
    length: int
    tls: str
    answered: bool  # False: the sender was never told that it is kept


class ReceivedMessage(NamedTuple):
    """One message as an exchanger took it. ``at``: seconds since the epoch; ``ip``: of the exchanger."""

    at: float
    mx: str
    ip: str
    source_ip: str
    mail_from: str
    recipients: list[str]
    message: bytes  # the dots unstuffed
    tls: str  # such as TLSv1.3; empty in clear
    answered: bool  # False: the sender was never told that it is kept


def message_id_of(message: bytes) -> str:
    """Return the Message-ID, angle brackets included; ``""`` where there is none."""
    start = message.find(b"\r\nMessage-ID: <")
    head = 0 if message.startswith(b"\r\n") else message.find(b"\r\n\r\n")
    if 0 <= start < head:
        end = message.find(b"\r\n", start + 2)
        found = message[start + 14 : end]
        if found.endswith(b">"):
            return found.decode("utf-8", "surrogateescape")
    match = _MESSAGE_ID.search(message[: head if head >= 0 else len(message)])
    return match[1].decode("utf-8", "surrogateescape") if match else ""


class NoStore:
    """Keeps nothing."""

    def add(self, received: ReceivedMessage) -> None:
        """Take a message; here it is dropped."""

    def flush(self) -> None:
        """Write what is held back."""

    def close(self) -> None:
        """Write what is held back, and close."""


class Store(NoStore):
    """Appends to a folder. ``bodies``: the bytes of so many messages are kept, later ones leave only their lines."""

    def __init__(self, folder: str, bodies: int) -> None:
        os.makedirs(folder, exist_ok=True)
        self._index = open(os.path.join(folder, RECEIVED), "ab", buffering=0)  # noqa: SIM115 - open for the whole run
        self._bodies = open(os.path.join(folder, MESSAGES), "ab", buffering=0)  # noqa: SIM115
        self._left = bodies
        if self._index.tell():
            self._index.write(b"\n")  # an empty line does no harm, and ends a torn one
        self._offset = self._bodies.tell()
        self._lines: list[str] = []
        self._messages: list[bytes] = []
        self._held = 0

    def add(self, received: ReceivedMessage) -> None:
        """Keep a message: at the next `flush`, or when much is held back."""
        size = len(received.message)
        offset, length = "null", 0
        if self._left > 0:
            self._left -= 1
            offset, length = str(self._offset), size
            self._offset += size
            self._messages.append(received.message)
            self._held += size
        head = (
            f'{{"at":{received.at:.6f},"mx":{_quoted(received.mx)},"ip":"{received.ip}",'
            f'"source_ip":"{received.source_ip}","mail_from":{_quoted(received.mail_from)},"rcpt":'
        )
        tail = (
            f',"message_id":{_quoted(message_id_of(received.message))},"size":{size},"offset":{offset},"length":{length},'
            f'"tls":"{received.tls}","answered":{"true" if received.answered else "false"}}}\n'
        )
        for recipient in received.recipients:
            self._lines.append(head + _quoted(recipient) + tail)
        if self._held > _FLUSH_AT or len(self._lines) > 10_000:
            self.flush()

    def flush(self) -> None:
        """Write what is held back."""
        # the bytes first: a line never points to what is not there yet
        if self._messages:
            _write(self._bodies.fileno(), b"".join(self._messages))
            self._messages.clear()
            self._held = 0
        if self._lines:
            _write(self._index.fileno(), "".join(self._lines).encode("ascii"))
            self._lines.clear()

    def close(self) -> None:
        """Write what is held back, and close."""
        self.flush()
        self._index.close()
        self._bodies.close()


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def read(folder: str) -> Iterator[Received]:
    """Iterate over the lines of a store, in order, which may be in use: an incomplete line is left out."""
    with open(os.path.join(folder, RECEIVED), "rb") as index:
        for line in index:
            # the run before may have ended in the middle of a line
            if line.startswith(b"{") and line.endswith(b"}\n"):
                yield Received(**json.loads(line))


def body_of(folder: str, received: Received) -> bytes:
    """Return the bytes of a message of a store. Raises LookupError where they were not kept."""
    if received.offset is None:
        raise LookupError(f"the bytes of {received.message_id or 'this message'} were not kept")
    with open(os.path.join(folder, MESSAGES), "rb") as bodies:
        bodies.seek(received.offset)
        return bodies.read(received.length)
