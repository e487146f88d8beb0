from __future__ import annotations

import pytest

from bulkmail.preflight.marks import TextMarks, marks_in, of_data, once
from bulkmail.preflight.markup import MarkupCheck


def found(html="", text="", subject=""):
    kinds = [*marks_in("subject", subject), *MarkupCheck().kinds(f"<p>x</p>{html}", "T" * 26), *TextMarks().kinds(text)]
    return [(kind[0], kind[2], kind[3].split("`")[1]) for kind in once(kinds)]


@pytest.mark.parametrize(
    "mark",
    [
        "*|FNAME|*",
        "*|MC:SUBJECT|*",
        "{{ contact.first_name }}",
        "{% if x %}",
        "%%First Name%%",
        "%FIRSTNAME%",
        "[[first_name]]",
        "${first_name}",
        "{!Contact.FirstName}",
        "{{first_name}}",
    ],
)
def test_a_whole_mark_is_an_error(mark):
    assert found(f"<p>Dear {mark},</p>") == [("error", "html", mark)]
    assert found(subject=f"Dear {mark}") == [("error", "subject", mark)]
    assert found(text=f"Dear {mark}") == [("error", "text", mark)]


def test_a_mark_that_stands_in_several_places_is_told_once():
    mark = "*|FNAME|*"
    assert found(f"<p>{mark} {mark}</p>", mark, mark) == [("error", "subject", mark)]


@pytest.mark.parametrize("half", ["{{ name }", "{% if", "*|FNAME", "100%%", "[[x"])
def test_half_a_mark_is_a_warning(half):
    assert [severity for severity, *_ in found(f"<p>{half}</p>")] == ["warning"]


@pytest.mark.parametrize(
    "html",
    [
        "<p>Dear Ann, 50% off [really] and more * | *</p>",
        "<style>@media x{a{b:c}} p{{color:red}}</style><p>x</p>",
        "<!--[if mso]>{{ x }}<![endif]--><p>x</p>",
        '<a href="https://example.com/?a=%20%C3%A4">x</a>',
        "<p>I earn $100 {a} {b: c}</p>",
    ],
)
def test_what_is_no_mark(html):
    assert found(html) == []


def test_few_of_one_message_are_told():
    assert len(found("".join(f"<p>*|F{n}|*</p>" for n in range(100)))) == 5


def test_a_text_line_that_was_seen_before_is_told_again():
    marks = TextMarks()
    text = "Dear Ann,\r\nyour code is *|CODE|*\r\n"
    assert [len(marks.kinds(text)) for _ in range(2)] == [1, 1]
    for n in range(25_000):
        marks.kinds(f"line {n}")
    assert len(marks._fine) == 20_000


def test_a_mark_of_the_rows_own_data_is_a_warning_of_that_row():
    """Somebody has signed up as `{{ 7*7 }}`: that is no mistake of the letter, and does not stop the campaign."""
    (kind,) = TextMarks().kinds("Hello {{ 7*7 }}, how are you?")
    told = of_data(kind, ["a@b.example", "{{ 7*7  }}"])
    assert (told[0], told[1]) == ("warning", "leftover")
    assert told[3] == "`{{ 7*7 }}` stands in the finished letter as it is, for it stands so in the row"
    assert "write it as Jinja2" not in told[4]
    assert of_data(kind, ["a@b.example", "Ann"]) == kind
