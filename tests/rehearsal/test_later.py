"""What is sent back, and what of a message leads to it."""

from __future__ import annotations

import email
import email.policy
from collections import Counter

import pytest

from bulkmail.rehearsal.later import HABITS, Mail, Reaction, Visit, field, habit_of, traffic_of

TOKEN = "k5x2w7q3m4n6b2v5c7z3lahj4h"
PATH = f"bounces+{TOKEN}@in.example.com"
LETTER = f"""\
From: news@example.com
To: ann@d.test
Subject: spring
Message-ID: <q2w3e4r5.{TOKEN}@example.com>
CFBL-Address: complaints+{TOKEN}@in.example.com; report=arf
List-Unsubscribe: <https://mail.example.com/u/{TOKEN}>,
 <mailto:unsubscribe+{TOKEN}@in.example.com?subject=unsubscribe>
List-Unsubscribe-Post: List-Unsubscribe=One-Click

Hello
CFBL-Address: nobody@example.com
""".replace("\n", "\r\n").encode()
PLAIN = b"From: news@example.com\r\nSubject: spring\r\n\r\nHello\r\n"


def made(reaction, letter=LETTER, mail_from=PATH):
    return traffic_of(reaction, mail_from, "ann@d.test", "mx.d.test", letter)


@pytest.mark.parametrize(
    ("reaction", "action", "status"),
    [
        (Reaction.BOUNCE, "failed", "5.1.1"),
        (Reaction.FULL, "failed", "4.2.2"),
        (Reaction.DELAY, "delayed", "4.4.1"),
        (Reaction.BLOCK, "failed", "5.7.1"),
    ],
)
def test_a_report_is_one_by_rfc_3464_and_goes_to_the_return_path(reaction, action, status):
    mail = made(reaction)
    assert (mail.sender, mail.to) == ("", PATH)
    parsed = email.message_from_bytes(mail.message, policy=email.policy.default)
    assert parsed.get_content_type() == "multipart/report"
    assert parsed.get_param("report-type") == "delivery-status"
    _, part, copy = parsed.iter_parts()
    _, about = part.get_payload()
    assert (about["Action"], about["Status"], about["Final-Recipient"]) == (action, status, "rfc822; ann@d.test")
    assert TOKEN in copy.get_content()


def test_a_complaint_goes_where_the_message_asks_for_it():
    mail = made(Reaction.COMPLAIN)
    assert mail.to == f"complaints+{TOKEN}@in.example.com"
    parsed = email.message_from_bytes(mail.message, policy=email.policy.default)
    assert [part.get_content_type() for part in parsed.iter_parts()][1:] == [
        "message/feedback-report", "text/rfc822-headers"]  # fmt: skip
    assert made(Reaction.COMPLAIN, PLAIN).to == "complaints@in.example.com"
    assert made(Reaction.COMPLAIN, PLAIN, "news@example.com") is None


def test_a_reader_uses_the_ways_that_the_message_offers():
    assert made(Reaction.ONE_CLICK) == Visit(f"/u/{TOKEN}", (("POST", b"List-Unsubscribe=One-Click"),))
    assert made(Reaction.VISIT).steps == (("GET", b""), ("POST", b"action=leave"))
    assert made(Reaction.SCAN).steps == (("HEAD", b""), ("GET", b""))
    mail = made(Reaction.BY_MAIL)
    assert (mail.sender, mail.to) == ("ann@d.test", f"unsubscribe+{TOKEN}@in.example.com")
    assert [
        made(reaction, PLAIN) for reaction in (Reaction.ONE_CLICK, Reaction.VISIT, Reaction.SCAN, Reaction.BY_MAIL)
    ] == [None] * 4


def test_a_program_answers_to_the_return_path():
    mail = made(Reaction.AWAY)
    assert (mail.sender, mail.to) == ("", PATH)
    assert b"Auto-Submitted: auto-replied" in mail.message


def test_nothing_is_sent_to_a_return_path_that_is_not_the_recipients_own():
    assert [made(reaction, mail_from="news@example.com") for reaction in (Reaction.BOUNCE, Reaction.AWAY)] == [
        None,
        None,
    ]


def test_an_address_asks_for_a_reaction_and_chance_for_the_others():
    assert habit_of("Late-Bounce+1@d.test", 0.99).reaction is Reaction.BOUNCE
    assert habit_of("ann@d.test", 0.999) is None
    drawn = Counter(
        habit.reaction for n in range(10_000) if (habit := habit_of("ann@d.test", (n + 0.5) / 10_000)) is not None
    )
    assert drawn == {habit.reaction: round(habit.share * 10_000) for habit in HABITS}


def test_a_field_is_read_unfolded_and_from_the_header_alone():
    assert field(LETTER, b"list-unsubscribe").count("<") == 2
    assert field(LETTER, b"CFBL-Address").startswith("complaints+")
    assert field(LETTER, b"Missing") == ""
    assert isinstance(made(Reaction.COMPLAIN), Mail)
