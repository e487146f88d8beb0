from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkmail.mail import Refused
from bulkmail.yamlfile import YamlFile, dotted, load


def value(text: str) -> Any:
    return load("x.yaml", text).value


def refusal(text: str) -> list[str]:
    with pytest.raises(Refused) as caught:
        load("x.yaml", text)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("nUll", "nUll"),
        ("true", True),
        ("False", False),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("NO", "NO"),
        ("y", "y"),
        ("12", 12),
        ("-7", -7),
        ("012", 12),
        ("0o14", 12),
        ("0xC", 12),
        ("0b1", "0b1"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("1.10", 1.1),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-.inf", -math.inf),
        ("1.2.3", "1.2.3"),
        ("9" * 41, "9" * 41),
        ("2026-12-01", "2026-12-01"),
        ("2026-12-01T09:00+01:00", "2026-12-01T09:00+01:00"),
        ("'12'", "12"),
        ('"true"', "true"),
        ('"a\\nb"', "a\nb"),
        ("'it''s'", "it's"),
        ("a # b", "a"),
        ("a#b", "a#b"),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, expected: object) -> None:
    found = value(f"key: {text}")["key"]
    assert found == expected
    assert type(found) is type(expected)


def test_nan_is_a_float() -> None:
    assert math.isnan(value("a: .nan")["a"])


def test_keys_are_always_text() -> None:
    assert value("on: 1\nnull: 2\n7: 3\n1.10: 4") == {"on": 1, "null": 2, "7": 3, "1.10": 4}


def test_nested_values_and_their_places() -> None:
    text = "a: 1\nb:\n  - x\n  - {c: [2, 'y']}\ntext: |\n  one\n  two\n"
    file = load("x.yaml", text)
    assert file.value == {"a": 1, "b": ["x", {"c": [2, "y"]}], "text": "one\ntwo\n"}
    assert file.keys["b",] == (2, 1)
    assert file.values["b", 0] == (3, 5)
    assert file.keys["b", 1, "c"] == (4, 6)
    assert file.values["b", 1, "c", 1] == (4, 13)
    assert file.values["text",] == (5, 7)
    assert file.texts == {("a",): "1", ("b", 1, "c", 0): "2"}


def test_places_count_characters_and_a_byte_order_mark_counts_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes("\ufeffü: é\r\nb: {ö: ü, c: 1}\r\n".encode())
    file = load(str(path))
    assert file.value == {"ü": "é", "b": {"ö": "ü", "c": 1}}
    assert file.keys["b", "c"] == (2, 11)


