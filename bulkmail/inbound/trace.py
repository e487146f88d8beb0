"""What is written above a message that was taken (RFC 5321 4.4), and what in it shows that it goes in circles."""

from __future__ import annotations

import datetime as dt
import re
from email.utils import format_datetime

from bulkmail.inbound.received import Received

_MOST_HOPS = 100  # RFC 5321 6.3: "normally at least 100"
_HEADER = 262_144  # octets that are looked at
_RECEIVED = re.compile(rb"^Received:", re.MULTILINE | re.IGNORECASE)
_DELIVERED = re.compile(rb"^Delivered-To:[ \t]*<?([^\r\n>]*)", re.MULTILINE | re.IGNORECASE)
_COMMENT_BREAKERS = re.compile(r"[()\\]")


def traced(received: Received, hostname: str) -> bytes:
    """Return Return-Path, Delivered-To for each recipient, and Received, as header lines."""
    lines = [f"Return-Path: <{received.sender}>"]
    lines += [f"Delivered-To: {recipient.address}" for recipient in received.recipients]
    address = f"IPv6:{received.ip}" if ":" in received.ip else received.ip
    protocol = ("UTF8SMTP" if received.smtputf8 else "ESMTP") + ("S" if received.tls else "")
    lines.append(f"Received: from {_COMMENT_BREAKERS.sub('_', received.helo)} ([{address}])")
    lines.append(f"\tby {hostname} with {protocol} id {received.id}")
    if len(received.recipients) == 1:
        lines.append(f"\tfor <{received.recipients[0].address}>")
    lines[-1] += ";"
    lines.append(f"\t{format_datetime(dt.datetime.fromtimestamp(received.at, dt.UTC))}")
    return "\r\n".join([*lines, ""]).encode()


def goes_in_circles(received: Received) -> bool:
    """Return whether a message was here before, for the same recipient, or has passed through too many hosts."""
    header = received.body.first(_HEADER).partition(b"\r\n\r\n")[0]
    if len(_RECEIVED.findall(header)) > _MOST_HOPS:
        return True
    ours = {recipient.address.lower() for recipient in received.recipients}
    return any(found.strip().decode("utf-8", "replace").lower() in ours for found in _DELIVERED.findall(header))
