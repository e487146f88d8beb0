"""An invitation in each message, which calendars offer to accept: an event with the row's own recipient as attendee.

Written as RFC 5545, and sent as RFC 6047 has it: once in the ``multipart/alternative`` with ``method=REQUEST``, which
is what Gmail, Outlook and Apple Mail read, and once as an attachment for the programs that know only files. Times are
in UTC, so that no description of a zone (VTIMEZONE) has to be believed; calendars show them in their owner's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from bulkmail.content.headers import clean, parse_mailbox
from bulkmail.content.mime import Part, encoded
from bulkmail.content.templates import CompiledTemplate, RowError
from bulkmail.mail import Problem, UnitError, parse_duration
from bulkmail.zones import UnknownZoneError, zone

TEMPLATES = ("summary", "start", "end", "duration", "timezone", "location", "description", "uid")
"""The keys whose values are templates."""

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(Z|[+-]\d\d:\d\d)?)?", re.ASCII)
_DAY = timedelta(days=1)
_FOLDED = 75  # octets of a line, without its end (RFC 5545 3.1)
_ESCAPED = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_UNRESERVED = "@!$&'*+-./=^_`{|}~"  # of an address in a mailto: (RFC 6068 2)
_FIELDS = (
    b"Content-Type: text/calendar; charset=utf-8; method=REQUEST\r\nContent-Transfer-Encoding: base64\r\n",
    b'Content-Type: application/ics; name="invite.ics"\r\nContent-Transfer-Encoding: base64\r\n'  # noqa: ISC004
    b'Content-Disposition: attachment; filename="invite.ics"\r\n',
)


class Invitation:
    """Makes the invitations of one campaign. ``given``: ``invitation`` of its content; ``sender``: its From."""

    def __init__(self, given: Mapping[str, Any], sender: str, template: Callable[[str, str], CompiledTemplate]) -> None:
        """``template(source, label)`` compiles a value of campaign.yaml."""
        self._values = {key: template(given[key], f"invitation.{key}") for key in TEMPLATES if given.get(key)}
        self._sequence: int = given["sequence"]
        display, address = parse_mailbox(given["organizer"] or sender)
        self._domain = address.domain
        self._organizer = _person("ORGANIZER", display, str(address))

    def text(self, variables: dict[str, Any], address: str, token: str, at: int) -> str:
        """Return a row's calendar; "" where its ``start`` is empty. ``at``: epoch seconds. Raises RowError."""
        values = {key: template.render(variables).strip() for key, template in self._values.items()}
        if not values["start"]:
            return ""
        try:
            begin, end = span(values)
        except ValueError as error:
            raise RowError(f"invitation: {clean(str(error))}") from None
        # not the token itself: it unsubscribes, and calendars pass an event's id on
        own = values.get("uid") or sha256(f"invitation {token}".encode()).hexdigest()[:32]
        lines = [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//bulkmail//invitation//EN",
            "METHOD:REQUEST",
            "BEGIN:VEVENT",
            f"UID:{_escaped(own if '@' in own else f'{own}@{self._domain}')}",
            f"SEQUENCE:{self._sequence}",
            f"DTSTAMP:{_utc(datetime.fromtimestamp(at, UTC))}",
            _time("DTSTART", begin),
            _time("DTEND", end),
            f"SUMMARY:{_escaped(values.get('summary', ''))}",
            *[f"{key.upper()}:{_escaped(values[key])}" for key in ("location", "description") if values.get(key)],
            self._organizer,
            _person("ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE", "", address),
            "STATUS:CONFIRMED",
            *(["TRANSP:TRANSPARENT"] if not isinstance(begin, datetime) else []),  # a whole day leaves people free
            "END:VEVENT",
            "END:VCALENDAR",
        ]
        return "".join(f"{folded(line)}\r\n" for line in lines)


def parts(text: str) -> tuple[Part, Part]:
    """Return the two parts of a calendar: for the ``multipart/alternative``, and the attachment."""
    body = encoded(text.encode("utf-8"))
    return Part(_FIELDS[0], body), Part(_FIELDS[1], body)


