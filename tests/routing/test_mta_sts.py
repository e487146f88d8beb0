from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.routing.mta_sts import LONGEST, Policy, parse_policy, record_id

WHOLE = "version: STSv1\r\nmode: enforce\r\nmx: mx1.shop.test\r\nmx: *.mail.test\r\nmax_age: 604800\r\n"


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
        (["v=STSv1;id=a"], "a"),
        (["v=STSv1 ;\tx=1 ; id=b ;"], "b"),
        (["v=spf1 -all", "v=STSv1; id=c"], "c"),
        (["v=STSv1; id=a; id=b"], "a"),
        (["v=STSv1; id=a", "v=STSv1; id=a"], ""),  # more than one: as none
        (["v=STSv1"], ""),
        (["v=STSv1; id="], ""),
        (["v=STSv1; id=a-b"], ""),
        ([f"v=STSv1; id={'a' * 33}"], ""),
        (["V=STSv1; id=a"], ""),
        (["v=STSv12; id=a"], ""),
        (["id=a; v=STSv1"], ""),
        ([], ""),
    ],
)
def test_the_record(texts, found):
    assert record_id(texts) == found


def test_a_policy():
    assert parse_policy(WHOLE) == Policy("enforce", ("mx1.shop.test", "*.mail.test"), 604800)


@pytest.mark.parametrize(
    "text",
    [
        WHOLE.replace("\r\n", "\n"),
        WHOLE.rstrip("\r\n"),
        WHOLE + "\r\n\r\n",
        WHOLE + "stsv2_thing: whatever it: says\r\n",
        WHOLE + "mode: none\r\nmax_age: 1\r\nversion: STSv9\r\n",  # of two the first counts, but for mx
        WHOLE.replace(": ", " \t:   "),
        WHOLE.replace("mx1.shop.test", "MX1.Shop.Test"),
        "mx: mx1.shop.test\nmx: *.mail.test\nmax_age: 604800\nmode: enforce\nversion: STSv1",
    ],
)
def test_the_same_policy_in_other_clothes(text):
    assert parse_policy(text) == parse_policy(WHOLE)


def test_a_policy_is_written_as_it_is_read():
    assert parse_policy(parse_policy(WHOLE).text) == parse_policy(WHOLE)


def test_none_needs_no_mx():
    assert parse_policy("version: STSv1\nmode: none\nmax_age: 0\n") == Policy("none", (), 0)


def test_a_policy_is_believed_for_a_year_at_most():
    assert parse_policy(WHOLE.replace("604800", "9999999999")).max_age == LONGEST


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("version: STSv1\r\n", "", "no version"),
        ("STSv1", "STSv2", "its version is 'STSv2'"),
        ("mode: enforce\r\n", "", "no mode"),
        ("enforce", "Enforce", "its mode is 'Enforce'"),
        ("max_age: 604800\r\n", "", "no max_age"),
        ("604800", "-1", "its max_age is '-1'"),
        ("604800", "1e3", "its max_age"),
        ("604800", "\u0661\u0662", "its max_age"),
        ("604800", "12345678901", "its max_age"),
        ("mx: mx1.shop.test\r\nmx: *.mail.test\r\n", "", "it names no mx"),
        ("mx1.shop.test", "mx*.shop.test", "its mx 'mx"),
        ("mx1.shop.test", "*.*.shop.test", "its mx"),
        ("mx1.shop.test", "", "its mx ''"),
        ("mx1.shop.test", "\nmx: ".join(f"{n}.{'x' * 63}.test" for n in range(99)), "longer than 4096 characters"),
        ("mode: enforce", "<html>", "is not `key: value`"),
    ],
)
def test_what_is_no_policy(old, new, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        parse_policy(WHOLE.replace(old, new))


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("mx1.shop.test", True),
        ("a.mail.test", True),
        ("mx2.shop.test", False),
        ("mail.test", False),
        ("a.b.mail.test", False),  # one label
        ("xmail.test", False),
        ("test", False),
    ],
)
def test_the_hosts_that_a_policy_allows(host, allowed):
    assert parse_policy(WHOLE).allows(host) is allowed


@given(st.text())
def test_any_text_is_a_policy_or_no_policy(text):
    with contextlib.suppress(ValueError):
        assert parse_policy(text).mode in ("enforce", "testing", "none")


@given(st.lists(st.text()))
def test_any_records_have_an_id_or_none(texts):
    assert record_id(texts) == "" or record_id(texts).isalnum()
