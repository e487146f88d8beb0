from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, Field, ValidationError, ValidationInfo

from bulkmail.mail import Refused
from bulkmail.yamlfile import ErrorAt, Line, Many, Section, load, one_line, validate


def even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even")
    return value


def no_repeats(values: tuple[str, ...]) -> tuple[str, ...]:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise ErrorAt((index,), "is there twice")
    return values


def in_context(value: str, info: ValidationInfo) -> str:
    return f"{info.context}/{value}"


class Inner(Section):
    port: Annotated[int, Field(ge=1, le=99)] = 25
    mode: Literal["off", "auto", "strict"] = "auto"


class Elsewhere(Section):
    sizes: Many[int] = ()  # up to pydantic 2.10 its default became that of every `Many[int]`


class Outer(Section):
    sender: Annotated[Line, Field(alias="from", description="the sender", examples=["Shop <a@b.example>"])]
    sizes: Annotated[Many[int], Field(description="the sizes", examples=[[1, 2]])]
    inner: Inner = Inner()
    many: Mapping[str, Inner] = {}
    level: Annotated[int, AfterValidator(even)] = 2
    flag: bool = False
    names: Annotated[Many[Line], AfterValidator(no_repeats)] = ()
    path: Annotated[str, AfterValidator(in_context)] | None = None


GOOD = "from: x\nsizes: [1]\n"


def refusal(text: str) -> list[str]:
    with pytest.raises(Refused) as caught:
        validate(load("x.yaml", text), Outer)
    return [str(problem) for problem in caught.value.problems]


def test_a_good_file_becomes_the_model_and_cannot_be_changed() -> None:
    outer = validate(load("x.yaml", GOOD + "many: {a: {port: 3}}\npath: p"), Outer, "folder")
    assert (outer.sender, outer.sizes, outer.many["a"].port, outer.path) == ("x", (1,), 3, "folder/p")
    with pytest.raises(ValidationError):
        outer.level = 4  # type: ignore[misc]


def test_comments_alone_lack_what_is_required() -> None:
    assert refusal("# nothing") == [
        'x.yaml: `from` is missing: add the sender, for example from: "Shop <a@b.example>"',
        "x.yaml: `sizes` is missing: add the sizes, for example sizes: [1, 2]",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("form: x", "x.yaml:3:1: `form` is not a known key; did you mean `from`?"),
        ("port: 3", "x.yaml:3:1: `port` is not a known key; did you mean `inner.port`?"),
        ("Level: 3", "x.yaml:3:1: `Level` is not a known key; did you mean `level`?"),
        (
            "zzz: 3",
            "x.yaml:3:1: `zzz` is not a known key; known here: from, sizes, inner, many, level, flag, names, path",
        ),
        ("inner: {prot: 3}", "x.yaml:3:9: inner: `prot` is not a known key; did you mean `port`?"),
        ("many: {a: {prot: 3}}", "x.yaml:3:12: many.a: `prot` is not a known key; did you mean `port`?"),
        ("inner: {port: '25'}", 'x.yaml:3:15: inner.port: must be a whole number, not "25" in quotes'),
        ("inner: {port: 2.5}", "x.yaml:3:15: inner.port: must be a whole number, not 2.5"),
        ("inner: {port: yes}", 'x.yaml:3:15: inner.port: must be a whole number, not "yes" in quotes'),
        ("inner: {port: true}", "x.yaml:3:15: inner.port: must be a whole number, not true"),
        ("inner: {port: [1]}", "x.yaml:3:15: inner.port: must be a whole number, not a list"),
        ("inner: {port: 0}", "x.yaml:3:15: inner.port: must be at least 1, not 0"),
        ("inner: {port: 100}", "x.yaml:3:15: inner.port: must be at most 99, not 100"),
        ("inner: {port: }", "x.yaml:3:15: inner.port: has no value; give it one or remove the key"),
        ("inner:", "x.yaml:3:7: inner: has no value; give it one or remove the key"),
        ("inner: 3", "x.yaml:3:8: inner: must be a mapping, key: value with the keys port, mode; not a number"),
        ("many: [3]", "x.yaml:3:7: many: must be a mapping, key: value; not a list"),
        ("many: {a: x}", "x.yaml:3:11: many.a: must be a mapping, key: value with the keys port, mode; not text"),
        (
            "inner: {mode: strickt}",
            'x.yaml:3:15: inner.mode: must be off, auto or strict, not "strickt"; did you mean strict?',
        ),
        ("inner: {mode: true}", "x.yaml:3:15: inner.mode: must be off, auto or strict, not true"),
        ("inner: {mode: {a: b}}", "x.yaml:3:15: inner.mode: must be off, auto or strict, not a mapping"),
        ("level: 3", "x.yaml:3:8: level: must be even"),
        ("flag: 1", "x.yaml:3:7: flag: must be true or false, not 1"),
        ("names: a", "x.yaml:3:8: names: must be a list, such as [one, two]; not text"),
        ("names: [a, 1.10]", 'x.yaml:3:12: names[1]: must be text, not a number; put it in quotes: "1.10"'),
        (
            "names: [true]",
            'x.yaml:3:9: names[0]: must be text, not a yes or no (true); put it in quotes: "true"',
        ),
        ("names: [[a]]", "x.yaml:3:9: names[0]: must be text, not a list"),
        ("names: [a, b, a]", "x.yaml:3:15: names[2]: is there twice"),
        (
            'names: ["a\\nb"]',
            "x.yaml:3:9: names[0]: must not hold a line break or another control character ('\\n')",
        ),
    ],
)
def test_what_is_wrong_is_said_in_plain_english(text: str, words: str) -> None:
    assert refusal(GOOD + text) == [words]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a", "a list"),
        ("just words", "text"),
        ("3", "a number"),
    ],
)
def test_a_file_that_is_no_mapping(text: str, words: str) -> None:
    assert refusal(text) == [
        (
            f"x.yaml: must be a mapping, key: value with the keys from, sizes, inner, many, level, flag, names, path; "
            f"not {words}"
        )
    ]


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    lines = refusal("level: 3\ninner: {port: 0, mode: x}\nsises: [1]\n")
    assert [line.split(": ")[0] for line in lines] == [
        "x.yaml",
        "x.yaml",
        "x.yaml:1:8",
        "x.yaml:2:15",
        "x.yaml:2:24",
        "x.yaml:3:1",
    ]


def test_no_answer_is_longer_than_a_person_reads() -> None:
    lines = refusal(GOOD + "names: [" + "1, " * 5000 + "]")
    assert len(lines) == 101
    assert lines[-1] == "x.yaml: and 4900 more problems"
    assert len(refusal(GOOD + "x" * 100_000 + ": 1")[0]) < 400
    assert len(refusal(GOOD + "inner: {mode: " + "x" * 100_000 + "}")[0]) < 400


@pytest.mark.parametrize("bad", ["\r", "\n", "\x00", "\x7f", "\x85", "\u2028", "\t"])
def test_one_line_holds_no_control_character(bad: str) -> None:
    assert one_line("héllo wörld") == "héllo wörld"
    with pytest.raises(ValueError, match="must not hold a line break"):
        one_line(f"a{bad}b")
