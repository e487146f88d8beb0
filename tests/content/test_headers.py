from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import formatdate, parsedate_to_datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bulkmail.content.headers import (
    clean,
    controls_in,
    date_text,
    file_name,
    is_field_name,
    mailbox,
    parse_mailbox,
    structured,
    unstructured,
)
from bulkmail.mail import AddressError, parse_address

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
_LINE_ENDS = "\r\n\x00\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"


def decoded(field: bytes) -> str:
    """What a reader shows: unfolded, encoded words decoded."""
    value = field.partition(b": ")[2].removesuffix(b"\r\n").decode("ascii").replace("\r\n ", " ")
    if "=?" not in value:
        return value
    return str(make_header(decode_header(value)))


def well_formed(field: bytes) -> None:
    assert field.endswith(b"\r\n")
    lines = field[:-2].split(b"\r\n")
    for line in lines:
        assert b"\r" not in line
        assert b"\n" not in line
        assert len(line) <= 998
        assert line.strip(), "a line of nothing but white space"
    assert all(line.startswith(b" ") for line in lines[1:])


@pytest.mark.parametrize(
    "text",
    [
        "Spring is here",
        "Grüße aus Köln",
        "春の新作コレクションが届きました。どうぞご覧ください",
        "Весенняя распродажа уже началась, приходите",
        "مرحبا بالعالم",
        "שלום עולם",
        "สวัสดีชาวโลก ยินดีต้อนรับสู่ฤดูใบไม้ผลิ",
        "👩‍👩‍👧‍👦 family 🎉🎉🎉 sale",
        "100 % off =?utf-8?q?not_encoded?= twice",
        "x" * 300,
        "short and then " + "y" * 90,
        "a_b=c?d",
        "two  spaces  inside",
        "many short words " * 20,
    ],
)
def test_a_subject_reads_as_it_was_written(text):
    field = unstructured("Subject", text)
    well_formed(field)
    assert decoded(field) == text.strip()
    assert all(len(line) <= 76 for line in field.split(b"\r\n"))
    assert message_from_bytes(field + b"\r\n", policy=policy.default)["subject"] == text.strip()


@settings(max_examples=200)
@given(TEXTS)
@example("\u2028\u2029\x85")
@example("=?")
@example("  lead and trail  ")
@example("é" * 37)
@example("a\tb")
def test_any_text_becomes_one_field_and_reads_back(text):
    field = unstructured("Subject", text)
    well_formed(field) if clean(text) else None
    assert max(map(len, field.split(b"\r\n"))) <= 76
    for word in re.findall(rb"=\?[^ ]*\?=", field):
        assert len(word) <= 75
    if clean(text):
        assert decoded(field) == clean(text)


@pytest.mark.parametrize("mark", "\u061c\u200e\u200f\u202a\u202d\u202e\u2066\u2069")
def test_marks_that_turn_text_around_are_taken_out(mark):
    assert unstructured("Subject", f"invoice{mark}fdp.exe \u05e9") == unstructured("Subject", "invoicefdp.exe \u05e9")
    sender = parse_address("a@b.example")
    assert mailbox("From", f"{mark}moc.knab{mark}", sender) == mailbox("From", "moc.knab", sender)


