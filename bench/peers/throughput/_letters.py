"""What the Python peers share: the standard library's message, signed by dkimpy where a key is given."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import dkim

SENDER = "hello@example.com"


class Order(NamedTuple):
    """The command line: LETTERS COUNT HOST PORT CONNECTIONS [KEY]; of the environment BENCH_TLS and BENCH_EACH.

    ``tls``: STARTTLS, with any certificate. ``each``: messages on a connection.
    """

    letters: str
    count: int
    host: str
    port: int
    connections: int
    key: bytes | None
    tls: bool
    each: int


def order() -> Order:
    """What this program is to send, and where to."""
    letters, count, host, port, connections, *key = sys.argv[1:]
    pem = Path(key[0]).read_bytes() if key else None
    tls, each = bool(os.environ.get("BENCH_TLS")), int(os.environ.get("BENCH_EACH", "1000000"))
    return Order(letters, int(count), host, int(port), int(connections), pem, tls, each)


def messages(given: Order) -> Iterator[tuple[str, bytes]]:
    """``(recipient, message)``, built one by one as a user's program does."""
    letters = [json.loads(line) for line in Path(given.letters).read_text(encoding="utf-8").splitlines()]
    for letter in islice(cycle(letters), given.count):
        message = EmailMessage(policy=SMTP)
        message["From"] = letter["from"]
        message["To"] = letter["to"]
        message["Subject"] = letter["subject"]
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain="example.com")
        message["List-Unsubscribe"] = letter["unsubscribe"]
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(letter["text"])
        message.add_alternative(letter["html"], subtype="html")
        data = message.as_bytes()
        if given.key is not None:
            data = dkim.sign(data, b"s1", b"example.com", given.key) + data
        yield letter["to"], data