def invitation_problems(given: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with values that are the same for every row."""
    known = {key: given.get(key) or "" for key in TEMPLATES}
    if any("{" in known[key] for key in ("start", "end", "duration", "timezone")) or not known["start"].strip():
        return []
    try:
        span(known)
    except ValueError as error:
        return [Problem("", 0, 0, f"invitation: {error}")]
    return []


def span(values: Mapping[str, str]) -> tuple[datetime, datetime] | tuple[date, date]:
    """Return when an event begins and ends: instants in UTC, or days, the last one behind it.

    Raises ValueError with a sentence.
    """
    try:
        return _span(values)
    except OverflowError:  # calendars end with the year 9999, which some write for "never"
        raise ValueError(f"the end of an event that starts at {values['start']!r} is out of range") from None


def _span(values: Mapping[str, str]) -> tuple[datetime, datetime] | tuple[date, date]:
    name = values.get("timezone", "")
    begin = _read("start", values["start"], name)
    until, lasts = values.get("end", ""), values.get("duration", "")
    if isinstance(begin, datetime):
        end = _read("end", until, name) if until else begin + timedelta(seconds=_seconds(lasts or "1h"))
        if not isinstance(end, datetime):
            raise ValueError(f"`end` {until!r} has no time, and `start` has one")  # noqa: TRY004 - a text is wrong
        if end <= begin:
            raise ValueError(f"`end` {until!r} is not after `start` {values['start']!r}")
        return begin, end
    if not until:
        days, rest = divmod(_seconds(lasts or "1d"), 86400)
        if rest:
            raise ValueError(f"`start` {values['start']!r} is a whole day, so `duration` must be in days, such as 2d")
        return begin, begin + days * _DAY
    last = _read("end", until, name)
    if isinstance(last, datetime):
        raise ValueError(f"`end` {until!r} has a time, and `start` has none")  # noqa: TRY004 - as above
    if last < begin:
        raise ValueError(f"`end` {until!r} is before `start` {values['start']!r}")
    return begin, last + _DAY  # DTEND is the day behind it (RFC 5545 3.6.1)


def _read(key: str, text: str, name: str) -> date | datetime:
    if _TIME.fullmatch(text.strip()) is None:
        raise ValueError(f"`{key}` {text!r} is not a time; write it like 2026-12-10T18:00, or a day like 2026-12-10")
    try:
        wall = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ValueError(f"`{key}` {text!r} is not a time ({error})") from None
    if len(text.strip()) == len("2026-12-10"):
        return wall.date()
    if wall.tzinfo is None:
        if not name:
            raise ValueError(f"`{key}` {text!r} has no UTC offset; add `timezone`, such as Europe/Berlin")
        try:
            wall = wall.replace(tzinfo=zone(name))
        except UnknownZoneError as error:
            raise ValueError(f"`timezone`: {error}") from None
    try:
        return wall.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"`{key}` {text!r} is out of range") from None


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except UnitError as error:
        raise ValueError(f"`duration`: {error}") from None


def _time(name: str, value: date) -> str:
    if isinstance(value, datetime):
        return f"{name}:{_utc(value)}"
    return f"{name};VALUE=DATE:{value:%Y%m%d}"


def _utc(value: datetime) -> str:
    return f"{value:%Y%m%dT%H%M%SZ}"


def _person(name: str, display: str, address: str) -> str:
    """Return a calendar user (RFC 5545 3.3.3) with the name to show; a parameter holds no double quote (3.2)."""
    shown = _CONTROLS.sub("", display or address).replace('"', "'")
    return f'{name};CN="{shown}":mailto:{quote(address, safe=_UNRESERVED)}'


def _escaped(text: str) -> str:
    """Return a text as a TEXT value (RFC 5545 3.3.11)."""
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")).translate(_ESCAPED)


def folded(line: str) -> str:
    """Return a content line in lines of at most 75 octets, cut between characters (RFC 5545 3.1)."""
    data = line.encode("utf-8")
    pieces = []
    at, room = 0, _FOLDED
    while len(data) - at > room:
        end = at + room
        while data[end] & 0xC0 == 0x80:  # inside of a character
            end -= 1
        pieces.append(data[at:end].decode("utf-8"))
        at, room = end, _FOLDED - 1  # behind the blank
    return "\r\n ".join([*pieces, data[at:].decode("utf-8")])
