from __future__ import annotations

import quopri
from base64 import b64decode

import pytest
from dkim.canonicalization import Relaxed
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bulkmail.content.dkim import relaxed_end
from bulkmail.content.encoder import TextEncoder
from bulkmail.content.templates import printed
from bulkmail.mail import plain_lines

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


def read(transfer: str, wire: bytes) -> str:
    data = b64decode(wire) if transfer == "base64" else quopri.decodestring(wire)
    return data.decode("utf-8").replace("\r\n", "\n")


@settings(max_examples=2 * settings.default.max_examples)
@given(st.lists(PIECES, max_size=8), st.sets(st.integers(0, 7)))
@example(["a\n\nb", "\x01", "c\n\nd"], {0, 2})
@example(["a\r", "\nb\nc\n"], {1})
@example([], set())
@example(["\n"], {0})
@example(["x\n", "\n"], {0, 1})
def test_any_pieces_known_or_not_come_back_as_written(on_the_wire, pieces, known):
    encoder = TextEncoder([piece for at, piece in enumerate(pieces) if at in known])
    transfer, body = encoder.encode(pieces)
    on_the_wire(body.wire)
    assert read(transfer, body.wire) == canonical("".join(pieces))
    assert relaxed_end(body.relaxed) == Relaxed.canonicalize_body(body.wire)
    assert plain_lines(body.wire)
    at_once, same = TextEncoder().encode(["".join(pieces)])
    assert (transfer, body.wire, body.relaxed) == (at_once, same.wire, same.relaxed)


@settings(max_examples=2 * settings.default.max_examples)
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
        assert relaxed_end(body.relaxed) == Relaxed.canonicalize_body(body.wire)


@given(st.lists(st.lists(PIECES, max_size=4), max_size=4), st.lists(PIECES, max_size=4))
@example([["a "], ["\n"]], [])
def test_what_macros_print_is_encoded_piece_by_piece(plainly_encoded, macros, texts):
    encoder = TextEncoder(texts)
    inner = [printed(pieces) for pieces in macros]
    pieces = [*texts, *inner, "x", printed([*inner, *texts])]
    for _ in range(2):
        transfer, body = encoder.encode(pieces)
        assert (transfer, body.wire) == plainly_encoded("".join(pieces))
        assert relaxed_end(body.relaxed) == Relaxed.canonicalize_body(body.wire)


@pytest.mark.parametrize("before", ["x", "x ", "\n", "é"])
@pytest.mark.parametrize("after", ["y\n", "\n", " \n", " From\n", ".", "rom x\n"])
@pytest.mark.parametrize(
    "value",
    ["https://shop.example/unsubscribe/" + "abcdefgh" * 4, "a b " * 40 + "c", "F", ".", "." * 160, "From " * 40],
)
def test_a_value_that_is_plain_is_broken_where_a_whole_text_would_be(plainly_encoded, before, after, value):
    encoder = TextEncoder()
    for column in range(80):
        pieces = ["z" * column + before, value, after]
        transfer, body = encoder.encode(pieces)
        assert (transfer, body.wire) == plainly_encoded("".join(pieces))
        assert relaxed_end(body.relaxed) == Relaxed.canonicalize_body(body.wire)


def test_an_encoder_forgets_what_is_too_much(plainly_encoded, monkeypatch):
    monkeypatch.setattr("bulkmail.content.encoder._ROOM", 400)
    monkeypatch.setattr("bulkmail.content.encoder._MANY", 3)
    texts = ["<p>Dear ", ", this is for you:\n\n<b>", "</b>\n"]
    encoder = TextEncoder(texts)
    for n in range(20):
        pieces = [texts[0], "é" * n, texts[1], "=" * n, texts[2]]
        assert encoder.encode(pieces)[1].wire == plainly_encoded("".join(pieces))[1]
        assert sum(map(len, encoder._tables)) <= 3
    assert sum(step is not None for known in encoder._known.values() for step in known.steps) <= 2


def test_what_is_one_rows_own_is_not_remembered_and_what_comes_again_is(plainly_encoded):
    encoder = TextEncoder(["<a href='", "'>", "</a>\n"])
    for n in range(50):
        token = f"token{n}abc"
        pieces = ["<a href='", f"https://x.example/{token}", "'>", f"p{n}@x.example", " from Köln ", "Bath", "</a>\n"]
        transfer, body = encoder.encode(pieces, token)
        assert (transfer, body.wire) == plainly_encoded("".join(pieces))
    remembered = {piece for table in encoder._tables for piece in table}
    assert remembered == {"<a href='", "'>", " from Köln ", "Bath", "</a>\n"}


def test_the_shorter_transfer_encoding_is_taken():
    assert TextEncoder().encode(["Grüße aus Köln, a mostly Latin text\n"])[0] == "quoted-printable"
    assert TextEncoder().encode(["Весенняя распродажа уже началась\n"])[0] == "base64"
    known = "Весенняя распродажа\n" * 20 + "end "
    assert TextEncoder([known]).encode([known, "Ann"])[0] == "base64"
    transfer, body = TextEncoder().encode(["ascii only\n"])
    assert (transfer, body.wire, body.relaxed) == ("quoted-printable", b"ascii only\r\n", b"ascii only\r\n")


def test_half_a_surrogate_pair_is_an_error():
    with pytest.raises(UnicodeEncodeError):
        TextEncoder().encode(["x\udc00"])
