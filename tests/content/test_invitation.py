from __future__ import annotations

from base64 import b64decode
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.content import check_content, same_for_all
from bulkmail.content.invitation import folded, invitation_problems, span
from bulkmail.content.templates import RowError

EVENT = {
    "summary": "Open day, {{ first_name }}; bring \\ friends",
    "start": "2026-12-10T18:00",
    "end": "",
    "duration": "90m",
    "timezone": "Europe/Berlin",
    "location": "Old Sawmill, 7 Millrace Lane",
    "description": "Ring the bell twice.\nThere is coffee.",
    "organizer": "",
    "uid": "",
    "sequence": 0,
}


ASKED = "CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE"


def read(wire: bytes) -> EmailMessage:
    return BytesParser(_class=EmailMessage, policy=policy.default).parsebytes(wire)


def calendar(wire: bytes) -> list[str]:
    """The content lines, unfolded."""
    (part,) = [part for part in read(wire).walk() if part.get_content_type() == "text/calendar"]
    data = b64decode(part.get_payload())
    assert data.endswith(b"END:VCALENDAR\r\n")
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    return data.decode().replace("\r\n ", "").split("\r\n")[:-1]


def test_a_message_carries_its_event_twice(compose):
    message = read(compose("Ann", invitation=EVENT))
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/mixed", "multipart/alternative", "text/plain", "text/html", "text/calendar", "application/ics",
    ]  # fmt: skip
    *_, inline, file = message.walk()
    assert inline["Content-Type"].params == {"charset": "utf-8", "method": "REQUEST"}
    assert inline["Content-Disposition"] is None
    assert file.get_filename() == "invite.ics"
    assert file.get_payload() == inline.get_payload()


def test_what_is_written_is_this(compose):
    lines = calendar(compose("Ann", invitation=EVENT))
    uid = next(line for line in lines if line.startswith("UID:"))
    assert lines == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//bulkmail//invitation//EN",
        "METHOD:REQUEST",
        "BEGIN:VEVENT",
        uid,
        "SEQUENCE:0",
        "DTSTAMP:20261123T090000Z",
        "DTSTART:20261210T170000Z",
        "DTEND:20261210T183000Z",
        "SUMMARY:Open day\\, Ann\\; bring \\\\ friends",
        "LOCATION:Old Sawmill\\, 7 Millrace Lane",
        "DESCRIPTION:Ring the bell twice.\\nThere is coffee.",
        'ORGANIZER;CN="Example Shop":mailto:news@example.com',
        f'ATTENDEE;{ASKED};CN="ann@example.org":mailto:ann@example.org',
        "STATUS:CONFIRMED",
        "END:VEVENT",
        "END:VCALENDAR",
    ]


def test_a_row_keeps_its_event_and_shares_it_with_none(compose):
    uids = [calendar(compose("Ann", n=n, invitation=EVENT))[5] for n in (1, 1, 2)]
    assert uids[0] == uids[1] != uids[2]
    named = {**EVENT, "uid": "seat-{{ first_name }}", "sequence": 2}
    lines = calendar(compose("Ann", invitation=named, organizer=""))
    assert lines[5:7] == ["UID:seat-Ann@example.com", "SEQUENCE:2"]


def test_a_row_without_a_start_gets_no_event(compose):
    event = {**EVENT, "start": "{{ first_name }}"}
    assert read(compose("", invitation=event)).get_content_type() == "multipart/alternative"
    assert "DTSTART;VALUE=DATE:20270103" in calendar(compose("2027-01-03", invitation={**event, "duration": ""}))
    with pytest.raises(RowError, match="invitation: `start` 'soon' is not a time"):
        compose("soon", invitation=event)


