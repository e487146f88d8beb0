"""What can never match, and what an earlier pattern hides: never said of what can match."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bulkmail.mail import BulkmailError, Pattern, line_of, parse_pattern
from bulkmail.settings.automaton import Comparisons, line_for
from bulkmail.smtp.replies import ReplyReader


@pytest.mark.parametrize(
    "written",
    [
        "/a^b/",
        r"/\n/",
        r"/a\r?\nb/",
        "/^x/",
        "/^2[0-9][0-9]/",
        "/^250/",
        r"/\t/",
        "/a  b/",
        "/^4..$/",
        r"/^\d{3}-/",
        r"/^451\d/",
        r"/x\by/",
        r"/^[45]\d\d$/",
        r"/^\d{4}/",
        "/busy$ now/",
        r"/^(?:220|354) .{0,60}busy/",
        "/[^ -\\U0010ffff]/",
        "/x{298}/",
        "/\u2003/",
    ],
)
def test_what_can_never_match(written):
    assert line_for(parse_pattern(written)) is None


@pytest.mark.parametrize(
    "written",
    [
        "busy",
        "250 messages an hour",
        "/250/",
        "/^4../",
        "/^5\\d\\d 5\\.7\\.1 .{0,40}try .{0,20}later/",
        r"/\bRL0000\d{2}\b/",
        "/messages from .{1,60} temporarily deferred/",
        "/^421 $/",
        "/ $/",
        "/(?m)^451 a$/",
        "/(?x) ^451 \\s a $/",
        "/(?s)a.b/",
        "/ü|é/",
        "/[^ -~]/",
        "/x{290}/",
        r"/\W{3}/",
        r"/a\Bb/",
        "/a??b*?$/",
        "/(a|b){2,3}c/",
    ],
)
def test_what_can_match_has_a_line_of_its_own(written):
    pattern = parse_pattern(written)
    line = line_for(pattern)
    assert line
    assert pattern.compiled.search(line)


@pytest.mark.parametrize(
    "written", ["/(?=x)y/", "/(?<!a)^b/", r"/(?P<a>x)^(?P=a)/", "/(?>a)^b/", "/a++^b/", "/(?-i:a)^b/", "Ünzustellbar"]
)
def test_of_what_is_no_automaton_nothing_is_said(written):
    try:
        pattern = parse_pattern(written)
    except BulkmailError:
        return
    assert line_for(pattern) == ""
    assert not Comparisons(100_000).hides(parse_pattern("/./"), pattern)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("busy", "/BUSY now/"),
        ("/busy|slow/", "busy"),
        ("/./", "busy"),
        ("/^[45]/", "/^451 .{0,40}busy/"),
        ("/[a-m].{0,40}[n-z]/", "/[b-k].{0,30}[n-s]/"),
        ("/.{0,40}a/", "/a/"),
        (r"/\d/", "/ü/"),
        ("/a.{0,50}b/", "/a.{0,20}b.{0,20}c/"),
        ("/busy/", "server  BUSY"),
        (r"/\ba\b/", "/ a /"),
    ],
)
def test_what_an_earlier_one_hides(earlier, later):
    assert Comparisons(100_000).hides(parse_pattern(earlier), parse_pattern(later))


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("/BUSY now/", "busy"),
        ("busy", "/busy|slow/"),
        ("/^4/", "busy"),
        ("/ ./", "/./"),
        ("/a.{0,20}b/", "/a.{0,50}b/"),
        (r"/\ba\b/", "a"),
        ("/[a-z]/", "/ü/"),
        ("/(?=a)a/", "/ab/"),
        ("/./", "/(?=a)a/"),
    ],
)
def test_what_it_does_not_hide_or_may_not(earlier, later):
    assert not Comparisons(100_000).hides(parse_pattern(earlier), parse_pattern(later))


def test_it_ends_after_so_many_steps_and_says_nothing_then():
    early, late = parse_pattern("/a.{0,60}b/"), parse_pattern("/a.{0,59}b/")
    assert Comparisons(100_000).hides(early, late)
    few = Comparisons(100)
    assert not few.hides(early, late)
    assert not few.hides(parse_pattern("/busy|slow/"), parse_pattern("busy")), "none are left for the others"
    assert line_for(parse_pattern(f"/(?:{'x' * 250}|y){{9}}/")) == "", "more nodes than it takes"
    assert line_for(parse_pattern("/(?:){4000000000}a/"))
    assert line_for(parse_pattern("/" + "(?:" * 150 + "a" + ")" * 150 + "/")) is not None


LETTERS = "ab4 é"
LINES = [
    line_of(code, "".join(text))
    for size in range(5)
    for text in itertools.product(LETTERS, repeat=size)
    for code in (400, 451, 554)
]
ATOMS = st.sampled_from(
    ["a", "b", "4", "5", " ", "é", ".", r"\d", r"\w", r"\W", r"\s", r"\S", "[ab]", "[^a]", "[^a-z ]", "[0-4]", "[à-ü]"]
)
PLACES = st.sampled_from(["^", "$", r"\b", r"\B", r"\A", r"\Z", "", "^", "^451", "^... "])
REPEATS = st.sampled_from(["?", "*", "+", "{2}", "{0,3}", "{1,2}", "*?", "??", "{2,}"])
EXPRESSIONS = st.recursive(
    ATOMS | PLACES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda some: f"(?:{'|'.join(some)})"),
        st.builds(lambda one, times: f"({one}){times}", inner, REPEATS),
    ),
    max_leaves=8,
)
TEXTS = st.text(LETTERS, min_size=1, max_size=3)


def parsed(written: str) -> Pattern:
    try:
        return parse_pattern(written)
    except BulkmailError:
        assume(False)
        raise


PATTERNS = st.one_of(EXPRESSIONS.map(lambda one: f"/{one}/"), TEXTS).map(parsed)


@given(PATTERNS)
def test_nothing_that_matches_a_reply_is_said_never_to_match(pattern):
    line = line_for(pattern)
    if line is None:
        assert not any(map(pattern.compiled.search, LINES))
    elif line:
        assert pattern.compiled.search(line)


@given(PATTERNS, PATTERNS)
def test_nothing_is_hidden_that_matches_a_reply_which_the_earlier_one_does_not(earlier, later):
    if Comparisons(100_000).hides(earlier, later):
        assert [line for line in LINES if later.compiled.search(line) and not earlier.compiled.search(line)] == []


@given(PATTERNS, st.data())
def test_what_a_server_says_in_words_of_the_pattern_is_no_line_that_cannot_be(pattern, data):
    """Words made for the expression, said by a server in bytes: in one line, and in two."""
    words = data.draw(st.from_regex(pattern.compiled))
    for said in (f"451 {words}\r\n", f"451-{words}\r\n451 {words}\r\n"):
        reader = ReplyReader()
        reader.feed(said.encode("utf-8", "replace"))
        try:
            reply = reader.next()
        except BulkmailError:
            continue
        if reply is not None and pattern.compiled.search(line_of(reply.code, reply.text)):
            assert line_for(pattern) is not None
