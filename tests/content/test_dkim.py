from __future__ import annotations

import base64
import contextlib
import re
import types

import dkim
import dkim.crypto
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bulkmail.content.dkim import (
    ONCE,
    SIGNED,
    DkimKeyError,
    Signer,
    keys_for,
    load_key,
    matches,
    relaxed_end,
    relaxed_field,
    signing_key,
)

HEAD = (
    b"From: =?utf-8?q?B=C3=BCcher?=\r\n =?utf-8?q?_mit_Rabatt?= <news@example.com>\r\n"
    b"To: ann@example.org\r\n"
    b"Subject:  spring \t is   here \r\n"
    b"Date: Mon, 23 Nov 2026 09:00:00 +0000\r\n"
    b"Message-ID: <a.b@example.com>\r\n"
    b"X-Other: not signed\r\n"
    b"List-Unsubscribe: <https://example.com/u/t>, <mailto:out@example.com?subject=t>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
)
BODY = b"Dear Ann,\r\n\r\n  some \t text \r\n.\r\nend\r\n\r\n\r\n"


def fields_of(head: bytes) -> dict[str, bytes]:
    fields = {}
    for field in re.split(rb"(?<=\r\n)(?! )", head):
        if field:
            fields[field.partition(b":")[0].decode().lower()] = relaxed_field(field)
    return fields


def relaxed_body(body: bytes) -> bytes:
    """Return any body in relaxed form (RFC 6376 3.4.4); those that `mime` builds come so."""
    body = re.sub(rb"[ \t]+", b" ", body)
    return relaxed_end(body.replace(b" \r\n", b"\r\n").removesuffix(b" "))


def signed(keys, head: bytes = HEAD, body: bytes = BODY) -> bytes:
    return Signer(keys).sign(fields_of(head), relaxed_body(body), 1_795_424_400) + head + b"\r\n" + body


def records(*keys):
    """The DNS of the keys, as dkimpy asks for it."""
    zone = {}
    for key in keys:
        public = key.key.public_key()
        if key.algorithm == "rsa-sha256":
            der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
            record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)
        else:
            raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            record = b"v=DKIM1; k=ed25519; p=" + base64.b64encode(raw)
        zone[f"{key.selector}._domainkey.{key.domain}.".encode()] = record
    return lambda name, **_named: zone.get(name)


@pytest.fixture(autouse=True)
def nacl(monkeypatch):
    """PyNaCl's two classes that dkimpy verifies Ed25519 with, on top of cryptography."""

    class BadSignatureError(Exception):
        pass

    class VerifyKey:
        def __init__(self, data, encoder):
            self._key = Ed25519PublicKey.from_public_bytes(base64.b64decode(data))

        def verify(self, message, signature):
            try:
                self._key.verify(signature, message)
            except InvalidSignature:
                raise BadSignatureError from None
            return message

    stand_in = types.SimpleNamespace(
        signing=types.SimpleNamespace(VerifyKey=VerifyKey),
        encoding=types.SimpleNamespace(Base64Encoder=None),
        exceptions=types.SimpleNamespace(BadSignatureError=BadSignatureError, ValueError=ValueError),
    )
    monkeypatch.setattr(dkim, "nacl", stand_in, raising=False)


@pytest.fixture
def rsa_key(rsa_pem):
    return signing_key({"domain": "example.com", "selector": "s1", "pem": rsa_pem})


@pytest.fixture
def ed_key(ed25519_pem):
    return signing_key({"domain": "example.com", "selector": "e1", "pem": ed25519_pem})


def test_rsa_is_verified_by_another_implementation(rsa_key):
    assert dkim.verify(signed([rsa_key]), dnsfunc=records(rsa_key))


def test_ed25519_is_verified_by_another_implementation(ed_key):
    assert dkim.verify(signed([ed_key]), dnsfunc=records(ed_key))


def test_both_signatures_stand_side_by_side(rsa_key, ed_key):
    message = signed([rsa_key, ed_key])
    assert message.count(b"DKIM-Signature:") == 2
    for number in (0, 1):
        assert dkim.DKIM(message).verify(idx=number, dnsfunc=records(rsa_key, ed_key))


@pytest.mark.parametrize("which", ["rsa_key", "ed_key"])
def test_a_changed_byte_is_noticed(which, request):
    key = request.getfixturevalue(which)
    message, dns = signed([key]), records(key)
    for old, new in [
        (b"Dear Ann", b"Dear Bob"),
        (b"<news@example.com>", b"<evil@example.com>"),
        (b"spring", b"winter"),
        (b"/u/t>", b"/u/x>"),
        (b"=One-Click", b"=Two-Click"),
        (b"t=1795424400", b"t=1795424401"),
    ]:
        assert old in message
        changed = message.replace(old, new)
        with contextlib.suppress(dkim.DKIMException):
            assert not dkim.verify(changed, dnsfunc=dns), old
    assert dkim.verify(message.replace(b"not signed", b"never was"), dnsfunc=dns)


def test_a_second_from_breaks_it(rsa_key):
    message = signed([rsa_key]).replace(b"To: ann", b"From: evil@example.net\r\nTo: ann")
    assert not dkim.verify(message, dnsfunc=records(rsa_key))


