"""Rows 1 to 17 and 26 to 30 of docs/faults.md: connecting, the greeting, EHLO, and what it offers."""

from __future__ import annotations

import quopri

import pytest

pytestmark = [pytest.mark.loopback, pytest.mark.slow, pytest.mark.xdist_group("hostile")]


def check_expired(domain, category, stage, note=""):
    """Nobody got anything, each row says why, and each try was one that a later one may follow."""
    assert domain.seen("status", "category", "stage") == {("expired", category, stage)}, domain
    assert domain.stored == [], domain
    assert {result for (result,) in domain.tried("result")} <= {"deferred", "failed"}, domain
    assert any(note in text for (text,) in domain.tried("reply")), domain


def check_delivered(domain, tries=(1,)):
    """Everybody got one copy, at one of the numbers of tries named."""
    assert domain.statuses == {"delivered"}, domain
    assert domain.attempted <= set(tries), domain
    assert set(domain.copies.values()) == {1}, domain


def check_in_time(domain, patience):
    """Each try ended at its deadline: not before, and not long after (the machine may be busy)."""
    for (milliseconds,) in domain.tried("duration_ms"):
        assert 1000 * patience <= int(milliseconds) <= 1000 * patience + 4000, domain


def test_every_domain_keeps_the_promises(run):
    """I1: one final row each. I2: delivered means kept. I3: a second copy is the same, and follows an unsure try."""
    run.check(kept_unsaid=("dot-451",))


def test_the_sender_stays_small_whatever_is_poured_on_it(run):
    """I5: the endless servers would each have poured 64 MiB a connection."""
    assert 20 < run.peak_mb < 200
    assert run.campaign.summary()["complete"]


def test_row_01_refused_or_never_answered(run):
    check_expired(run["dead"], "connection", "connect", "connection refused")
    check_expired(run["hole"], "connection", "connect", "connection timed out")
    check_delivered(run["half-hole"])
    assert run["half-hole"].seen("mx_host") == {("mx2.half-hole.test",)}


def test_row_01_a_dead_site_is_probed_with_one_recipient(run):
    """Its back-off is the host's: the other one is not tried meanwhile."""
    tries = run["dead"].attempts
    assert len({attempt["at"] for attempt in tries}) == len(tries) < 30


def test_row_02_accepted_and_closed(run):
    check_expired(run["slam"], "connection", "greeting", "closed the connection")
    assert run["rst"].statuses == {"expired"}
    assert run["rst"].stored == []
    check_delivered(run["second-mx"])
    assert run["second-mx"].seen("mx_host") == {("mx.second-mx.test",)}


def test_row_03_no_greeting(run):
    check_expired(run["mute"], "no-answer", "greeting", "no greeting within 2 s")


def test_row_04_slow_but_legal(run):
    check_delivered(run["slow"])


def test_row_05_a_dripped_reply(run):
    """The deadline is for the whole reply, not for each byte."""
    check_expired(run["drip"], "no-answer", "greeting", "no greeting within 2 s")
    assert run["drip-dot"].statuses == {"unknown"}
    check_in_time(run["drip-dot"], 2.0)


def test_row_06_a_reply_without_an_end(run):
    check_expired(run["endless-lines"], "protocol", "greeting", "more than 1000 lines")
    check_expired(run["endless-ehlo"], "protocol", "ehlo", "more than 1000 lines")
    assert run["endless-dot"].seen("status", "stage") == {("unknown", "dot")}
    assert run["endless-dot"].stored == []
    check_delivered(run["many-lines"])


def test_row_07_a_line_without_an_end(run):
    check_expired(run["endless-line"], "protocol", "greeting", "longer than 4096 bytes")
    assert run["endless-line-dot"].seen("status", "stage") == {("unknown", "dot")}


def test_row_08_a_greeting_that_refuses(run):
    check_delivered(run["greets-421"], (1, 2))
    check_delivered(run["greets-450"], (1, 2))
    assert run["greets-421"].tried("stage", "smtp_code") >= {("greeting", "421")}
    for name, code in (("closed", "554"), ("greets-521", "521")):
        check_expired(run[name], "connection", "greeting")
        assert run[name].tried("smtp_code") == {(code,)}, "and never a bounce: it is about the host"


