"""Rows 51 to 58 of docs/faults.md: TLS. Domains named `...-2` are those whose provider must use it.

Row 59, MTA-STS, is in tests/behaviour/test_policies.py; row 60, DANE, is not built yet.
"""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.loopback, pytest.mark.slow, pytest.mark.xdist_group("hostile")]


def check_in_clear(domain):
    """Opportunistic: the mail goes, in clear, at the first try."""
    assert domain.seen("status", "tls", "attempts") == {("delivered", "", "1")}, domain
    assert {one.tls for one in domain.stored} == {""}, domain


def check_not_sent(domain, stage="starttls"):
    """No mail in clear, none lost: it waits, and the report says that TLS is why."""
    assert domain.seen("status", "stage") == {("expired", stage)}, domain
    assert domain.stored == [], domain
    assert domain.tried("result") <= {("deferred",), ("failed",)}, domain


@pytest.mark.parametrize("name", ["no-tls", "tls-454", "tls-501"])
def test_row_51_no_starttls(run, name):
    check_in_clear(run[name])
    check_not_sent(run[f"{name}-2"])
    assert run[f"{name}-2"].seen("category") == {("tls",)}


@pytest.mark.parametrize("name", ["broken-tls", "tls-garbage", "tls-hangs", "tls-reset"])
def test_row_52_the_handshake_fails(run, name):
    check_in_clear(run[name])
    check_not_sent(run[f"{name}-2"])
    assert run[f"{name}-2"].seen("category") == {("tls",)}


@pytest.mark.parametrize("name", ["one-segment", "one-segment-2", "one-segment-3"])
def test_row_52_a_hello_of_more_than_one_segment_is_never_answered(run, name):
    """Opportunistic, required and verified: under TLS all the same, at the first attempt."""
    assert run[name].seen("status", "tls", "attempts") == {("delivered", "TLSv1.3", "1")}, run[name]


def test_row_52_silence_instead_of_220(run):
    check_in_clear(run["silent-at-starttls"])


def test_row_53_words_in_clear_behind_220(run):
    """What was forged is used for nothing (CVE-2021-38371): it would have limited the size to one byte."""
    check_in_clear(run["tls-injected"])
    check_not_sent(run["tls-injected-2"])
    assert "more in clear" in run["tls-injected-2"].rows[0]["reply"]


def test_row_54_less_is_offered_under_tls(run):
    """Whoever still sends groups there is refused; whoever shakes hands again is, too."""
    domain = run["tls-shrinks"]
    assert domain.seen("status", "tls", "attempts") == {("delivered", "TLSv1.3", "1")}, domain


@pytest.mark.parametrize("name", ["tls-expired", "tls-self-signed", "tls-wrong-name", "tls-weak"])
def test_row_55_certificates(run, name):
    """Opportunistic TLS looks at none; where it must be the right one, nothing is sent to a stranger."""
    assert run[name].seen("status", "tls") == {("delivered", "TLSv1.3")}, run[name]
    check_not_sent(run[f"{name}-2"])
    assert run[f"{name}-2"].seen("category") == {("tls",)}
    assert run["accept-2"].seen("status", "tls") == {("delivered", "TLSv1.3")}, "a good one is taken"


def test_row_56_tls_1_0(run):
    check_in_clear(run["tls-old"])
    check_not_sent(run["tls-old-2"])


def test_row_57_530_until_tls(run):
    assert run["tls-only"].seen("status", "tls") == {("delivered", "TLSv1.3")}
    off = run["tls-only-2"]
    assert off.seen("status", "category", "smtp_code") == {("expired", "tls", "530")}, off
    assert "STARTTLS" in off.rows[0]["reply"]
    assert off.stored == []


@pytest.mark.parametrize("name", ["tls-closes", "tls-mute", "tls-no-ehlo"])
def test_row_58_the_end_comes_inside_tls(run, name):
    check_in_clear(run[name])
    check_not_sent(run[f"{name}-2"], "ehlo")


def test_row_58_cut_without_close_notify(run):
    """A complete 250 before it counts; half a conversation does not."""
    assert run["tls-ok-cut"].seen("status", "tls", "attempts") == {("delivered", "TLSv1.3", "1")}
    cut = run["tls-cut"]
    assert cut.tried("attempt", "result", "stage") == {("1", "unknown", "dot"), ("2", "delivered", "dot")}
