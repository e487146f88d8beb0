"""Rows 39 to 50 of docs/faults.md: messages that break off, limits, and everything at once."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import pytest

pytestmark = [pytest.mark.loopback, pytest.mark.slow, pytest.mark.xdist_group("hostile")]


def check_delivered(domain, tries=(1,), copies=1):
    assert domain.statuses == {"delivered"}, domain
    assert domain.attempted <= set(tries), domain
    assert set(domain.copies.values()) == {copies}, domain


@pytest.mark.parametrize("name", ["stops-reading", "stops-midway", "reads-slowly"])
def test_row_39_a_server_that_does_not_read(big, name):
    """A piece of the message has its deadline; a crawl below that pace is none."""
    domain = big[name]
    assert domain.seen("status", "category", "stage") == {("expired", "no-answer", "data")}, domain
    assert domain.tried("reply") == {("the server took nothing of the message within 2 s",)}
    for (milliseconds,) in domain.tried("duration_ms"):
        assert 2000 <= int(milliseconds) <= 7000


def test_row_39_memory_does_not_grow_with_who_does_not_read(big):
    """Eight messages of 7 MB, each composed and kept while it is tried: about twice that, not a copy for each try."""
    assert big.peak_mb < 350
    big.check()


def test_row_40_refused_or_cut_in_the_middle(big):
    assert big["early-550"].seen("status", "smtp_code", "stage", "attempts") == {("blocked", "550", "dot", "1")}
    assert big["early-451"].seen("status", "smtp_code", "stage") == {("expired", "451", "dot")}
    check_delivered(big["cut"], (2,))
    assert big["cut"].tried("result", "stage") == {("deferred", "data"), ("delivered", "dot")}
    check_delivered(big["accept"])


@pytest.mark.parametrize("name", ["dot-close", "dot-reset", "dot-half", "dot-silence"])
def test_row_41_the_answer_to_the_dot_is_lost(run, name):
    """Nobody can know: tried again later, with the same bytes, and the report says that it may be a double."""
    check_delivered(run[name], (2,), copies=2)
    assert run[name].tried("attempt", "result", "stage") == {("1", "unknown", "dot"), ("2", "delivered", "dot")}
    if name == "dot-silence":
        waited = [int(attempt["duration_ms"]) for attempt in run[name].attempts if attempt["attempt"] == "1"]
        assert min(waited) >= 2000


def test_row_41_the_doubles_are_counted(run):
    unsure = Counter(
        attempt["email"]
        for domain in run.domains.values()
        for attempt in domain.attempts
        if attempt["result"] == "unknown"
    )
    assert run.campaign.summary()["possibly_doubled"] == len(unsure) > 0


def test_row_42_what_the_dot_is_told(run):
    check_delivered(run["451-at-the-dot"], (2,))
    check_delivered(run["dot-451"], (2,), copies=2)
    assert run["dot-451"].tried("attempt", "result") == {("1", "deferred"), ("2", "delivered")}
    assert run["354-at-the-dot"].statuses == {"unknown"}
    assert run["354-at-the-dot"].stored == []


@pytest.mark.parametrize("name", ["ok-close", "ok-421"])
def test_row_43_taken_and_then_closed(run, name):
    """The next one reconnects, and that is no attempt."""
    check_delivered(run[name])
    assert len(run[name].rows) == 14


def test_row_44_quit_and_rset(run):
    check_delivered(run["quit-silent"])
    rows = {row["email"].partition("@")[0]: (row["status"], row["attempts"]) for row in run["no-rset"].rows}
    taken = ("delivered", "1")
    assert rows == {"user1": taken, "user2": taken, "unknown1": ("bounced", "1")}


@pytest.mark.parametrize("name", ["idle-close", "idle-421"])
def test_row_45_closed_while_idle(run, name):
    """A message that comes back after a refusal finds its connection gone, and pays nothing for it."""
    tries = {row["email"].partition("@")[0]: (row["status"], row["attempts"]) for row in run[name].rows}
    assert tries.pop("tempfail+1") == ("delivered", "2"), str(run[name])
    assert set(tries.values()) == {("delivered", "1")}, str(run[name])


@pytest.mark.parametrize("name", ["short", "hang-up"])
def test_row_46_so_many_messages_a_connection(run, name):
    check_delivered(run[name])
    assert len(run[name].rows) == 14


def test_row_47_too_many_too_fast(run):
    """Only that host is spoken to more slowly."""
    check_delivered(run["busy"], (1, 2))
    check_delivered(run["rate"], (1, 2, 3))
    assert run["accept"].tried("result") >= {("delivered",)}
    assert {row["attempts"] for row in run["accept"].rows if row["email"].startswith("more")} == {"1"}


def test_row_48_one_slow_mx_of_a_set(mixed):
    """Neither loses one. (That connections gather at the slow one is not prevented: there is no limit of their age.)"""
    domain = mixed["one-slow-mx"]
    check_delivered(domain)
    assert domain.seen("mx_host") <= {("mx.one-slow-mx.test",), ("mx.slow.test",)}


def test_row_49_many_domains_on_one_mx(mixed):
    """One limit for all of them: it turns away who opens a sixth connection. One dead mailbox holds up nobody."""
    assert mixed.mail.totals["rejected_at_limit"] == 0
    domains = [domain for name, domain in mixed.domains.items() if name.endswith(".shared")]
    assert len(domains) == 40
    rows = [row for domain in domains for row in domain.rows if not row["email"].startswith("tempfail")]
    assert {(row["status"], row["attempts"]) for row in rows} == {("delivered", "1")}
    assert {row["mx_host"] for row in rows} == {"mx.all-of-them.shared.test"}
    assert [row["status"] for row in mixed["d7.shared"].rows if row["email"].startswith("tempfail")] == ["expired"]


def is_out_of_time(row):
    """Whether there was no time for a further attempt: the mixed run gives 9 s, and a retry waits for about one."""
    began, ended = (datetime.fromisoformat(row[column]) for column in ("first_attempt_at", "completed_at"))
    return (ended - began).total_seconds() > 7.0


def test_row_50_everything_at_once(mixed):
    """Expected, reported and received are one."""
    mixed.check()
    domains = [domain for name, domain in mixed.domains.items() if name.startswith("chaos")]
    rows = [row for domain in domains for row in domain.rows]
    assert len(rows) == 600
    lost = Counter(a["email"] for domain in domains for a in domain.attempts if a["result"] == "unknown")
    in_time = {row["status"] for row in rows if lost[row["email"]] < 3 and not is_out_of_time(row)}
    assert in_time == {"delivered", "blocked"}
    assert {row["status"] for row in rows if lost[row["email"]] >= 3} <= {"unknown"}
    assert {(row["smtp_code"]) for row in rows if row["status"] == "blocked"} == {"550"}
    results = Counter(attempt["result"] for domain in domains for attempt in domain.attempts)
    assert min(results["deferred"], results["unknown"], results["failed"]) > 5, "it did go wrong in all these ways"
    kept = Counter(one.rcpt for domain in domains for one in domain.stored)
    assert max(kept.values()) <= 3
    assert {row["email"] for row in rows if row["status"] == "delivered"} <= set(kept)
