from __future__ import annotations

import json
from email import policy
from email.parser import BytesParser

import pytest

from bulkmail.content import check_content, content_notices, printed_columns, same_for_all
from bulkmail.content.compose import Composer
from bulkmail.content.variants import by_variant, in_each_variant
from bulkmail.mail import REST, Variants

ROWS = [[f"reader-{number}@example.org", "Ann", "de" if number % 2 else "en"] for number in range(40)]


@pytest.fixture
def two(make):
    """A content with two variants and a rest."""

    def content(winner="", shares=(("a", 300_000, False), ("b", 300_000, False)), **changes):
        own = make(columns=[["email", "first_name", "language"]], **changes)
        kept = {name: own[name] for name in ("html", "html_name", "text", "text_name")}
        letters = {
            "a": {**kept, "locales": None, "subject": "Spring", "from": "Ann <news@example.com>"},
            "b": {**kept, "locales": None, "subject": "Last chance", "subject_key": "variants.b.subject"},
        }
        letters["b"] |= {"text": "Quick, {{ first_name }}", "text_name": "b.txt"}
        return {**own, "variants": {"shares": [*shares], "letters": letters, "winner": winner}}

    return content


def composed(content, rows=ROWS):
    composer = Composer()
    composer.handle(("load", 1, content))
    jobs = [(n, n, row[0], 1e9, 0, json.dumps(row)) for n, row in enumerate(rows, 1)]
    return [answer[1] for answer in composer.handle(("compose", 1, jobs))]


def parsed(wire):
    return BytesParser(policy=policy.default).parsebytes(wire)


def test_each_row_gets_the_letter_of_its_address(two):
    content = two()
    variants = Variants(content["variants"]["shares"])
    names = [variants.of(row[0]) for row in ROWS]
    assert set(names) == {"a", "b", REST}
    letters = {name: composed(one) for name, one in by_variant(content).items()}
    wires = composed(content)
    assert wires == [letters[name][at] for at, name in enumerate(names)]
    for name, wire in zip(names, wires, strict=True):
        message = parsed(wire)
        assert message["Subject"] == {"a": "Spring", "b": "Last chance", REST: "Ann, spring is here"}[name]
        assert message["From"].addresses[0].display_name == ("Ann" if name == "a" else "Example Shop")
        text = message.get_body(("plain",)).get_content().strip()
        assert text == ("Quick, Ann" if name == "b" else "Dear Ann")


def test_the_rest_gets_the_letter_of_the_winner(two):
    subjects = [parsed(wire)["Subject"] for wire in composed(two(winner="b"))]
    assert set(subjects) == {"Spring", "Last chance"}
    before = [parsed(wire)["Subject"] for wire in composed(two())]
    assert [one for one, was in zip(subjects, before, strict=True) if was == "Ann, spring is here"] == [
        "Last chance"
    ] * before.count("Ann, spring is here")


def test_a_variant_has_a_letter_of_each_locale(two):
    content = two()
    letters = {
        tag: {**content["variants"]["letters"]["b"], "subject": f"b {tag}", "subject_key": f"variants.b.subject.{tag}"}
        for tag in ("en", "de")
    }
    content["variants"]["letters"]["b"] |= {
        "locale": "en",
        "locales": {"column": "language", "fallback": ["en"], "letters": letters},
    }
    assert check_content(content) == []
    variants = Variants(content["variants"]["shares"])
    for row, wire in zip(ROWS, composed(content), strict=True):
        if variants.of(row[0]) == "b":
            assert parsed(wire)["Subject"] == f"b {row[2]}"


def test_attachments_are_in_all_letters(two):
    wires = composed(two(attachments=[("a.txt", b"a")]), ROWS[:5])
    assert all(len(list(parsed(wire).iter_attachments())) == 1 for wire in wires)


def test_every_letter_is_checked_and_told_under_its_key(two):
    content = two()
    assert check_content(content) == []
    content["variants"]["letters"]["b"] |= {"subject": "{{ nope }}", "text": "{{ neither }}"}
    content["variants"]["letters"]["a"] |= {"from": "x", "from_key": "variants.a.from"}
    told = [str(problem) for problem in check_content(content)]
    assert [line.split(": ")[1 if line.startswith(": ") else 0] for line in told] == [
        "variants.a.from",
        "variants.b.subject",
        "b.txt:1:4",
    ]


def test_what_is_odd_about_a_letter_is_told(two):
    content = two()
    content["variants"]["letters"]["b"]["text"] = "{{ 'first_name' }}"
    assert ["b.txt" in str(one) for one in content_notices(content)] == [True]
    content["variants"]["letters"]["a"]["text"] = "{{ language }}"
    assert printed_columns(content) == [[1, 2]]


def test_templates_know_their_variant(two):
    content = two(headers={"X-Variant": "{{ variant }}"}, links={"utm": {"utm_content": "{{ variant }}"}})
    content["variants"]["letters"]["a"]["html"] = '<a href="https://example.com/x">x</a>'
    assert check_content(content) == []
    names = [Variants(content["variants"]["shares"]).of(row[0]) for row in ROWS]
    messages = [parsed(wire) for wire in composed(content)]
    assert [message["X-Variant"] for message in messages] == names
    html = messages[names.index("a")].get_body(("html",)).get_content()
    assert html.strip() == '<a href="https://example.com/x?utm_content=a">x</a>'
    told = check_content({**content, "variants": None})
    assert [f"{problem}".count("variant") > 0 for problem in told]


def test_there_is_no_message_for_all(two):
    content = two(to="R <r@example.com>", html=None, text="x", subject="x")
    assert not same_for_all(content)
    assert same_for_all({**content, "variants": None})


def test_the_letters_that_may_be_sent(two):
    assert [name for name, _ in in_each_variant(two())] == ["a", "b", REST]
    assert [name for name, _ in in_each_variant(two(winner="a"))] == ["a", "b"]
    halves = (("a", 500_000, False), ("b", 400_000, False), ("none", 100_000, True))
    assert [name for name, _ in in_each_variant(two(shares=halves))] == ["a", "b"]
    assert [name for name, _ in in_each_variant({**two(), "variants": None})] == [""]
