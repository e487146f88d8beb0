from __future__ import annotations

import base64
import json
import re
from email import message_from_bytes, policy

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bulkmail.content.compose import Composer
from bulkmail.content.dkim import load_key
from bulkmail.content.headers import parse_mailbox
from bulkmail.content.ways_back import WaysBack, asks_for_complaints, return_path, signing_keys
from bulkmail.mail import campaign_key, parse_address, read_token, token

KEY = campaign_key(b"s" * 32, 7)
INBOUND = "bounces.example.com"


@pytest.fixture(scope="module")
def other_pem():
    key = rsa.generate_private_key(65537, 1024)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def answers(content, numbers=(1, 2)):
    composer = Composer()
    composer.handle(("load", 7, content))
    rows = [(100 + n, n, f"r{n}@example.org", 1_795_424_400.0, 0, json.dumps(["", "Ann"])) for n in numbers]
    return composer.handle(("compose", 7, rows))


def records(*keys):
    found = {}
    for domain, selector, pem in keys:
        der = (
            load_key(pem)
            .public_key()
            .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        found[f"{selector}._domainkey.{domain}.".encode()] = b"v=DKIM1; p=" + base64.b64encode(der)
    return lambda name, **_: found.get(name)


def entries(*keys):
    return [{"domain": domain, "selector": selector, "pem": pem} for domain, selector, pem in keys]


def header(message):
    return message_from_bytes(message, policy=policy.default)


def test_each_recipient_has_a_return_path_of_its_own_that_a_retry_has_too(make):
    content = make(key=KEY, inbound=INBOUND)
    senders = [answer[2] for answer in answers(content)]
    assert senders == [f"bounces+{token(KEY, n)}@{INBOUND}" for n in (1, 2)]
    assert [answer[2] for answer in answers(content, (2,))] == senders[1:]
    assert read_token(b"s" * 32, senders[1].partition("+")[2].partition("@")[0]) == (7, 2)
    assert all(parse_address(sender) for sender in senders)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "news@example.com"),
        ({"envelope_from": "b@example.net"}, "b@example.net"),
        ({"envelope_from": "b@example.net", "inbound": INBOUND}, "b@example.net"),
        ({"inbound": INBOUND, "bounces": "shared"}, f"bounces+{token(KEY, 0)}@{INBOUND}"),
    ],
)
def test_return_paths_that_all_share(make, changes, expected):
    assert [answer[2] for answer in answers(make(key=KEY, **changes))] == [expected] * 2


def test_a_message_that_is_the_same_for_all_may_have_return_paths_that_are_not(make):
    same = {"to": "Readers <r@example.com>", "subject": "x", "html": "x", "text": "x", "same_for_all": True}
    content = make(**same, key=KEY, inbound=INBOUND, date=1.0)
    one, two = answers(content)
    assert one[1] is two[1]
    assert [one[2], two[2]] == [f"bounces+{token(KEY, n)}@{INBOUND}" for n in (1, 2)]
    one, two = answers({**content, "bounces": "shared"})
    assert one[1:3] == two[1:3]
    assert one[2] == f"bounces+{token(KEY, 0)}@{INBOUND}"


def test_a_test_message_says_so_everywhere(make, rsa_pem):
    content = make(
        key=KEY,
        inbound=INBOUND,
        token_mark="test-",
        dkim=entries(("example.com", "s", rsa_pem)),
        unsubscribe={"url": "https://example.com/u/{{ token }}", "mailto": f"unsubscribe+{{{{ token }}}}@{INBOUND}"},
    )
    ((_, message, sender, _),) = answers(content, (1,))
    mark, mail = f"test-{token(KEY, 1)}", header(message)
    assert sender == f"bounces+{mark}@{INBOUND}"
    assert parse_address(sender)
    assert mail["cfbl-address"] == f"complaints+{mark}@{INBOUND}; report=arf"
    assert mail["list-unsubscribe"] == (
        f"<https://example.com/u/{mark}>, <mailto:unsubscribe+{mark}@{INBOUND}?subject=unsubscribe>"
    )
    assert f".{mark}@" in mail["message-id"]


