"""One message for everybody: when it is, and that it is."""

from __future__ import annotations

import json

import pytest

from bulkmail.content import Composer, same_for_all
from bulkmail.mail import message_id

SAME = {
    "to": "Our readers <readers@example.com>",
    "subject": "News of {{ campaign }}",
    "html": "<p>Dear readers</p>{% for n in range(2) %}{{ n }}{% endfor %}\n",
    "text": "Dear readers, {{ unsubscribe_url }}\n",
    "unsubscribe": {"url": "https://example.com/u", "mailto": None},
}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"to": None}, False),
        ({"subject": "{{ first_name }}"}, False),
        ({"html": "{{ email }}"}, False),
        ({"text": "{{ token }}"}, False),
        ({"text": "{{ row['x'] }}"}, False),
        ({"text": "{{ nick|default('you') }}"}, False),
        ({"headers": {"X-To": "{{ first_name }}"}}, False),
        ({"includes": {"foot.j2": "{{ first_name }}"}}, False),
        ({"unsubscribe": {"url": "https://example.com/{{ token }}", "mailto": None}}, False),
        ({"unsubscribe": {"url": None, "mailto": "u@example.com"}}, False),
        ({"text": "{% set x = 1 %}{{ x }}", "unsubscribe": None}, True),
        ({"text": "{{ "}, False),
        ({"columns": [["email"], ["email", "campaign"]]}, False),
        ({"columns": [["email", "Campaign"]]}, False),
        ({"columns": [["email", "unsubscribe_url"]]}, False),
        ({"defaults": {"range": "x"}}, False),
        ({"columns": [["email", "first_name"]]}, True),
    ],
)
def test_when_it_is(make, changed, expected):
    assert same_for_all(make(**{**SAME, **changed})) is expected


def composed(content, rows):
    composer = Composer()
    composer.handle(("load", 7, content))
    jobs = [(100 + n, n, email, 1_795_424_400.0 + n, 0, json.dumps([email, name])) for n, email, name in rows]
    return [answer[1] for answer in composer.handle(("compose", 7, jobs))]


def test_everybody_gets_the_same_bytes_whoever_composes_them(make, rsa_pem):
    dkim = [{"domain": "example.com", "selector": "s1", "pem": rsa_pem}]
    content = make(**SAME, dkim=dkim, same_for_all=True, date=1_795_000_000.0)
    one = composed(content, [(1, "ann@example.org", "Ann"), (2, "bob@example.net", "Bob")])
    other = composed(content, [(9, "eve@example.net", "Eve")])
    assert len({*one, *other}) == 1
    message = one[0]
    assert b"\r\nTo: Our readers <readers@example.com>\r\n" in message
    assert b"\r\nMessage-ID: " + message_id(b"k" * 32, 0, "example.com").encode() in message
    assert b"\r\nDate: Wed, 18 Nov 2026" in message
    assert message.count(b"\r\nDKIM-Signature: ") + message.startswith(b"DKIM-Signature: ") == 1


def test_one_to_for_all_and_a_letter_that_differs(make):
    content = make(to="Our readers <readers@example.com>")
    content["same_for_all"] = same_for_all(content)
    one, two = composed(content, [(1, "ann@example.org", "Ann"), (2, "bob@example.net", "Bob")])
    assert b"Dear Ann" in one
    assert b"Dear Bob" in two
    for message in (one, two):
        assert message.count(b"\r\nTo: Our readers <readers@example.com>\r\n") == 1
