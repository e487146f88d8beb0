from __future__ import annotations

import quopri
import time
from base64 import b64decode
from email import message_from_bytes, policy

import pytest
from dkim.canonicalization import Relaxed
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.content.dkim import relaxed_end
from bulkmail.content.encoder import TextEncoder
from bulkmail.content.mime import attachment, base64_lines, lines_of, multipart, quoted_printable, relaxed_lines


def test_no_line_starts_with_a_dot_or_with_from(on_the_wire):
    wire = quoted_printable("From me\n.\n..\n.x\n" + "y" * 75 + "From you\n" + "From " + "z" * 90 + "\n")
    on_the_wire(wire)
    assert wire.startswith(b"=46rom me\r\n=2E\r\n=2E.\r\n=2Ex\r\n")
    assert quopri.decodestring(wire).replace(b"\r\n", b"\n").startswith(b"From me\n.\n..\n.x\n")


@given(
    st.lists(st.sampled_from([".", "." * 80, "\n.", "\n", " ", "\t", "a", "x" * 74 + ".", "é" * 40, "="])).map("".join)
)
def test_however_many_dots_there_are_the_text_reads_back(on_the_wire, text):
    text += "x\n"
    wire = quoted_printable(text)
    on_the_wire(wire)
    assert quopri.decodestring(wire).replace(b"\r\n", b"\n").decode() == text


@pytest.mark.heavy
@pytest.mark.parametrize("text", ["." * 1_000_000, ".x\n" * 200_000])
def test_dots_at_the_start_of_lines_cost_no_more_than_their_length(text):
    begun = time.process_time()
    quoted_printable(text)
    assert time.process_time() - begun < 5  # minutes while each dot had all of the text copied


def test_line_ends():
    assert lines_of("a\r\nb\rc\n") == "a\nb\nc\n"
    assert relaxed_lines(b"a \t  b\r\n") == b"a b\r\n"


@given(st.binary(max_size=300))
def test_base64_lines(on_the_wire, data):
    wire = base64_lines(data)
    assert b64decode(wire) == data
    on_the_wire(wire)
    assert not data or wire.endswith(b"\r\n")


@pytest.mark.parametrize(
    ("name", "data", "kind", "charset"),
    [
        ("terms.pdf", b"%PDF", "application/pdf", None),
        ("photo.JPG", b"\xff\xd8", "image/jpeg", None),
        ("list.csv", "Zürich".encode(), "text/csv", "utf-8"),
        ("list.csv", "Zürich".encode("latin-1"), "text/csv", None),
        ("data.tar.gz", b"x", "application/octet-stream", None),
        ("mail.eml", b"From: x\r\n", "application/octet-stream", None),
        ("no-ending", b"", "application/octet-stream", None),
    ],
)
def test_attachments_arrive(name, data, kind, charset):
    part = attachment(name, data)
    parsed = message_from_bytes(part.fields + b"\r\n" + part.body.wire, policy=policy.default)
    assert parsed.get_content_type() == kind
    assert parsed.get_content_disposition() == "attachment"
    assert parsed.get_filename() == name
    assert parsed.get_param("charset") == charset
    assert parsed.get_payload(decode=True) == data
    assert parsed["content-transfer-encoding"] == "base64"


def test_a_multipart_holds_its_parts_and_its_canonical_form():
    encoder = TextEncoder()
    inner = multipart(
        "alternative",
        "=_a1",
        [encoder.part("plain", ["--=_a1\nplain  text\n"]), encoder.part("html", ["<p>rich</p>"])],
    )
    outer = multipart("mixed", "=_m1", [inner, attachment("a  b.pdf", b"x")])
    parsed = message_from_bytes(outer.fields + b"\r\n" + outer.body.wire, policy=policy.default)
    kinds = [part.get_content_type() for part in parsed.walk()]
    assert kinds == ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "application/pdf"]
    # the last line end belongs to the boundary (RFC 2046 5.1.1)
    assert parsed.get_body(("plain",)).get_content() == "--=_a1\r\nplain  text"
    assert parsed.get_body(("html",)).get_content() == "<p>rich</p>"
    assert not any(part.defects for part in parsed.walk())
    assert relaxed_end(outer.body.relaxed) == Relaxed.canonicalize_body(outer.body.wire)


@pytest.mark.parametrize("blank", [" ", "\t"])
def test_a_blank_at_the_end_of_a_line_makes_it_no_longer_than_76(blank):
    for length in range(70, 80):
        for dot in ("", "."):
            text = f"{dot}{'0' * length}{blank}\nx\n"
            wire = quoted_printable(text)
            assert max(map(len, wire.split(b"\r\n"))) <= 76, length
            assert quopri.decodestring(wire).replace(b"\r\n", b"\n") == text.encode()