def test_the_signature_field_is_folded_and_says_what_it_signs(rsa_key):
    field = signed([rsa_key], HEAD).partition(b"From: =?")[0]
    assert max(map(len, field.split(b"\r\n"))) < 78
    listed = re.search(rb"h=([^;]*);", field.replace(b"\r\n ", b""))[1].decode().split(":")
    assert listed[:2] == ["from", "from"]
    present = [name for name in SIGNED if name in fields_of(HEAD)]
    assert sorted(listed) == sorted(present + [name for name in present if name in ONCE])
    assert b"x-other" not in field


def test_the_same_input_has_the_same_bytes(rsa_key, ed_key):
    assert signed([rsa_key, ed_key]) == signed([rsa_key, ed_key])


BODIES = st.lists(
    st.sampled_from([b"a", b" ", b"\t", b"\r\n", b"\r\n\r\n", b"word  word", b".", b"  \r\n"]), max_size=12
).map(lambda pieces: b"".join([*pieces, b"\r\n"]) if pieces else b"")


@settings(max_examples=200)
@given(BODIES)
@example(b"")
@example(b"\r\n")
@example(b" \r\n")
def test_bodies_are_canonicalised_as_the_rfc_says(body):
    assert relaxed_body(body) == dkim.canonicalization.Relaxed.canonicalize_body(body)
    assert relaxed_end(relaxed_body(body)) == relaxed_body(body)


def test_a_body_without_a_line_end_gets_one():
    assert relaxed_body(b"no  line end ") == b"no line end\r\n"
    assert relaxed_body(b" ") == b""


@pytest.mark.parametrize(
    "field",
    [
        b"Subject: x\r\n",
        b"SUBJect:\t x  y \t z \r\n",
        b"Content-Type: a;\r\n b=c\r\n",
        b"X:  \r\n",
        b"A: x\r\n \r\n y\r\n",
    ],
)
def test_fields_are_canonicalised_as_the_rfc_says(field):
    name, _, value = field.partition(b":")
    ((low, relaxed),) = dkim.canonicalization.Relaxed.canonicalize_headers([(name, value)])
    assert relaxed_field(field) == low + b":" + relaxed


@settings(max_examples=60)
@given(BODIES)
def test_any_body_is_verified(rsa_pem, body):
    key = signing_key({"domain": "example.com", "selector": "s1", "pem": rsa_pem})
    assert dkim.verify(signed([key], body=body), dnsfunc=records(key))


def test_the_nearest_key_of_each_kind_signs(rsa_pem, ed25519_pem):
    entries = [
        {"domain": "example.com", "selector": "s1", "pem": rsa_pem},
        {"domain": "news.example.com", "selector": "s2", "pem": rsa_pem},
        {"domain": "News.Example.com.", "selector": "s3", "pem": rsa_pem},
        {"domain": "example.com", "selector": "e1", "pem": ed25519_pem},
        {"domain": "other.example", "selector": "x", "pem": b"broken, but not ours"},
    ]
    assert [(key.domain, key.selector) for key in keys_for("news.example.com", entries)] == [
        ("news.example.com", "s2"),
        ("example.com", "e1"),
    ]
    assert [key.selector for key in keys_for("example.com", entries)] == ["s1", "e1"]
    assert keys_for("example.org", entries) == []
    assert not Signer([])


def test_domains_match_whole_labels_only():
    assert matches("example.com", "example.com")
    assert matches("a.b.example.com", "EXAMPLE.com.")
    assert matches("a.xn--bcher-kva.example", "bücher.example")
    assert not matches("badexample.com", "example.com")
    assert not matches("example.com", "news.example.com")
    assert not matches("example.com", "exa mple\u2028.com")


def test_what_is_no_key_is_told(ec_pem, rsa_pem):
    public = load_key(rsa_pem).public_key()
    spki = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    locked = load_key(rsa_pem).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    )
    for pem, words in [
        (b"", "not a key in PEM form"),
        (b"v=DKIM1; p=abc", "not a key in PEM form"),
        (spki, "no private key"),
        (locked, "password"),
        (ec_pem, "neither RSA nor Ed25519"),
        (rsa_pem[: len(rsa_pem) // 2], "cannot be read"),
        (rsa_pem.replace(b"MII", b"AAA", 1), "cannot be read"),
    ]:
        with pytest.raises(DkimKeyError, match=words):
            load_key(pem)


def test_a_selector_that_is_no_dns_name_is_told(rsa_pem):
    with pytest.raises(DkimKeyError, match="DNS record"):
        signing_key({"domain": "example.com", "selector": "s 1; d=evil", "pem": rsa_pem})
    with pytest.raises(DkimKeyError, match="DNS record"):
        signing_key({"domain": "localhost", "selector": "s1", "pem": rsa_pem})


def test_a_short_rsa_key_is_refused(monkeypatch):
    key = rsa.generate_private_key(65537, 1024)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    load_key(pem)
    monkeypatch.setattr("bulkmail.content.dkim._SMALLEST_RSA", 2048)
    load_key.cache_clear()
    with pytest.raises(DkimKeyError, match="1024 bits"):
        load_key(pem)
    load_key.cache_clear()
