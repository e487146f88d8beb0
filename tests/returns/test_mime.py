from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.returns.mime import (
    LOOKED_AT,
    Fields,
    Part,
    cut,
    media_type,
    parameters,
    sections,
    split,
    text_of,
)


def octets(text):
    return text.replace("\n", "\r\n").encode()


def test_fields_are_unfolded_and_found_in_any_case():
    fields = Fields(b"Subject: one\r\n\ttwo\r\n three\r\nTo:a@b\r\nSUBJECT: second\r\nno field\r\n")
    assert fields.get("subject") == "one two three"
    assert fields.all("subject") == ["one two three", "second"]
    assert fields.get("to") == "a@b"
    assert fields.get("from") == ""
    assert "to" in fields
    assert "from" not in fields
    assert fields.names == ["subject", "to", "subject"]
    assert fields.broken == 1


def test_fields_are_bounded():
    many = Fields(b"".join(b"X-%d: a\r\n" % number for number in range(2000)))
    assert len(many.names) == 300
    assert len(Fields(b"X: " + b"a" * 100_000).get("x")) == 8 * 1024
    assert len(Fields(b"X: a\r\n" + b" bbbbbbbbb\r\n" * 10_000).get("x")) == 8 * 1024


@pytest.mark.parametrize("raw", ["Grüße".encode(), "Grüße".encode("latin-1"), b"\xff\xfe\x00"])
def test_raw_octets_become_text(raw):
    assert Fields(b"Subject: " + raw).get("subject")
    assert "Gr" in text_of(raw) or raw[0] == 255


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("", "text/plain"),
        ("garbage", "text/plain"),
        ("Text/HTML; charset=utf-8", "text/html"),
        ("multipart/mixed;boundary=x", "multipart/mixed"),
    ],
)
def test_the_media_type(value, kind):
    assert media_type(value) == kind


def test_parameters_with_and_without_blanks_and_quotes():
    assert parameters('multipart/mixed;boundary="a b/host"; report-type=x;Charset = utf-8') == {
        "boundary": "a b/host",
        "report-type": "x",
        "charset": "utf-8",
    }
    assert parameters('a/b; boundary="1"; boundary=2')["boundary"] == "1"


def test_header_and_body():
    assert cut(b"A: b\r\n\r\nbody") == (b"A: b", b"body")
    assert cut(b"A: b\n\nbody\n\nmore") == (b"A: b", b"body\n\nmore")
    assert cut(b"\r\nbody") == (b"", b"body")
    assert cut(b"A: b") == (b"A: b", b"")


def test_sections_of_a_multipart():
    body = octets("preamble\n--b\nA: 1\n\none\n--b\n\n--b\ntwo\n--bb\nstill two\n--b--\nepilogue\n--b\nno")
    assert sections(body, "b") == ([b"A: 1\r\n\r\none", b"", b"two\r\n--bb\r\nstill two"], True)


def test_a_missing_last_delimiter_is_told():
    assert sections(b"--b\none", "b") == ([b"one"], False)
    assert sections(b"one", "b") == ([], True)
    assert sections(b"--b\none", "") == ([], True)
    cut_off = split(b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo")
    assert [(part.text(), part.open) for part in cut_off.parts] == [("one", False), ("two", True)]


def test_a_message_in_parts():
    message = split(
        octets(
            'Subject: x\nContent-Type: multipart/mixed; boundary="o"\n\n--o\n'
            "Content-Type: multipart/report; boundary=i\n\n--i\n\nplain\n--i\nContent-Type: message/delivery-status\n\n"
            "A: b\n--i--\n--o\nContent-Type: text/plain\n\nfooter\n--o--\n"
        )
    )
    assert [part.type for part in message.parts] == ["text/plain", "message/delivery-status", "text/plain"]
    assert message.parts[0].text() == "plain"
    assert message.type == "multipart/mixed"
    assert not message.recovered


def test_a_part_without_a_header_of_its_own():
    """sendmail puts an empty line, others not even that."""
    message = split(octets("Content-Type: multipart/report; boundary=b\n\n--b\nThe letter was lost\n--b--\n"))
    assert message.parts[0].text() == "The letter was lost"


def test_a_multipart_that_no_field_tells_of():
    message = split(
        octets("Subject: x\n\nThis is MIME\n\n--b\nContent-Type: text/plain\n\na\n--b\n"
               "Content-Type: message/delivery-status\n\nA: b\n--b--\n")
    )  # fmt: skip
    assert message.recovered
    assert [part.type for part in message.parts] == ["text/plain", "message/delivery-status"]


def test_the_parts_of_an_enclosed_letter_are_not_taken_for_the_message_s_own():
    message = split(octets("Subject: x\n\nA copy:\n\n--b\nContent-Type: text/plain\n\na\n--b--\n"))
    assert not message.recovered
    assert len(message.parts) == 1


def test_what_stands_before_the_header_is_passed_over():
    assert split(b"\r\n\r\nSubject: x\r\n\r\nbody").fields.get("subject") == "x"
    assert split(b"From joe@d.example Tue Dec  1\r\nSubject: x\r\n\r\nbody").fields.get("subject") == "x"


def test_transfer_encodings():
    def part(encoding, body):
        return Part("text/plain", Fields(f"Content-Transfer-Encoding: {encoding}".encode()), body)

    assert part("quoted-printable", b"a=3Db=\r\nc").text() == "a=bc"
    assert part("quoted-printable", b"550 5.1.1 us= \t\r\ner unknown").text() == "550 5.1.1 user unknown"
    assert part("BASE64", base64.encodebytes(b"hello\r\n")).text() == "hello\n"
    assert part("base64", b"a").text() == ""
    assert part("base64", b"!!!!").octets() == b""
    assert part("8bit", "ü".encode()).text() == "ü"


def test_charsets():
    def text(charset, body):
        return Part("text/plain", Fields(f"Content-Type: text/plain; charset={charset}".encode()), body).text()

    assert text("iso-8859-2", b"\xb1") == "ą"
    assert text("koi8-r", "я".encode("koi8-r")) == "я"
    assert text("iso-none", b"\xe9") == "é"
    assert text("rot13", b"\xe9") == "é"


def test_bounds():
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(3000))
    assert len(split(b"Subject: x\n" + deep).parts) == 1
    wide = split(b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 20_000)
    assert len(wide.parts) == 40
    assert len(split(b"Subject: x\n\n" + b"a" * 10 * LOOKED_AT).parts[0].body) < LOOKED_AT


@given(st.binary(max_size=400))
def test_any_bytes_are_cut_into_parts(some):
    message = split(some)
    assert len(message.parts) >= 1
    for part in message.parts:
        assert "\r" not in part.text()


@given(st.lists(st.text(st.sampled_from("ab-\n: "), max_size=30), min_size=1, max_size=8))
def test_what_is_put_together_comes_apart(bodies):
    bodies = [body.encode() for body in bodies if "--q=q" not in body]
    whole = b"".join(b"--q=q\n" + body + b"\n" for body in bodies) + b"--q=q--\n"
    if bodies:
        assert sections(whole, "q=q") == (bodies, True)
