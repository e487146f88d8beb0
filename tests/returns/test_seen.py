from __future__ import annotations

from bulkmail.returns import Kind, Source
from bulkmail.returns.seen import see
from tests.returns import samples


def test_a_report_taken_apart():
    seen = see(samples.POSTFIX, f"<{samples.PATH}>", "")
    assert seen.envelope == samples.PATH
    assert seen.by_server
    assert seen.copy.message_id == f"{samples.CAMPAIGN}.{samples.TOKEN}@example.com"
    assert seen.copy.sender == "news@example.com"
    assert seen.copy.return_path == samples.PATH
    assert "virtual" in seen.text
    assert samples.PATH in seen.ours
    assert "news@example.com" in seen.ours


def test_without_an_envelope_the_to_field_serves():
    seen = see(samples.POSTFIX, "", None)
    assert seen.envelope == ""
    assert seen.recipient == samples.PATH


def test_who_is_a_server():
    assert see(b"From: joe@d.example\n\nhello", "", "").by_server
    assert see(b"Return-Path: <>\nFrom: joe@d.example\n\nhello", "", None).by_server
    assert see(b"From: MAILER-DAEMON <>\n\nhello", "", None).by_server
    assert see(b"From: Postmaster <postmaster@d.example>\n\nhello", "", None).by_server
    assert not see(b"From: joe@d.example\n\nhello", "", "joe@d.example").by_server


def test_the_copy_in_a_text():
    seen = see(samples.QMAIL, samples.PATH, "")
    assert seen.copy.message_id == f"{samples.CAMPAIGN}.{samples.TOKEN}@example.com"
    assert "spring is here" not in seen.text


def test_html_where_there_is_no_plain_text():
    html = b"<html><style>p {x: y}</style><p>a&lt;b&gt;<br>c</p></html>"
    assert see(b"From: a@b\nContent-Type: text/html\n\n" + html, "", None).text.split() == ["a<b>", "c"]


def test_what_every_kind_has():
    given = see(samples.EXIM, samples.PATH, "").judged(Kind.OTHER, "a test says so")
    assert given.candidates[0].source is Source.ENVELOPE
    assert given.references == (f"{samples.CAMPAIGN}.{samples.TOKEN}@example.com",)
    assert given.subject == "Mail delivery failed: returning message to sender"