def test_complaints_are_asked_for_under_a_signature_that_no_second_field_survives(make, rsa_pem):
    key = ("example.com", "s", rsa_pem)
    content = make(key=KEY, inbound=INBOUND, dkim=entries(key), unsubscribe={"url": "https://example.com/{{ token }}"})
    ((_, message, _, _),) = answers(content, (1,))
    mail = header(message)
    assert mail["cfbl-address"] == f"complaints+{token(KEY, 1)}@{INBOUND}; report=arf"
    assert mail["cfbl-feedback-id"] == token(KEY, 1)
    assert max(map(len, message.partition(b"\r\n\r\n")[0].split(b"\r\n"))) <= 78
    assert dkim.verify(message, dnsfunc=records(key))
    signed = re.search(rb"h=([^;]*);", message.replace(b"\r\n ", b""))[1].split(b":")
    for name in (b"from", b"list-unsubscribe", b"list-unsubscribe-post", b"list-id", b"feedback-id", b"cfbl-address"):
        assert signed.count(name) == 2, name
        second = name.title() + b": <https://evil.example/>\r\n"
        assert not dkim.verify(second + message, dnsfunc=records(key)), name
    assert not dkim.verify(message.replace(b"report=arf", b"report=xarf"), dnsfunc=records(key))


@pytest.mark.parametrize(
    ("sender", "key_domain", "inbound", "asked"),
    [
        ("example.com", "example.com", "example.com", True),
        ("example.com", "example.com", "bounces.example.com", True),
        ("news.example.com", "example.com", "in.news.example.com", True),
        ("news.example.com", "example.com", "bounces.example.com", True),
        ("news.example.com", "news.example.com", "bounces.example.com", False),
        ("example.com", "example.com", "mailer.example", False),
        ("example.com", "example.com", "", False),
    ],
)
def test_who_may_be_sent_complaints(rsa_pem, sender, key_domain, inbound, asked):
    keys = signing_keys(sender, inbound, entries((key_domain, "s", rsa_pem)))
    assert len(keys) == 1
    assert asks_for_complaints(sender, inbound, keys) is asked


def test_where_they_go_to_another_owner_both_sign(make, rsa_pem, other_pem):
    keys = [("example.com", "s", rsa_pem), ("mailer.example", "m", other_pem), ("third.example", "t", b"no key")]
    content = make(key=KEY, inbound="in.mailer.example", dkim=entries(*keys))
    ((_, message, _, _),) = answers(content, (1,))
    assert header(message)["cfbl-address"].startswith("complaints+")
    assert re.findall(rb"\r\n d=([^;]*);", message) == [b"example.com", b"mailer.example"]
    for number in (0, 1):
        assert dkim.DKIM(message).verify(idx=number, dnsfunc=records(*keys[:2]))
    ((_, message, _, _),) = answers({**content, "inbound": INBOUND}, (1,))
    assert re.findall(rb"\r\n d=([^;]*);", message) == [b"example.com"]


def test_they_are_asked_for_under_no_signature_at_all_in_vain(make):
    assert b"CFBL" not in answers(make(key=KEY, inbound=INBOUND))[0][1]


def test_the_authors_own_field_wins(make, rsa_pem):
    content = make(
        key=KEY,
        inbound=INBOUND,
        dkim=entries(("example.com", "s", rsa_pem)),
        headers={"cfbl-address": "fbl@example.com; report=arf"},
    )
    mail = header(answers(content)[0][1])
    assert mail.get_all("cfbl-address") == ["fbl@example.com; report=arf"]
    assert mail["cfbl-feedback-id"] is None


def test_a_long_domain_has_its_field_folded(make, rsa_pem):
    content = make(
        key=KEY,
        inbound="returned-mail.of-a-long-name.example.com",
        dkim=entries(("example.com", "s", rsa_pem)),
    )
    message = answers(content)[0][1]
    assert b";\r\n report=arf\r\n" in message
    assert dkim.verify(message, dnsfunc=records(("example.com", "s", rsa_pem)))


def test_contents_of_before_have_no_ways_back_but_the_sender(make):
    content = make()
    assert not {"inbound", "bounces", "list", "kind"} & set(content)
    ways = WaysBack(content, parse_mailbox(content["from"])[1], ())
    assert ways.sender("t") == "news@example.com"
    assert not ways.own_for_each
    assert ways.complaint_fields("t") == {}


def test_the_return_path_of_a_campaign_that_is_told_later():
    content = {"from": "Shop <news@example.com>", "envelope_from": None, "headers": {}, "key": b"k" * 32}
    assert return_path(content)("t1") == "news@example.com"
    assert return_path({**content, "inbound": "in.example.com"})("t1") == "bounces+t1@in.example.com"
    assert return_path({**content, "envelope_from": "b@b.example", "inbound": "in.example.com"})("t1") == "b@b.example"
