from __future__ import annotations

import time

import pytest

from bulkmail.returns.prose import apart, entries, refusal_of


def listed(text, ours=()):
    return [(entry.address, entry.words) for entry in entries(text, ours)]


def test_paragraphs_as_qmail_writes_them():
    assert listed(
        "<a@d.example>:\nfirst\nsecond\n\n<b@d.example>:\nthird\n\n--- Below this line is a copy\n<c@d>:\n"
    ) == [
        ("a@d.example", "first\nsecond"),
        ("b@d.example", "third"),
    ]


def test_lines_as_opensmtpd_writes_them():
    assert listed("a@d.example: 550 5.1.1 gone\nb@d.example: Envelope expired\n\n    Below is a copy of it\n") == [
        ("a@d.example", "550 5.1.1 gone"),
        ("b@d.example", "Envelope expired"),
    ]


def test_indented_lists_as_exim_writes_them():
    text = """
  a@d.example
    host mx.d.example [192.0.2.1]
    550 5.1.1 <x@d.example>: gone
  alias@d.example
    (generated from list@d.example)
    Unrouteable address
"""
    found = entries(text)
    assert [entry.address for entry in found] == ["a@d.example", "alias@d.example"]
    assert found[1].aliases == ["list@d.example"]
    assert found[1].words == "Unrouteable address"


def test_a_continued_line_opens_no_entry():
    text = "<fwd@d.example> (expanded from <list@d.example>): host mx said: 550\n    <x@d.example>: unknown\n"
    found = entries(text)
    assert [entry.address for entry in found] == ["fwd@d.example"]
    assert found[0].aliases == ["list@d.example"]
    assert "unknown" in found[0].words


def test_the_transcript_of_sendmail_is_not_believed():
    text = """   ----- The following addresses had permanent fatal errors -----
<policy@d.example>
    (reason: 550 5.7.1 blocked)

   ----- Transcript of session follows -----
550 5.1.1 <policy@d.example>... User unknown
"""
    assert listed(text) == [("policy@d.example", "(reason: 550 5.7.1 blocked)")]


def test_exchange_of_old():
    text = "Impossible :\n\n      'a@d.example' le 01/12/2026 11:00\n            Le compte.\n            <mx #5.1.1>\n"
    assert listed(text) == [("a@d.example", "le 01/12/2026 11:00\nLe compte.\n<mx #5.1.1>")]
    assert listed("a@d.example<mailto:a@d.example>\nNot found\n\n#550 5.1.1 x") == [("a@d.example", "Not found")]


def test_a_sentence_with_one_address():
    text = "There was an error delivering your mail to <a@d.example>.\n\nmx said:\n550 5.1.1 gone\n\n"
    text += "Message headers follow.\n"
    opening = "There was an error delivering your mail to <a@d.example>.\n"
    assert listed(text) == [("a@d.example", f"{opening}mx said:\n550 5.1.1 gone")]
    assert listed("The mailbox is full: <a@d.example>\n") == [("a@d.example", "The mailbox is full: <a@d.example>")]
    assert listed("Your mail to a@d.example and to b@d.example is lost.") == []
    assert listed("Write to postmaster@d.example for help.") == []


def test_the_sender_s_own_addresses_are_no_recipients():
    assert listed("<me@d.example>:\n550 gone\n", {"me@d.example"}) == []


def test_the_copy_behind_a_text():
    text = "It failed.\n\nReturn-Path: <a@b>\nMessage-ID: <x@y>\nFrom: a@b\nSubject: c\n\nbody\n"
    said, fields = apart(text)
    assert said == "It failed.\n\n"
    assert fields is not None
    assert fields.get("message-id") == "<x@y>"
    assert apart("From: here on\nit is text\n") == ("From: here on\nit is text\n", None)


def test_lists_are_bounded():
    assert len(entries("".join(f"<a{n}@d.example>:\nno\n" for n in range(1000)))) == 100
    assert len(entries("<a@d.example>:\n" + "x\n" * 1000)[0].lines) == 40


def test_an_entry_with_a_wide_colon():
    assert listed("<a@d.example>\uff1a550 5.1.1 no\n\n(b@d.example)\n") == [("a@d.example", "550 5.1.1 no")]


DIALOGUE = """\
>>> MAIL From:<news@example.com>
<<< 250 ok
>>> RCPT To:<policy@d.example>
<<< 550 5.7.1 blocked
550 5.1.1 <policy@d.example>... User unknown
  Command: RCPT TO:<ann@d.example>
  Response: 550 5.1.1 nobody here
11:07:32: --> RCPT To:<bob@d.example>
11:07:33: <-- 452 4.2.2 full
RCPT TO:<eve@d.example>
550 5.1.1 without a mark
"""


@pytest.mark.parametrize(
    ("address", "reply"),
    [
        ("policy@D.example", "550 5.7.1 blocked"),
        ("ann@d.example", "550 5.1.1 nobody here"),
        ("bob@d.example", "452 4.2.2 full"),
        ("eve@d.example", ""),
        ("joe@d.example", ""),
    ],
)
def test_of_a_transcript_the_reply_to_the_own_command_of_an_address_counts(address, reply):
    assert refusal_of(DIALOGUE, address) == reply


def test_a_long_dialogue_costs_little():
    before = time.process_time()
    refusal_of("rcpt to:<a@b.example>\n: : : :" * 100_000, "x@b.example")
    assert time.process_time() - before < 1.0
