"""Dot stuffing (RFC 5321 4.5.2) of a complete message with CRLF line ends.

Done on the whole message at once: stuffing piece by piece goes wrong where a piece starts with a dot, and what
follows a lone dot would run as commands.
"""

from __future__ import annotations

from bulkmail.mail import complete_lines

END = b".\r\n"


def check_lines(message: bytes) -> None:
    """Raise ValueError unless every CR and LF is part of a CRLF and the last line is complete."""
    if not complete_lines(message):
        raise ValueError("the message has a bare CR or LF, or does not end with CRLF")


def stuff(message: bytes) -> bytes:
    """Return the message as it goes over the wire, without the final dot: lines that start with a dot get one more."""
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if message.startswith(b".") else stuffed
