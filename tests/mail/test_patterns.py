from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkmail.mail import JUDGED, BulkmailError, Scope, line_of, parse_pattern


def found(written, line):
    return parse_pattern(written).compiled.search(line) is not None


def test_a_text_is_looked_for_as_it_stands_in_any_case():
    assert found("[TSS04]", "421 4.7.0 [tss04] Messages from 192.0.2.1 temporarily deferred")
    assert not found("[TSS04]", "421 4.7.0 T Messages")
    assert found("server  busy", line_of(451, "4.7.500 Server\t busy."))
    assert not found("4.7.1", "421 4x7x1")


def test_between_slashes_it_is_an_expression():
    assert found(r"/\[(?:ts|tss)0[45]\]/", "421 [TS05] x")
    assert found("/^451 .{0,20}busy/", "451 4.7.500 Server busy")
    assert not found("/^451/", "421 451")
    assert found("/", "421 a/b"), "one slash is a text"


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "must be a text"),
        ("   ", "must be a text"),
        ("/(/", "is no regular expression"),
        ("/[[a]/", "is no regular expression"),
        ("x" * 301, "can never match"),
        ("/a{301}/", "can never match"),
        ("/(a+)+$/", "may take long"),
        ("/(a|a)*b/", "may take long"),
        ("/.*a.*b.*c/", "may take long"),
        (r"/(\w+ ){0,9}x/", "may take long"),
        (r"/(.)\1/", "may take long"),
        (r"/(?=.*a)(?=.*b).*c/", "may take long"),
    ],
)
def test_what_can_never_match_or_may_take_long_is_refused(written, why):
    with pytest.raises(BulkmailError, match=why):
        parse_pattern(written)


@pytest.mark.parametrize(
    "written",
    ["/.*busy/", "/a.{0,40}b/", r"/\bRL0000\d{2}\b/", "/(?:a|b)c*/", "/(?:ab){2,20}/", "250 messages", "/100 a day/"],
)
def test_what_people_write_is_taken(written):
    parse_pattern(written)


def test_a_number_in_a_text_is_no_code():
    assert found("100 messages", "452 4.2.1 more than 100 messages an hour")


def test_the_letters_of_ascii_are_alike_only_among_themselves():
    assert found("ünzustellbar", "550 Ünzustellbar")
    assert not found("busy", "451 bu\u017fy"), "as between slashes, so that one can be told to hold the other"


HOSTILE = [letter * 2000 for letter in "a .0["] + ["ab" * 1000, "a " * 1000, "0.0." * 500]


@pytest.mark.parametrize("written", ["/.*busy/", "/a.{0,40}b.{0,40}c/", r"/(?:a|ab)(?:\w{1,20} ){0,2}x/", "/a*a*x/"])
def test_no_reply_takes_long_with_what_is_taken(written):
    try:
        pattern = parse_pattern(written)
    except BulkmailError:
        return
    for text in HOSTILE:
        began = time.process_time()
        pattern.compiled.search(line_of(421, text))
        assert time.process_time() - began < 0.5, "a million ways, which are counted, and not seconds"


def test_a_line_is_cut_and_its_blanks_are_single():
    assert line_of(421, " a \t b") == "421 a b"
    assert len(line_of(421, "x" * 9999)) == JUDGED


def test_what_covers_what():
    wide, narrow, other = parse_pattern("busy"), parse_pattern("server BUSY"), parse_pattern("/busy/")
    assert wide.covers(narrow)
    assert not narrow.covers(wide)
    assert other.covers(parse_pattern("/busy/"))
    assert not other.covers(narrow), "of expressions that is not known"


def scope(**given):
    return Scope(**{"providers": frozenset(), "mx": (), "domains": frozenset(), **given})


ALL, YAHOO = scope(), scope(providers=frozenset({"yahoo"}))
MX, DOMAIN = scope(mx=(".example.com",)), scope(domains=frozenset({"a.example"}))


def test_whom_a_scope_concerns():
    assert ALL.concerns("", "", "")
    assert YAHOO.concerns("yahoo", "mta5.am0.yahoodns.net", "a.example")
    assert not YAHOO.concerns("", "mta5.am0.yahoodns.net", "a.example")
    assert MX.concerns("x", "mx1.example.com", "")
    assert MX.concerns("x", "example.com", "")
    assert not MX.concerns("x", "mx1.notexample.com", "")
    assert DOMAIN.concerns("x", "h", "a.example")
    assert not DOMAIN.concerns("x", "h", "b.example")


def test_what_a_scope_holds():
    assert all(ALL.holds(one) for one in (ALL, YAHOO, MX, DOMAIN))
    assert not any(one.holds(ALL) for one in (YAHOO, MX, DOMAIN))
    assert MX.holds(scope(mx=(".a.example.com",)))
    assert not scope(mx=(".a.example.com",)).holds(MX)
    assert scope(providers=frozenset({"yahoo", "apple"})).holds(YAHOO)
    assert DOMAIN.holds(DOMAIN)


SCOPES = st.one_of(
    st.just(ALL),
    st.builds(lambda names: scope(providers=names), st.frozensets(st.sampled_from("ab"), min_size=1)),
    st.builds(lambda ends: scope(mx=tuple(ends)), st.lists(st.sampled_from([".x", ".y.x", ".z"]), min_size=1)),
    st.builds(lambda names: scope(domains=names), st.frozensets(st.sampled_from("cd"), min_size=1)),
)


@settings(max_examples=100)
@given(SCOPES, SCOPES, st.sampled_from("ab"), st.sampled_from(["h.x", "h.y.x", "z"]), st.sampled_from("cd"))
def test_what_is_held_is_concerned(one, other, provider, host, domain):
    if one.holds(other) and other.concerns(provider, host, domain):
        assert one.concerns(provider, host, domain)


def test_what_holds_for_a_provider_holds_for_the_group_of_a_route_there():
    scope = Scope(providers=frozenset({"google", "partner"}))
    for provider in ("google", "partner", "few at google"):
        assert scope.concerns(provider, "mx.example", "a.example")
    assert not scope.concerns("few", "mx.example", "a.example")