def test_comments_alone_are_no_value() -> None:
    assert value("# nothing yet\n") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "x.yaml: the file is empty"),
        (" \n\t\n", "x.yaml: the file is empty"),
        ("a: 1\na: 2", "x.yaml:2:1: `a` is given twice; the first is on line 1"),
        ("b: {a: 1, 'a': 2}", "x.yaml:1:11: `a` is given twice; the first is on line 1"),
        ("a: &x 1", "x.yaml:1:4: anchors (&x) are not taken; quote text that starts with &"),
        ("a: *x", "x.yaml:1:4: aliases (*x) are not taken; quote text that starts with *"),
        ("<<: {a: 1}", "x.yaml:1:1: merge keys (<<) are not taken; write the values out"),
        (
            "a: !!python/object/apply:os.system ['true']",
            (
                "x.yaml:1:4: tags (tag:yaml.org,2002:python/object/apply:os.system) are not taken; "
                "quote text that starts with !"
            ),
        ),
        ("a: !!int '3'", "x.yaml:1:4: tags (tag:yaml.org,2002:int) are not taken; quote text that starts with !"),
        ("a: !x 3", "x.yaml:1:4: tags (!x) are not taken; quote text that starts with !"),
        ("a: 1\n---\nb: 2", "x.yaml:2:1: a second document starts here; keep only one in a file"),
        ("? [a]\n: 1", "x.yaml:1:3: a key must be plain text"),
        (
            "subject: {{ first_name }}",
            'x.yaml:1:11: put text with braces in quotes, for example subject: "{{ first_name }}, hello"',
        ),
        (
            "subject: {{ first_name }}, spring is here",
            'x.yaml:1:11: put text with braces in quotes, for example subject: "{{ first_name }}, hello"',
        ),
        (
            "a: {% if x %}",
            'x.yaml:1:5: put text with braces in quotes, for example subject: "{{ first_name }}, hello"',
        ),
        (
            "from: Shop: <a@b.example>",
            (
                "x.yaml:1:11: the indentation is wrong, or a `:` stands in a text without quotes; "
                "give all keys of one level the same indentation, and put text that holds a colon in quotes"
            ),
        ),
        (
            "a:\n\tb: 1",
            (
                "x.yaml:2:1: no value can start with this character; indent with spaces, never with TAB, "
                "and put text that starts with @, `, % or TAB in quotes"
            ),
        ),
        (
            "a: 1\na b c\n",
            "x.yaml:3:1: a `:` is missing; every line here must be `key: value`",
        ),
        ('a: 1\nb: "x\nc: 2', "x.yaml:2:4: a quote that was opened is never closed"),
        (
            'a: "\\q"',
            (
                "x.yaml:1:5: this backslash escape is unknown; inside double quotes write two backslashes, "
                "or use single quotes"
            ),
        ),
        ("b: 1\na: [1, 2\n", "x.yaml:2:4: a list that was opened with [ is never closed, or a comma is missing"),
        ("a: {b: 1\n", "x.yaml:1:4: a { is never closed with }, or a comma is missing"),
        (
            "a: - b",
            "x.yaml:1:4: a list cannot start here; put each `- item` on a line of its own, or write [item, item]",
        ),
        ("- a\nb: 1", "x.yaml:2:1: this line belongs neither to the list above nor to anything else"),
        (
            "a: 'it's'",
            (
                "x.yaml:1:8: the indentation is wrong, or a text ends before its line does; "
                "give all keys of one level the same indentation, and put text with quotes or braces inside in quotes "
                "as a whole"
            ),
        ),
        (
            "a: 1\n  b: 2",
            (
                "x.yaml:2:4: the indentation is wrong, or a `:` stands in a text without quotes; "
                "give all keys of one level the same indentation, and put text that holds a colon in quotes"
            ),
        ),
        ("%YAML 2.0\n---\na: 1", "x.yaml:1:1: this is not YAML: found incompatible YAML document"),
        ("a: 1\nb: \x00", "x.yaml:2:4: the character '\\x00' may not stand in a YAML file; remove it"),
        ("a: \x1b[2J", "x.yaml:1:4: the character '\\x1b' may not stand in a YAML file; remove it"),
        ("a: \ud800", "x.yaml:1:4: the character '\\ud800' may not stand in a YAML file; remove it"),
    ],
)
def test_what_is_refused_and_in_which_words(text: str, words: str) -> None:
    assert refusal(text) == [words]


def test_all_findings_come_at_once() -> None:
    assert [line.split(": ")[0] for line in refusal("a: &x 1\nb: *x\nc: !t 1\na: 2")] == [
        "x.yaml:1:4",
        "x.yaml:2:4",
        "x.yaml:3:4",
        "x.yaml:4:1",
    ]


@pytest.mark.parametrize("text", ["[" * 10_000, "a: " + "{b: " * 10_000, "- " * 10_000, "[" * 900_000, "? " * 10_000])
def test_nesting_without_end_is_refused(text: str) -> None:
    assert refusal(text)[0].split(": ", 1)[1] in (
        "the values are nested more than 50 levels deep",
        "a key must be plain text",
    )


def test_fifty_levels_are_taken_and_no_more() -> None:
    value("[" * 50 + "]" * 50)
    assert refusal("[" * 51 + "]" * 51) == ["x.yaml:1:51: the values are nested more than 50 levels deep"]