def test_no_value_gets_out_of_its_line(compose):
    event = {**EVENT, "summary": "{{ first_name }}", "organizer": '"A \\"B\\" C" <o+1@example.com>'}
    lines = calendar(compose("a\r\nATTENDEE:x\x00\rb", email="a%b#c@example.org", text="x", invitation=event))
    assert "SUMMARY:a\\nATTENDEE:x\\nb" in lines
    assert "ORGANIZER;CN=\"A 'B' C\":mailto:o+1@example.com" in lines
    assert any(line.endswith('CN="a%b#c@example.org":mailto:a%25b%23c@example.org') for line in lines)


def test_a_time_that_the_clocks_leave_out_is_after_the_gap():
    assert (
        span({"start": "2027-03-28 02:30", "timezone": "Europe/Berlin"})[0].isoformat() == "2027-03-28T01:30:00+00:00"
    )
    assert span({"start": "2027-03-28T02:30+05:30"})[0].isoformat() == "2027-03-27T21:00:00+00:00"


def test_days_end_with_the_day_behind_the_last():
    for values in ({"end": "2026-12-11"}, {"duration": "2d"}):
        assert [f"{day}" for day in span({"start": "2026-12-10", **values})] == ["2026-12-10", "2026-12-12"]
    assert f"{span({'start': '2026-12-10'})[1]}" == "2026-12-11"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"start": "10.12.2026"}, "`start` '10.12.2026' is not a time; write it like 2026-12-10T18:00"),
        ({"start": "2026-13-10"}, "is not a time"),
        ({"start": "2026-12-10T18:00", "timezone": ""}, "has no UTC offset; add `timezone`"),
        ({"timezone": "Berlin"}, "`timezone`: 'Berlin' is not a time zone; did you mean Europe/Berlin?"),
        ({"end": "2026-12-10T18:00", "duration": ""}, "`end` '2026-12-10T18:00' is not after `start`"),
        ({"end": "2026-12-10", "duration": ""}, "has no time, and `start` has one"),
        ({"start": "2026-12-10", "end": "2026-12-10T18:00Z"}, "has a time, and `start` has none"),
        ({"start": "2026-12-10", "end": "2026-12-09"}, "is before `start`"),
        ({"start": "2026-12-10"}, "`duration` must be in days, such as 2d"),
        ({"duration": "long"}, "`duration`: 'long' is not a duration"),
        ({"start": "0001-01-01T00:00+05:00"}, "is out of range"),
        ({"start": "9999-12-31", "duration": ""}, "is out of range"),
        ({"start": "9999-12-01", "end": "9999-12-31", "duration": ""}, "is out of range"),
        ({"start": "9999-12-31T23:30Z"}, "is out of range"),
        ({"duration": "9999999d"}, "is out of range"),
    ],
)
def test_what_is_wrong_is_told_before_the_start(values, words, make):
    event = {**EVENT, **values}
    (problem,) = [one.message for one in check_content(make(invitation=event)) if "invitation" in one.message]
    assert problem.startswith("invitation: ")
    assert words in problem


def test_what_only_a_row_says_is_not_judged_before():
    assert invitation_problems({**EVENT, "start": "{{ slot }}"}) == []
    assert invitation_problems({**EVENT, "timezone": "{{ tz }}"}) == []


def test_the_values_are_checked_as_templates(make):
    found = check_content(make(invitation={**EVENT, "location": "{{ city }}", "organizer": "nobody"}))
    assert [problem.message.partition(":")[0] for problem in found] == ["invitation.organizer", "invitation.location"]


def test_everybody_has_an_invitation_of_their_own(make):
    content = make(to="All <all@example.com>", subject="x", html=None, text="x")
    assert same_for_all(content)
    assert not same_for_all({**content, "invitation": EVENT})


@given(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=300))
def test_a_folded_line_is_the_line(line):
    lines = folded(line).split("\r\n")
    assert lines[0] + "".join(rest[1:] for rest in lines[1:]) == line
    assert all(rest.startswith(" ") for rest in lines[1:])
    assert all(len(one.encode()) <= 75 for one in lines)
