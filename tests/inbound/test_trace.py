"""The lines above a message, and what shows a loop."""

from __future__ import annotations

import email
from email import policy

import pytest

from bulkmail.inbound import Accepted, Purpose
from bulkmail.inbound.trace import goes_in_circles, traced


def test_the_lines(message):
    assert traced(message(tls="TLSv1.3"), "mta1.example.com").decode().splitlines() == [
        "Return-Path: <s@t.example>",
        "Delivered-To: anna@in.example.com",
        "Received: from a.example ([192.0.2.1])",
        "\tby mta1.example.com with ESMTPS id ID1",
        "\tfor <anna@in.example.com>;",
        "\tTue, 14 Nov 2023 22:13:20 +0000",
    ]


def test_several_recipients_and_utf8(message):
    to = (Accepted("bounces+a@x.example", Purpose.BOUNCE, "a"), Accepted("bounces+δ@x.example", Purpose.BOUNCE, "δ"))
    one = message(recipients=to, sender="", smtputf8=True, ip="2001:db8::1", helo="x(y)\\")
    text = traced(one, "h.example")
    parsed = email.message_from_bytes(text + one.body.whole(), policy=policy.SMTP)
    assert parsed.get_all("Delivered-To") == ["bounces+a@x.example", "bounces+δ@x.example"]
    assert b"from x_y__ ([IPv6:2001:db8::1])\r\n\tby h.example with UTF8SMTP id ID1;" in text
    assert parsed["Return-Path"] == "<>"
    assert parsed.get_content() == "hello\r\n"


def test_a_name_cannot_add_a_line(message):
    assert traced(message(), "h.example").count(b"\r\n") == 6


@pytest.mark.parametrize(
    ("body", "circles"),
    [
        (b"Subject: x\r\n\r\nDelivered-To: anna@in.example.com\r\n", False),
        (b"Delivered-To: bob@in.example.com\r\n\r\n", False),
        (b"Delivered-To: ANNA@in.example.com\r\n\r\n", True),
        (b"X: y\r\ndelivered-to:\t<anna@in.example.com>\r\n\r\n", True),
        (b"Received: x\r\n" * 100 + b"\r\n", False),
        (b"received: x\r\n" * 101 + b"\r\n", True),
        (b"X: Received: y\r\n" * 101 + b"\r\n", False),
        (b"", False),
    ],
)
def test_loops(message, body, circles):
    assert goes_in_circles(message(body=body)) is circles
