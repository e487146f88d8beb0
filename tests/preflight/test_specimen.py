from __future__ import annotations

import json
import signal

import pytest

from bulkmail.preflight import specimen
from bulkmail.preflight.specimen import compose_rows, read_specimen

CONTENT = {
    "name": "spring",
    "from": "Example Shop <news@example.com>",
    "subject": "Grüße, {{ name }}",
    "html": "<p>Hello {{ name }} &amp; friends</p>",
    "text": "Hello {{ name }}\n",
    "html_name": "b.html",
    "text_name": "b.txt",
    "to": None,
    "reply_to": None,
    "envelope_from": None,
    "headers": {},
    "unsubscribe": {"url": "https://example.com/u/{{ token }}", "mailto": None},
    "attachments": [("terms.txt", b"terms")],
    "defaults": {},
    "columns": [["email", "name"]],
    "list_id": "",
    "key": bytes(32),
    "dkim": [],
    "includes": {},
    "same_for_all": False,
}


def row(number, name):
    email = f"u{number}@example.com"
    return (number, 0, number, email, "example.com", json.dumps([email, name]), "ok", "")


def test_a_message_is_read_back_as_it_was_composed():
    (composed,) = compose_rows(CONTENT, [row(1, "Zoë")], 1_796_000_000.0)
    found = read_specimen(*composed)
    assert found.subject == "Grüße, Zoë"
    assert found.field("to") == "u1@example.com"
    assert found.field("X-None") == ""
    assert found.html == "<p>Hello Zoë &amp; friends</p>"
    assert found.text is not None
    assert found.text.strip() == "Hello Zoë"
    assert found.attachments == ["terms.txt"]
    assert found.wire.startswith(b"From: ")
    assert found.return_path == "news@example.com"


def test_pictures_that_a_message_carries_are_seen_in_its_html_alone():
    letter = {"inline_css": False, "preheader": "", "pictures": [("a.png", b"PNG")]}
    content = {**CONTENT, "html": '<p><img src="a.png">', "letter": letter}
    (composed,) = compose_rows(content, [row(1, "A")], 0.0)
    found = read_specimen(*composed)
    assert found.html == '<p><img src="data:image/png;base64,UE5H">'
    assert found.attachments == ["terms.txt"]


def test_a_message_of_text_alone():
    (composed,) = compose_rows({**CONTENT, "html": None, "attachments": []}, [row(1, "A")], 0.0)
    assert read_specimen(*composed).html is None


def test_a_row_that_fails_costs_itself():
    content = {**CONTENT, "text": "{{ 1 // (name|length - 1) }}"}
    first, second = compose_rows(content, [row(1, "A"), row(2, "Bo")], 0.0)
    assert "division" in first
    assert isinstance(second.wire, bytes)


def test_an_endless_template_is_given_up(monkeypatch):
    monkeypatch.setattr(specimen, "WITHIN", 0.2)
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    assert compose_rows({**CONTENT, "text": loop}, [row(1, "A"), row(2, "B")], 0.0) == [specimen._LATE] * 2


def test_an_endless_template_is_given_up_by_a_process_that_ignores_signals(monkeypatch):
    monkeypatch.setattr(specimen, "WITHIN", 0.2)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
        assert compose_rows({**CONTENT, "text": loop}, [row(1, "A")], 0.0) == [specimen._LATE]
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("to", ["Our readers <readers@example.com>"])
def test_one_message_for_all(to):
    content = {**CONTENT, "subject": "Hi", "html": None, "text": "Hi", "unsubscribe": None, "to": to}
    (composed,) = compose_rows({**content, "same_for_all": True}, [row(1, "A")], 0.0)
    assert read_specimen(*composed).field("To") == to
