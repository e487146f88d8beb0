from __future__ import annotations

import quopri
import re
from base64 import b64decode
from email import message_from_bytes, policy

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bulkmail.content.dkim import relaxed_body, relaxed_end
from bulkmail.content.mime import (
    TextEncoder,
    attachment,
    base64_lines,
    lines_of,
    multipart,
    quoted_printable,
    relaxed_lines,
    text_part,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
# what is special somewhere on the way: dots, From, blanks at line ends, long lines, CR, the encoder's own mark
PIECES = st.one_of(
    TEXTS,
    st.sampled_from(
        [
            ".",
            "\n.\n",
            "From here\n",
            "\nFrom " + "x" * 80,
            "x" * 71 + "From y\n",
            " \n",
            "\t\n",
            "=\n",
            "=3D",
            "\r\n",
            "\r",
            "\n",
            "\n\n\n",
            "a" * 200,
            "é" * 90,
            "\x01\n",
            "\n\x01\n",
            "x" * 75 + "..\n",
            "..." + "x" * 73 + "." * 80 + "\n",
            "=." * 60,
            ". \n",
            "--=_aboundary\n",
            "  ",
        ]
    ),
)


def canonical(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.endswith("\n") else text + "\n"


def on_the_wire(body: bytes) -> None:
    assert body.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", body)
    for line in body.split(b"\r\n"):
        assert len(line) <= 76
        assert not line.startswith(b"From ")
        assert not line.startswith(b".")
        assert not line.endswith((b" ", b"\t"))


def read(transfer: str, wire: bytes) -> str:
    data = b64decode(wire) if transfer == "base64" else quopri.decodestring(wire)
    return data.decode("utf-8").replace("\r\n", "\n")


@settings(max_examples=200)
@given(st.lists(PIECES, max_size=8), st.sets(st.integers(0, 7)))
@example(["a\n\nb", "\x01", "c\n\nd"], {0, 2})
@example(["a\r", "\nb\nc\n"], {1})
@example([], set())
@example(["\n"], {0})
@example(["x\n", "\n"], {0, 1})
def test_any_pieces_known_or_not_come_back_as_written(pieces, known):
    encoder = TextEncoder([piece for at, piece in enumerate(pieces) if at in known])
    transfer, body = encoder.encode(pieces)
    on_the_wire(body.wire)
    assert read(transfer, body.wire) == canonical("".join(pieces))
    assert relaxed_end(body.relaxed) == relaxed_body(body.wire)
    assert (transfer, body) == TextEncoder().encode(["".join(pieces)])


@settings(max_examples=200)
@given(st.lists(PIECES, min_size=1, max_size=5), st.lists(st.lists(PIECES, max_size=5), max_size=4))
@example(["b. ", " c", "\nFr", "y"], [["a" * 73, ".", "\n"], ["om ", "x"], [" ", "\n"], ["", " ", " "]])
@example(["x" * 74, "\n", ".", "F"], [["", "\0"], ["rom x"], ["\n", "rom x"], ["é", "\r", "\n"]])
@example(["x" * 70, "y\n"], [["abcdef"], ["abcde"], ["abcd f"], ["abcde "]])
def test_an_encoder_that_has_seen_much_writes_what_a_whole_text_gives(plainly_encoded, texts, rows):
    encoder = TextEncoder(texts)
    for row in [*rows, *reversed(rows)]:
        pieces = [piece for pair in zip(texts, [*row, *texts], strict=False) for piece in pair]
        transfer, body = encoder.encode(pieces)
        assert (transfer, body.wire) == plainly_encoded("".join(pieces))
        assert relaxed_end(body.relaxed) == relaxed_body(body.wire)


def test_an_encoder_forgets_what_is_too_much(plainly_encoded, monkeypatch):
    monkeypatch.setattr("bulkmail.content.mime._ROOM", 400)
    monkeypatch.setattr("bulkmail.content.mime._MANY", 3)
    texts = ["<p>Dear ", ", this is for you:\n\n<b>", "</b>\n"]
    encoder = TextEncoder(texts)
    for n in range(20):
        pieces = [texts[0], "é" * n, texts[1], "=" * n, texts[2]]
        assert encoder.encode(pieces)[1].wire == plainly_encoded("".join(pieces))[1]
        assert len(encoder._met) <= 3
    assert sum(step is not None for known in encoder._known.values() for step in known.steps) <= 2


def test_no_line_starts_with_a_dot_or_with_from():
    wire = quoted_printable("From me\n.\n..\n.x\n" + "y" * 75 + "From you\n" + "From " + "z" * 90 + "\n")
    on_the_wire(wire)
    assert wire.startswith(b"=46rom me\r\n=2E\r\n=2E.\r\n=2Ex\r\n")
    assert quopri.decodestring(wire).replace(b"\r\n", b"\n").startswith(b"From me\n.\n..\n.x\n")


def test_the_shorter_transfer_encoding_is_taken():
    assert TextEncoder().encode(["Grüße aus Köln, a mostly Latin text\n"])[0] == "quoted-printable"
    assert TextEncoder().encode(["Весенняя распродажа уже началась\n"])[0] == "base64"
    known = "Весенняя распродажа\n" * 20 + "end "
    assert TextEncoder([known]).encode([known, "Ann"])[0] == "base64"
    assert TextEncoder().encode(["ascii only\n"]) == ("quoted-printable", (b"ascii only\r\n", b"ascii only\r\n"))


def test_half_a_surrogate_pair_is_an_error():
    with pytest.raises(UnicodeEncodeError):
        TextEncoder().encode(["x\udc00"])


def test_line_ends():
    assert lines_of("a\r\nb\rc\n") == "a\nb\nc\n"
    assert relaxed_lines(b"a \t  b\r\n") == b"a b\r\n"


@given(st.binary(max_size=300))
def test_base64_lines(data):
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
        [text_part("plain", encoder, ["--=_a1\nplain  text\n"]), text_part("html", encoder, ["<p>rich</p>"])],
    )
    outer = multipart("mixed", "=_m1", [inner, attachment("a  b.pdf", b"x")])
    parsed = message_from_bytes(outer.fields + b"\r\n" + outer.body.wire, policy=policy.default)
    kinds = [part.get_content_type() for part in parsed.walk()]
    assert kinds == ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "application/pdf"]
    # the last line end belongs to the boundary (RFC 2046 5.1.1)
    assert parsed.get_body(("plain",)).get_content() == "--=_a1\r\nplain  text"
    assert parsed.get_body(("html",)).get_content() == "<p>rich</p>"
    assert not any(part.defects for part in parsed.walk())
    assert relaxed_end(outer.body.relaxed) == relaxed_body(outer.body.wire)
