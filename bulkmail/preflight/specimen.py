"""A few rows composed as they would be sent, by the production composer, and read back from their bytes.

The composing runs in a child process with a deadline: a template may be endless, and a row may end the process.
"""

from __future__ import annotations

import base64
import multiprocessing
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any, NamedTuple

from bulkmail.content import Composer
from bulkmail.preflight.choosing import Row

WITHIN = 10.0
"""Seconds for all of them."""

_LATE = f"composing took longer than {WITHIN:g} s; does a template loop without end?"


class Composed(NamedTuple):
    """One composed message, and the return path that it is sent with."""

    wire: bytes
    return_path: str


@dataclass(frozen=True)
class Specimen:
    """One composed message.

    ``fields``: names and values as people read them; ``html`` and ``text``: None where there is no such part; pictures
    that the message carries stand in the HTML, so that it can be looked at by itself;
    ``attachments``: their file names; ``return_path``: "" where it is not known.
    """

    wire: bytes
    subject: str
    fields: list[tuple[str, str]]
    html: str | None
    text: str | None
    attachments: list[str]
    return_path: str = ""

    def field(self, name: str) -> str:
        """Return the value of a field; "" where there is none."""
        return next((value for known, value in self.fields if known.lower() == name.lower()), "")


def compose_rows(content: dict[str, Any], rows: Sequence[Row], now: float) -> list[Composed | str]:
    """Return the message of each row, or why there is none. ``content``: checked; ``now``: its Date, epoch seconds."""
    jobs = [(row[0], row[0], row[3], now, row[1], row[5]) for row in rows]
    with multiprocessing.get_context("fork").Pool(1, _bounded) as pool:
        try:
            return pool.apply_async(_composed, ({**content, "date": now}, jobs)).get(WITHIN)
        except multiprocessing.TimeoutError:
            return [_LATE] * len(rows)


def _bounded() -> None:
    """Let this child be ended, whatever its parent does with signals: by the parent, and by its own alarm."""
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, 2 * WITHIN)


def _composed(content: dict[str, Any], jobs: list[tuple[Any, ...]]) -> list[Composed | str]:
    composer = Composer()
    composer.handle(("load", 0, content))
    answers = composer.handle(("compose", 0, jobs))
    return [error if message is None else Composed(message, sender) for _, message, sender, error in answers]


def read_specimen(wire: bytes, return_path: str = "") -> Specimen:
    """Read the bytes of one message."""
    message = BytesParser(_class=EmailMessage, policy=policy.default).parsebytes(wire)
    fields = [(name, " ".join(str(value).split())) for name, value in message.items()]
    return Specimen(
        wire=wire,
        subject=str(message["Subject"] or ""),
        fields=fields,
        html=_with_pictures(message, _part(message, "html")),
        text=_part(message, "plain"),
        attachments=[part.get_filename() or "" for part in message.iter_attachments()],
        return_path=return_path,
    )


def _with_pictures(message: EmailMessage, html: str | None) -> str | None:
    """Return the HTML with the parts that it shows by their Content-ID (RFC 2392) as ``data:`` addresses (RFC 2397)."""
    for part in message.walk() if html and "cid:" in html else ():
        name = str(part["Content-ID"] or "").strip("<> ")
        if html and name and f"cid:{name}" in html:
            data = base64.b64encode(part.get_content()).decode("ascii")
            html = html.replace(f"cid:{name}", f"data:{part.get_content_type()};base64,{data}")
    return html


def _part(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body((kind,))
    return None if part is None else str(part.get_content())