def test_row_09_not_smtp(run):
    check_expired(run["garbage"], "protocol", "greeting", "not an SMTP reply")


def test_row_10_replies_that_nobody_asked_for(run):
    check_expired(run["two-greetings"], "protocol", "ehlo", "not asked for")
    assert run["early"].seen("status", "category") == {("expired", "protocol")}, "its 250 is no answer to MAIL"
    assert run["early"].stored == []
    check_delivered(run["idle-250"], (1, 2, 3))  # one more where its words met a MAIL on the way


def test_row_11_half_a_close_and_silence_at_hello(run):
    check_expired(run["half-close"], "connection", "ehlo", "closed the connection")
    check_expired(run["close-at-ehlo"], "connection", "ehlo", "closed the connection")
    check_expired(run["mute-at-ehlo"], "no-answer", "ehlo", "no answer to EHLO within 2 s")


def test_row_12_helo(run):
    check_delivered(run["helo-only"])
    assert run["helo-only"].seen("tls") == {("",)}
    check_expired(run["no-hello"], "protocol", "ehlo")
    check_delivered(run["second-mx"])


def test_row_13_odd_offers(run):
    check_delivered(run["odd-offers"])


def test_row_15_our_own_name(run):
    check_expired(run["mirror"], "routing", "ehlo", "mail would loop")


def test_row_16_no_pipelining(run):
    """It closes on whoever sends the second command before the first is answered."""
    check_delivered(run["one-by-one"])


def test_row_17_broken_pipelining(run):
    """Found out, remembered, and spoken to one command at a time."""
    check_delivered(run["drops-groups"], (1, 2, 3))
    check_delivered(run["refuses-groups"], (1, 2, 3))
    check_delivered(run["nested-mail"])
    assert run["drops-groups"].attempted & {2, 3}
    assert run["drops-groups"].tried("result") == {("deferred",), ("delivered",)}


def test_row_26_larger_than_the_server_takes(big):
    small = big["small"]
    assert small.seen("status", "category", "attempts") == {("blocked", "too-large", "1")}
    assert small.tried("stage", "smtp_code") == {("mail", "")}, "our own verdict: nothing was transferred"
    assert small.stored == []


def test_row_27_a_parameter_refused(run):
    check_expired(run["no-parameters"], "protocol", "mail")
    assert run["no-parameters"].tried("smtp_code") == {("555",)}


def test_row_28_no_8bitmime(run):
    check_delivered(run["no-8bit"])
    bodies = [run.body(one) for one in run["no-8bit"].stored]
    assert all(body.isascii() for body in bodies)
    assert all(b"Gr=C3=BC=C3=9Fe" in body for body in bodies), "it had something to encode"


def test_row_29_no_smtputf8(run):
    utf8 = [row for row in run["ascii"].rows if not row["email"].isascii()]
    assert [(row["status"], row["category"]) for row in utf8] == [("blocked", "protocol")]
    assert "5.6.7" in utf8[0]["reply"]
    assert {row["status"] for row in run["ascii"].rows if row["email"].isascii()} == {"delivered"}
    taken = {row["email"]: row["status"] for row in run["accept"].rows}
    assert taken["jürgen@accept.test"] == "delivered"
    assert run["bücher"].statuses == {"delivered"}, "a domain name only needs its A-label"
    assert run["bücher"].seen("mx_host") == {("mx.xn--bcher-kva.test",)}


@pytest.mark.parametrize("name", ["chunking", "bdat-refused", "bdat-twice", "bdat-nested", "bdat-lost", "bdat-close"])
def test_row_30_chunking(run, everybody, name):
    """The dots at the start of lines arrive as they are, by whatever command they came."""
    for each in (run, everybody):
        assert each[name].statuses == {"delivered"}, each[name]
        if name != "bdat-close":  # it closes once for each recipient that comes first in a transaction
            assert max(each[name].attempted) <= 2, each[name]
        if name == "bdat-lost":
            assert each[name].attempted == {1}, "the 503 was about nobody"
        for one in each[name].stored:
            assert b"\r\n.dots\r\n" in quopri.decodestring(each.body(one))
