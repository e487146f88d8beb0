from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.content.check import check_content
from bulkmail.content.compose import Composer
from bulkmail.content.locales import Chooser, Languages, each_letter
from bulkmail.content.shared import same_for_all
from tests.content.test_compose import body, parsed


@pytest.mark.parametrize(
    ("said", "tag", "found"),
    [
        ("de", "de", True),
        ("DE", "de", True),
        ("de-AT", "de", True),
        ("de_CH_1996", "de", True),
        (" pt-BR ", "pt_BR", True),
        ("pt-PT", "en", False),
        ("zh-Hant-TW", "zh-Hant", True),
        ("zh-Hant-u-nu-hanidec", "zh-Hant", True),
        ("", "en", True),
        ("fr", "en", False),
        ("German", "en", False),
    ],
)
def test_the_letter_for_what_a_row_says(said, tag, found):
    assert Chooser(["de", "pt_BR", "zh-Hant", "en"], ["it", "en"]).choose(said) == (tag, found)


@given(st.text(max_size=30))
def test_whatever_a_row_says_it_gets_a_letter_there_is(said):
    chooser = Chooser(["de", "en"], ["en"])
    assert chooser.choose(said) == chooser.choose(said)
    assert chooser.choose(said).tag in ("de", "en")


LETTERS = {
    "en": {"subject": "Hello {{ first_name }}", "html": '<p lang="{{ locale }}" dir="{{ dir }}">{{ first_name }}</p>'},
    "ar": {"subject": "مرحبا", "html": '<p lang="{{ locale }}" dir="{{ dir }}">{{ "1234.5"|number }}</p>'},
    "de": {"subject": "Hallo", "html": "<p>{{ '2026-12-31'|date('long') }}, {{ '1234.5'|money('EUR') }}</p>"},
}


@pytest.fixture
def several(make):
    """A content with letters in three locales; the list has a column `language`."""

    def content(**changes):
        letters = {
            tag: {"subject_key": f"subject.{tag}", "text": None, "html_name": f"{tag}.j2", "text_name": "", **letter}
            for tag, letter in LETTERS.items()
        }
        locales = {"column": "language", "fallback": ["en"], "letters": letters}
        columns = [["email", "first_name", "language"]]
        return make(**{**letters["en"], "locale": "en", "locales": locales, "columns": columns, **changes})

    return content


def composed(content, *rows):
    composer = Composer()
    composer.handle(("load", 1, content))
    jobs = [(n, n, row[0], 1e9, 0, json.dumps(row)) for n, row in enumerate(rows, 1)]
    return composer.handle(("compose", 1, jobs))


def test_each_row_gets_the_letter_of_its_locale(several):
    rows = [["a@example.org", "Ann", "en"], ["b@example.org", "Bo", "ar-EG"], ["c@example.org", "Cy", "de"]]
    rows.append(["d@example.org", "Di", "xx"])
    answers = composed(several(attachments=[("a.txt", b"a")]), *rows)
    messages = [parsed(wire) for _, wire, _, _ in answers]
    assert [message["subject"] for message in messages] == ["Hello Ann", "مرحبا", "Hallo", "Hello Di"]
    html = [message.get_body(("html",)).get_content().strip() for message in messages]
    assert html[0] == '<p lang="en" dir="ltr">Ann</p>'
    assert html[1] == '<p lang="ar" dir="rtl">1,234.5</p>'
    assert html[2] == "<p>31. Dezember 2026, 1.234,50\u00a0€</p>"
    assert html[3] == '<p lang="en" dir="ltr">Di</p>'
    assert body(answers[2][1], "plain").strip() == "31. Dezember 2026, 1.234,50\u00a0€", "the text made of it too"
    assert all(len(list(message.iter_attachments())) == 1 for message in messages)


def test_a_mistake_in_one_letter_is_told_with_its_file_and_only_once(several):
    content = several()
    assert check_content(content) == []
    content["locales"]["letters"]["de"]["html"] = "x\n{{ nope }}"
    content["locales"]["letters"]["ar"]["subject"] = "{{ nothing }}"
    content["headers"] = {"X-A": "{{ neither }}"}
    told = [str(problem) for problem in check_content(content)]
    assert sum("neither" in line for line in told) == 1
    assert sum(line.startswith("de.j2:2:") and "nope" in line for line in told) == 1
    assert sum(line.startswith(": subject.ar: ") and "nothing" in line for line in told) == 1
    assert len(told) == 3


def test_the_column_may_be_named_as_templates_name_it_and_has_its_default(several):
    content = several(columns=[["email", "Preferred Language"], ["email"]], defaults={"preferred_language": "de"})
    content["locales"]["column"] = "preferred_language"
    languages = Languages(content)
    assert languages.of(0, ["a@example.org", "ar"]).tag == "ar"
    assert languages.of(0, ["a@example.org", " "]).tag == "de"
    assert languages.of(0, ["a@example.org"]).tag == "de"
    assert languages.of(1, ["a@example.org"]).tag == "de"


def test_one_letter_for_all_is_no_matter_of_locales(several, make):
    assert each_letter(make()) == [make()]
    same = make(to="R <r@example.com>", html="{{ locale }}", text="{{ dir }}", subject="x")
    assert not same_for_all(same)
    assert same_for_all({**same, "locale": "de"})
    assert not same_for_all(several(to="R <r@example.com>"))
