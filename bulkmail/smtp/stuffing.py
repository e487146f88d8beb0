"""Dot stuffing (RFC 5321 4.5.2) of a complete message with CRLF line ends.

Done on the whole message at once: stuffing piece by piece goes wrong where a piece starts with a dot, and what
follows a lone dot would run as commands.
"""

from __future__ import annotations

END = b".\r\n"


def check_lines(message: bytes) -> None:
    """Raise ValueError unless every CR and LF is part of a CRLF and the last line is complete.

    A bare CR or LF is a line end to some servers and none to others: that is how a message smuggles in another one.
    """
    # bytes.splitlines knows CR, LF and CRLF: where each line end is two bytes long, each is a CRLF. Half the cost of
    # three counts.
    lines = message.splitlines()
    if sum(map(len, lines)) + 2 * len(lines) != len(message) or not lines:
        raise ValueError("the message has a bare CR or LF, or does not end with CRLF")


def stuff(message: bytes) -> bytes:
    """The message as it goes over the wire, without the final dot. Lines that start with a dot get one more."""
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if message.startswith(b".") else stuffed


def unstuff(stuffed: bytes) -> bytes:
    """The inverse of `stuff`."""
    message = stuffed.replace(b"\r\n..", b"\r\n.")
    return message[1:] if message.startswith(b"..") else message
