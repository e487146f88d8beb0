"""X-ARF: reports of abuse for programs, as hosters and spam traps send them (xarf.org), read in all their versions.

Up to 0.2 a text part has lines of "Report-Type: spam" and the message that it is about is the part behind it; from 3 on
a JSON part has both. They are marked as sent by a program (Auto-Submitted), and are no replies for all that.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from bulkmail.returns.mime import Fields, Message, Part
from bulkmail.returns.returned import Feedback
from bulkmail.returns.seen import COPIES
from bulkmail.returns.values import address, one_line

_MARKS = ("x-xarf", "x-arf")
_SPAM = ("spam", "bulk-messaging")
_SAMPLES = 10  # that are looked at for the message


class Report(NamedTuple):
    """``feedback``: None where nothing could be read. ``message``: the one that the report is about, "" without."""

    feedback: Feedback | None
    message: bytes = b""


def xarf_in(message: Message) -> Report | None:
    """Return what an X-ARF report says, None for what is none."""
    marked = any(name in message.fields for name in _MARKS)
    for at, part in enumerate(message.parts):
        if part.type == "application/json":
            found = _json(part)
        elif marked and part.type == "text/plain":
            found = _lines(part, message.parts[at + 1 :])
        else:
            continue
        if found is not None:
            return found
    return Report(None) if marked else None


def is_spam(feedback: Feedback) -> bool:
    """Return whether it is about a message that was received, and not about an attack or a page on the web."""
    return feedback.type in _SPAM


def _lines(part: Part, behind: Sequence[Part]) -> Report | None:
    """Read a report up to version 0.2, YAML of names and values; some have the message behind it as plain text."""
    fields = Fields(part.octets())
    kind = fields.get("report-type").strip("'\"")
    if not kind:
        return None
    source, agent = (fields.get(name).strip("'\"") for name in ("source", "user-agent"))
    as_text = behind[0].octets() if behind and behind[0].type == "text/plain" else b""
    return Report(_feedback(kind, "", source, agent), as_text)


def _json(part: Part) -> Report | None:
    """Read a report from version 3 on: ``Report.ReportType`` is version 3, ``type`` version 4."""
    try:
        given = json.loads(part.octets())
    except (ValueError, RecursionError):
        return None
    if not isinstance(given, dict):
        return None
    if "xarf_version" in given:
        named = [_text(given, name) for name in ("type", "smtp_to", "source_identifier")]
        return Report(_feedback(*named), _sample(given.get("evidence"), "content_type", "payload"))
    report = given.get("Report")
    if isinstance(report, dict) and "ReportType" in report:
        named = [_text(report, name) for name in ("ReportType", "SmtpRcptToAddress", "SourceIp")]
        return Report(_feedback(*named), _sample(report.get("Samples"), "ContentType", "Payload"))
    return None


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    return value if isinstance(value, str) else ""


def _feedback(kind: str, recipient: str, source: str, agent: str = "") -> Feedback:
    named = address(recipient)
    name = one_line(kind.strip().lower().replace("_", "-"), 40)
    return Feedback(name, (named,) if named else (), one_line(source, 60), "", one_line(agent or "X-ARF", 100))


def _sample(samples: Any, kind: str, payload: str) -> bytes:
    """Return the first sample that is a message; in base64, or as it is."""
    for one in samples[:_SAMPLES] if isinstance(samples, list) else ():
        if isinstance(one, dict) and _text(one, kind).lower().startswith(COPIES):
            octets = _text(one, payload).encode("utf-8", "replace")
            try:
                return binascii.a2b_base64(octets, strict_mode=True)
            except ValueError:
                return octets
    return b""