def test_an_alias_bomb_is_refused_with_a_bounded_answer() -> None:
    bomb = "a: &a [x]\n" + "".join(f"k{n}: [{', '.join(['*a'] * 50)}]\n" for n in range(300))
    assert len(refusal(bomb)) == 100


def test_more_values_than_anybody_writes_are_refused() -> None:
    assert refusal("[" + "1," * 20_001 + "]")[0].endswith("the file holds more than 20,000 values")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xff\xfea\x00", ":1:1: this is not UTF-8; save the file as UTF-8"),
        (b"a: 1\nb: \xc3\xa9\xe9", ":2:5: this is not UTF-8; save the file as UTF-8"),
        (b"#" * 1_000_001, ": the file is larger than 1 MB"),
        (b"", ": the file is empty"),
    ],
)
def test_bytes_that_are_no_text(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(data)
    with pytest.raises(Refused) as caught:
        load(str(path))
    assert str(caught.value) == f"{path}{words}"


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"/none\.yaml: the file does not exist$"):
        load(str(tmp_path / "none.yaml"))
    with pytest.raises(Refused, match=r": the file is a folder, not a file$"):
        load(str(tmp_path))


def test_problems_find_the_nearest_place() -> None:
    file = load("x.yaml", "a:\n  b: 1\n")
    assert str(file.problem(("a", "b"), "m")) == "x.yaml:2:6: m"
    assert str(file.problem(("a", "b"), "m", at_key=True)) == "x.yaml:2:3: m"
    assert str(file.problem(("a", "c", 3), "m")) == "x.yaml:2:3: m"  # where the value of `a` begins
    assert str(file.problem(("z",), "m")) == "x.yaml: m"
    assert len(file.problem((), "m" * 9999).message) == 500
    assert file.problem((), "a\n\x1b[2J é").message == "a\\n\\x1b[2J é"


def test_dotted_names_and_back() -> None:
    file = load("x.yaml", "headers: {X-A.B: c}\ndkim:\n - key: k\n")
    assert dotted(("dkim", 0, "key")) == "dkim[0].key"
    assert file.locate("headers.X-A.B") == ("headers", "X-A.B")
    assert file.locate("dkim[0].key.x") == ("dkim", 0, "key")
    assert file.locate("headersX") == ()
    assert file.locate("") == ()


def test_an_empty_file_object_has_no_places() -> None:
    assert YamlFile("x").problem(("a",), "m").line == 0


SNIPPETS = st.sampled_from(
    ["a", ":", " ", "\n", "- ", "{", "}", "[", "]", "'", '"', "&", "*", "!", "#", "|", "%", "<<"]
)


@given(st.lists(SNIPPETS | st.text(max_size=3), max_size=40).map("".join))
@settings(max_examples=2 * settings.default.max_examples)
def test_any_text_is_read_or_refused_with_places_inside_it(text: str) -> None:
    try:
        file = load("x.yaml", text)
    except Refused as refused:
        value = "none"
        places = [(problem.line, problem.column) for problem in refused.problems]
    else:
        value = file.value
        places = [*file.keys.values(), *file.values.values()]
    assert places or value is None  # a refusal says why, a value stands somewhere
    lines = len(text.splitlines()) + 2
    assert all(0 <= line <= lines and column >= 0 for line, column in places)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('a: b\nfrom: "x"\nsubject: "Hello\nlist: r.csv\nunsubscribe: {url: "https://x", mailto: "y"}\n', "3:10"),
        ("a: b\nsubject: 'Hello\nlist: r.csv\nto: 'x'\n", "2:10"),
        ('a:\n  - b: "Hello\n  - c: "x"\n', "2:8"),
        ('a: "one\n  two"  # as meant\nb: "Hello\nc: "x"\n', "3:4"),
    ],
)
def test_a_quote_that_is_not_closed_is_told_where_it_opens(text: str, place: str) -> None:
    with pytest.raises(Refused) as caught:
        load("x.yaml", text)
    assert str(caught.value) == f"x.yaml:{place}: the quote that opens here is not closed on this line"