@pytest.mark.heavy
def test_no_printable_character_is_cleaned_away():
    """`clean` asks `str.isprintable` first: what is printable must be neither a control nor a mark of direction."""
    characters = [chr(code) for code in range(0x110000)]
    changed = [character for character in characters if clean(f"a{character}b") != f"a{character}b"]
    assert not [character for character in changed if character.isprintable()]
    controls = [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029]
    turning = [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
    assert sorted(map(ord, changed)) == sorted([*controls, *turning])


@given(TEXTS, TEXTS)
def test_no_text_ends_a_field(before, after):
    for end in _LINE_ENDS:
        field = unstructured("X-Note", before + end + "Bcc: victim@example.org" + after)
        assert not re.search(rb"(?m)^Bcc", field, re.IGNORECASE)
        assert field.count(b"\r\n") == len(re.findall(rb"\r\n |\r\n\Z", field))


@given(st.text(st.characters(min_codepoint=0x80, exclude_categories=["Cs"]), min_size=30, max_size=80))
def test_no_character_is_split_between_two_encoded_words(text):
    for word in re.findall(rb"=\?utf-8\?[bq]\?[^?]*\?=", unstructured("Subject", text)):
        _decoded, charset = decode_header(word.decode("ascii"))[0]
        assert charset == "utf-8"
        _decoded.decode("utf-8")


def test_the_shorter_encoding_is_taken():
    assert b"?q?" in unstructured("Subject", "Zürich is lovely in spring")
    assert b"?b?" in unstructured("Subject", "Весенняя распродажа")


def test_half_a_surrogate_pair_is_an_error_not_a_question_mark():
    with pytest.raises(UnicodeEncodeError):
        unstructured("Subject", "x\ud83d")


def test_a_very_long_field_name_still_gets_its_value():
    name = "X-" + "n" * 68
    field = unstructured(name, "Zürich " * 20)
    well_formed(field)
    assert decoded(field) == ("Zürich " * 20).strip()


def test_long_words_stay_whole_where_they_are_links():
    link = "<https://example.com/" + "p" * 200 + ">"
    field = unstructured("List-Help", f"see {link}", keep_long_words=True)
    assert link.encode() in field
    assert b"?=" in unstructured("List-Help", "p" * 1200, keep_long_words=True)
    well_formed(unstructured("List-Help", "p" * 1200, keep_long_words=True))


def test_parts_stay_on_one_line_until_it_is_full():
    assert structured("List-Unsubscribe", "<a>", "<b>") == b"List-Unsubscribe: <a>, <b>\r\n"
    field = structured("List-Unsubscribe", "<" + "a" * 700 + ">", "<" + "b" * 700 + ">")
    well_formed(field)
    assert field.count(b"\r\n ") == 1


@pytest.mark.parametrize(
    ("written", "display", "address"),
    [
        ("news@example.com", "", "news@example.com"),
        ("<news@example.com>", "", "news@example.com"),
        ("Example Shop <news@example.com>", "Example Shop", "news@example.com"),
        ("Example, Inc. <news@example.com>", "Example, Inc.", "news@example.com"),
        ('"Shop \\"one\\" <x>" <news@example.com>', 'Shop "one" <x>', "news@example.com"),
        ("Bücher & Söhne <news@bücher.example>", "Bücher & Söhne", "news@xn--bcher-kva.example"),
    ],
)
def test_a_mailbox_is_read_and_written(written, display, address):
    assert parse_mailbox(written) == (display, parse_address(address))
    field = mailbox("From", display, parse_address(address))
    well_formed(field)
    parsed = message_from_bytes(field + b"\r\n", policy=policy.default)["from"].addresses
    assert [(one.display_name, one.addr_spec) for one in parsed] == [(display, address)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Shop",
        "Shop <news@example.com",
        "a@example.com, b@example.com",
        "a@example.com <b@example.com>",
        "Shop <news@example.com>\r\nBcc: x@example.org",
        "Sh\x0bop <news@example.com>",
        "<a@example.com> <b@example.com>",
        'Shop " <news@example.com>',
    ],
)
def test_what_is_not_one_mailbox_is_refused(text):
    with pytest.raises(AddressError):
        parse_mailbox(text)


@settings(max_examples=150)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=120))
@example("a, b <c@example.org>")
@example('quote " and \\ slash')
@example("=?utf-8?q?x?=")
def test_any_display_name_leaves_one_address(display):
    address = parse_address("news@example.com")
    field = mailbox("From", display, address)
    well_formed(field)
    found = message_from_bytes(field + b"\r\n", policy=policy.default)["from"].addresses
    assert [one.addr_spec for one in found] == ["news@example.com"]
    if display.isascii() and "=?" not in display:
        # the email package joins runs of spaces
        assert found[0].display_name.split() == clean(display).split()


def test_a_local_part_beyond_ascii_is_written_in_utf8():
    assert mailbox("To", "", parse_address("jörg@example.org")) == "To: jörg@example.org\r\n".encode()


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("terms.pdf", "terms.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\docs\\price list.pdf", "price list.pdf"),
        ("Preisübersicht Frühling.pdf", "Preisübersicht Frühling.pdf"),
        ('quo"te.pdf', 'quo"te.pdf'),
        ("料金表" * 20 + ".pdf", "料金表" * 20 + ".pdf"),
        ("a\r\nContent-Type: text/html.pdf", "html.pdf"),
        ("a\r\nX-Evil: 1.pdf", "a  X-Evil: 1.pdf"),
        ("folder/", "attachment"),
        ("n" * 120 + ".pdf", "n" * 120 + ".pdf"),
    ],
)
def test_file_names_arrive(name, seen):
    field = ("Content-Disposition: " + ";\r\n ".join(["attachment", *file_name(name)]) + "\r\n").encode("ascii")
    well_formed(field)
    assert name.isascii() or max(map(len, field.split(b"\r\n"))) <= 78
    assert message_from_bytes(field + b"\r\n", policy=policy.default).get_filename() == seen


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("terms of the winter sale " * 8 + ".pdf", ['filename="' + "terms of the winter sale " * 8 + '.pdf"']),
        ("100 % [a]; 5' x 6\" & more = x.pdf", ['filename="100 % [a]; 5\' x 6\\" & more = x.pdf"']),
        ("=?utf-8?q?x?=.pdf", ["filename*=utf-8''%3D%3Futf-8%3Fq%3Fx%3F%3D.pdf"]),
    ],
)
def test_an_ascii_file_name_is_one_quoted_string(name, parameters):
    assert file_name(name) == parameters


@given(st.integers(0, 4_000_000_000))
def test_dates_are_those_of_the_standard_library_with_a_plus(second):
    assert date_text(second) == formatdate(second).replace("-0000", "+0000")
    assert parsedate_to_datetime(date_text(second)).timestamp() == second


def test_field_names_and_controls():
    assert is_field_name("X-Campaign")
    for name in ("", "X Campaign", "X:Y", "X-\u00fc", "X\r\n", "x" * 71):
        assert not is_field_name(name)
    assert controls_in("tab\there") == "U+0009"
    assert controls_in("line\u2028end") == "U+2028"
    assert controls_in("Zürich 👍") == ""
