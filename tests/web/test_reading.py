from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.web.reading import credentials_of, fields_of, form_of, parts_of, same_site, session_of

FORM = b"application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        (b"/", ()),
        (b"/campaigns/a%2Fb/pause?x=y", ("campaigns", "a/b", "pause")),
        (b"//campaigns///caf%C3%A9", ("campaigns", "café")),
        (b"/%ff", ("\N{REPLACEMENT CHARACTER}",)),
    ],
)
def test_a_path_in_its_parts(path, parts):
    assert parts_of(path) == parts


def test_a_form_and_a_query():
    assert fields_of(b"a=1&a=2&b=%C3%A9&c=") == {"a": "2", "b": "é", "c": ""}
    assert fields_of(b"&".join(b"f%d=1" % n for n in range(50))) == {}
    assert form_of(FORM + b"; charset=utf-8", b"a=1") == {"a": "1"}
    assert form_of(b"application/json", b"a=1") == {}
    assert form_of(FORM, None) == {}


def test_the_cookie_of_the_session():
    assert session_of(b"a=b; bulkmail-session=secret; c=d") == "secret"
    assert session_of(b"xbulkmail-session=secret") == ""
    assert len(session_of(b"bulkmail-session=" + b"x" * 5000)) == 200


@pytest.mark.parametrize(
    ("fetch", "origin", "same"),
    [
        (b"same-origin", b"", True),
        (b"none", b"", True),
        (b"cross-site", b"http://127.0.0.1:8025", False),
        (b"same-site", b"", False),
        (b"", b"http://127.0.0.1:8025", True),
        (b"", b"https://evil.example", False),
        (b"", b"null", False),
        (b"", b"", True),
    ],
)
def test_who_says_that_another_site_asks(fetch, origin, same):
    assert same_site(fetch, origin, b"127.0.0.1:8025") is same


@pytest.mark.parametrize(
    ("field", "found"),
    [
        (b"Basic YW5uOmE6Yg==", ("ann", "a:b")),
        (b"basic  YW5uOg==", ("ann", "")),
        (b"Bearer YW5uOg==", None),
        (b"Basic YW5u", None),
        (b"Basic !", None),
        (b"", None),
    ],
)
def test_the_credentials_of_a_program(field, found):
    assert credentials_of(field) == found


@given(st.binary(max_size=200))
def test_any_octets_can_be_read(octets):
    parts_of(octets)
    fields_of(octets)
    session_of(octets)
    credentials_of(b"Basic " + octets)
    form_of(octets, octets)
