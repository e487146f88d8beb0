"""Whether a message's lines can go over the wire as they are."""

from __future__ import annotations


def complete_lines(message: bytes) -> bool:
    """Return whether every CR and LF is part of a CRLF and the last line is complete.

    A bare CR or LF is a line end to some servers and none to others: that is how a message smuggles in another one.
    """
    # bytes.splitlines knows CR, LF and CRLF: where each line end is two bytes long, each is a CRLF. Half the cost of
    # three counts.
    lines = message.splitlines()
    return bool(lines) and sum(map(len, lines)) + 2 * len(lines) == len(message)


def plain_lines(message: bytes) -> bool:
    """Return whether the lines are complete and none starts with a dot: nothing is left to check, nothing to stuff."""
    # replace finds a rare pattern faster than `in` does, and gives the same object when there is none
    return complete_lines(message) and message.replace(b"\r\n.", b"") is message and message[:1] != b"."
