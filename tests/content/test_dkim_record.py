from __future__ import annotations

import re
from base64 import b64decode, b64encode

import dkim
import dns.rdata
import dns.zone
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.content.dkim import DkimKeyError, load_key
from bulkmail.content.dkim_record import key_in_words, new_pem, record, record_name, wrong_with, zone_lines

RSA, OTHER, ED = new_pem("rsa"), new_pem("rsa"), new_pem("ed25519")


def published(lines: str) -> list[str]:
    """The TXT records of a zone file, read by dnspython."""
    zone = dns.zone.from_text("$TTL 300\n" + lines, origin=".", relativize=False, check_origin=False)
    return [
        b"".join(rdata.strings).decode("ascii")
        for _, rdataset in zone.iterate_rdatasets("TXT")
        for rdata in rdataset
        if all(len(string) <= 255 for string in rdata.strings)
    ]


def public(pem: bytes, encoding: str, form: str) -> str:
    key = load_key(pem).public_key()
    formats = serialization.PublicFormat
    data = key.public_bytes(getattr(serialization.Encoding, encoding), getattr(formats, form))
    return b64encode(data).decode()


def _same_in_every_process(_value):
    """The keys are new each time, and a test's name must not be."""
    return ""


@pytest.mark.parametrize("pem", [RSA, ED], ids=["rsa", "ed25519"])
def test_another_implementation_verifies_by_the_record_as_a_zone_file_has_it(pem, compose):
    dkim_entry = {"domain": "example.com", "selector": "s1", "pem": pem}
    message = compose("Ann", dkim=[dkim_entry])
    (text,) = published(zone_lines("example.com", "s1", pem))
    assert text == record(pem)
    asked = []

    def answer(name, timeout=5):
        asked.append(name)
        return text.encode()

    assert dkim.verify(message, dnsfunc=answer)
    assert asked == [b"s1._domainkey.example.com."]
    assert not dkim.verify(message.replace(b"Ann", b"Bob"), dnsfunc=answer)


def test_a_new_key_is_one_that_signs():
    assert isinstance(load_key(RSA), RSAPrivateKey)
    assert load_key(RSA).key_size == 2048
    assert isinstance(load_key(ED), Ed25519PrivateKey)
    assert len({RSA, new_pem("rsa"), ED, new_pem("ed25519")}) == 4


def test_what_the_records_hold():
    assert re.fullmatch(r"v=DKIM1; k=ed25519; p=[A-Za-z0-9+/]{43}=", record(ED))
    assert len(b64decode(record(ED).partition("p=")[2])) == 32
    assert record(RSA).startswith("v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A")
    assert record_name("example.com", "s1") == "s1._domainkey.example.com"
    assert re.fullmatch(r"RSA-2048 [0-9a-f]{12}", key_in_words(load_key(RSA)))
    assert re.fullmatch(r"Ed25519 [0-9a-f]{12}", key_in_words(load_key(ED).public_key()))
    with pytest.raises(DkimKeyError, match="not a key in PEM form"):
        record(b"x")


P_RSA, P_ED = record(RSA).partition("p=")[2], record(ED).partition("p=")[2]


@pytest.mark.parametrize(
    ("pem", "text"),
    [
        (RSA, record(RSA)),
        (ED, record(ED)),
        (RSA, f"p={P_RSA}"),
        (RSA, f"k=rsa; p={P_RSA};"),
        (RSA, f" v = DKIM1 ;\tk=rsa;h=sha256:sha1; s=email ; t=y:s; n=for bulk mail; p= {P_RSA[:99]} {P_RSA[99:]} ; "),
        (RSA, f"v=DKIM1; k=RSA; p={P_RSA}"),
        (RSA, f"v=DKIM1; g=*; s=*; p={P_RSA}"),
        (ED, f"v=DKIM1; k=ed25519; p={P_ED.rstrip('=')}"),
    ],
    ids=_same_in_every_process,
)
def test_every_form_that_verifiers_take_counts_as_right(pem, text):
    assert wrong_with([text], pem) == ""


@pytest.mark.parametrize(
    ("pem", "texts", "words"),
    [
        (RSA, [], "there is no such record"),
        (RSA, [record(RSA), "v=spf1 -all"], "there are 2 TXT records"),
        (RSA, ["v=spf1 -all"], "the record is no DKIM record: 'v=spf1 -all'"),
        (RSA, [f"v=DKIM1; p={P_RSA}; p={P_RSA}"], "is no DKIM record"),
        (RSA, [f"v=DKIM2; p={P_RSA}"], "v=DKIM2"),
        (RSA, ["v=DKIM1; p="], "revokes the key"),
        (RSA, ["v=DKIM1; p=!!!"], "its p= is no rsa key"),
        (RSA, [f"v=DKIM1; p={P_RSA[:-8]}"], "its p= is no rsa key"),
        (
            RSA,
            [record(ED)],
            f"another key ({key_in_words(load_key(ED))}) than the file ({key_in_words(load_key(RSA))})",
        ),
        (
            RSA,
            [record(OTHER)],
            f"another key ({key_in_words(load_key(OTHER))}) than the file ({key_in_words(load_key(RSA))})",
        ),
        (ED, [f"v=DKIM1; p={P_ED}"], "its p= is no rsa key"),
        (ED, [f"v=DKIM1; k=ed25519; p={public(ED, 'DER', 'SubjectPublicKeyInfo')}"], "most verifiers do not read"),
        (RSA, [f"v=DKIM1; k=rsa; p={public(RSA, 'DER', 'PKCS1')}"], "most verifiers do not read"),
        (RSA, [f"v=DKIM1; h=sha1; p={P_RSA}"], "h=sha1"),
        (RSA, [f"v=DKIM1; s=tlsrpt; p={P_RSA}"], "s=tlsrpt"),
    ],
    ids=_same_in_every_process,
)
def test_what_keeps_verifiers_from_the_key_is_told(pem, texts, words):
    assert words in wrong_with(texts, pem)


@given(st.text(max_size=200))
def test_any_text_under_the_name_is_told_and_nothing_else(text):
    assert wrong_with([text], ED)
    assert wrong_with([f"v=DKIM1; k=ed25519; p={text}"], ED)
