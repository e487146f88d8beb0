"""Rows 14, 18 to 25 and 31 to 38 of docs/faults.md: what is said from MAIL to the dot."""

from __future__ import annotations

import json

import pytest

pytestmark = [pytest.mark.loopback, pytest.mark.slow, pytest.mark.xdist_group("hostile")]


def check_expired(domain, category, stage):
    assert domain.seen("status", "category", "stage") == {("expired", category, stage)}, domain
    assert domain.stored == [], domain


def check_delivered(domain, tries=(1,)):
    assert domain.statuses == {"delivered"}, domain
    assert domain.attempted <= set(tries), domain
    assert set(domain.copies.values()) == {1}, domain


def of(domain, start):
    """The rows of some of its recipients."""
    return [row for row in domain.rows if row["email"].startswith(start)]


def test_row_14_mixed_codes(run):
    assert run["mixed-codes"].seen("status", "stage", "smtp_code") == {("unknown", "dot", "")}
    assert run["mixed-codes"].stored == []
    check_expired(run["mixed-codes-rcpt"], "protocol", "rcpt")


def test_row_18_some_recipients_refused(run):
    domain = run["some-refused"]
    assert {row["status"] for row in of(domain, "user")} == {"delivered"}
    assert {(row["status"], row["category"]) for row in of(domain, "unknown")} == {("bounced", "bad-mailbox")}
    assert {(row["status"], row["category"]) for row in of(domain, "later")} == {("expired", "quota")}
    assert {one.rcpt for one in domain.stored} == {row["email"] for row in of(domain, "user")}


def test_row_19_all_refused_and_yet_354(run):
    domain = run["open-data"]
    assert domain.seen("status", "stage", "smtp_code", "attempts") == {("bounced", "rcpt", "550", "1")}
    assert domain.stored == []


def test_row_18_by_position(everybody):
    """The same message to five recipients in one transaction: two taken, the others as they were told."""
    rows = {row["email"].partition("@")[0]: row for row in everybody["some-refused"].rows}
    assert {name: row["status"] for name, row in rows.items()} == {
        "later1": "expired", "anna": "delivered", "unknown1": "bounced", "bo": "delivered", "later2": "expired",
    }  # fmt: skip
    assert [rows[name]["smtp_code"] for name in ("later1", "anna", "unknown1")] == ["452", "250", "550"]
    assert {one.rcpt.partition("@")[0] for one in everybody["some-refused"].stored} == {"anna", "bo"}


def test_rows_18_and_19_everybody_refused(everybody):
    assert everybody["open-data"].seen("status", "stage", "attempts") == {("bounced", "rcpt", "1")}
    assert everybody["open-data"].stored == []


def test_row_20_too_many_recipients(run, everybody):
    """The others go at once in another transaction: 452 4.5.3 is no attempt."""
    check_delivered(everybody["two-recipients"])
    assert len(everybody["two-recipients"].rows) == 7
    check_delivered(run["two-recipients"])


def test_many_recipients_keep_the_promises(everybody):
    everybody.check()
    assert len({one.message_id for domain in everybody.domains.values() for one in domain.stored}) == 1
    check_delivered(everybody["421-at-rcpt"], (1, 2, 3, 4))  # it says so once for each of the three
    assert set(everybody["dot-close"].copies.values()) <= {2, 3, 4}, "a double for each unsure try"


def test_row_21_251_and_252(run):
    check_delivered(run["forwards"])
    check_delivered(run["cannot-verify"])


def test_row_22_put_off(run):
    """Tried again, not at once, in the same words: greylisting knows us by them."""
    accept = run["accept"]
    later = {row["email"]: row for row in of(accept, ("tempfail", "greylist"))}
    assert {row["status"] for row in later.values()} == {"delivered", "expired"}
    assert later["tempfail+1@accept.test"]["attempts"] == "2"
    greylisted = later["greylist@accept.test"]  # 300 seconds, it said, and that is longer than anything waits here
    assert (greylisted["status"], greylisted["category"], greylisted["attempts"]) == ("expired", "greylisted", "1")
    assert (later["tempfail+450@accept.test"]["status"], later["tempfail+450@accept.test"]["smtp_code"]) == (
        "expired", "450",
    )  # fmt: skip
    assert {one.mail_from for one in accept.stored} == {"news@example.com"}
    assert len({one.source_ip for one in accept.stored}) == 1
    for attempt in accept.attempts:
        assert bool(attempt["next_attempt_at"]) == (attempt["result"] == "deferred")
        assert not attempt["next_attempt_at"] or attempt["next_attempt_at"] > attempt["at"]


def test_row_23_refused_for_good(run):
    gone = {row["email"].partition("+")[2][:3]: row for row in of(run["accept"], "bounce")}
    assert set(gone) == {"550", "551", "552", "553", "556"}
    too_many = gone.pop("552")  # RFC 5321 4.5.3.1.10: to be taken for temporary
    assert (too_many["status"], too_many["category"]) == ("expired", "rate-limited")
    assert {row["attempts"] for row in gone.values()} == {"1"}
    assert {code: row["status"] for code, row in gone.items()} == {
        "550": "blocked", "551": "blocked", "553": "blocked", "556": "bounced",
    }  # fmt: skip
    assert all(row["smtp_code"] == code for code, row in gone.items())


@pytest.mark.parametrize("step", ["ehlo", "mail", "rcpt", "data", "dot"])
def test_row_24_421(run, step):
    """One attempt of the message concerned; nobody else's."""
    domain = run[f"421-at-{step}"]
    check_delivered(domain, (1, 2))
    failed = [attempt for attempt in domain.attempts if attempt["result"] == "deferred"]
    assert {(attempt["stage"], attempt["smtp_code"]) for attempt in failed} == {(step, "421")}
    if step in ("ehlo", "mail"):
        assert len(failed) == 1, "it said so once"


def test_row_25_it_is_about_us(run):
    for name, category in (("refuses-us", "policy"), ("blocklist", "spam-reputation")):
        assert run[name].seen("status", "category", "attempts") == {("blocked", category, "1")}, "never the address"


@pytest.mark.parametrize(
    ("name", "stage"),
    [("early-354", "mail"), ("354-at-rcpt", "rcpt"), ("wrong-class", "data"), ("two-replies", "data")],
)
def test_row_31_the_wrong_class(run, name, stage):
    """Above all, a 250 to DATA is no success."""
    check_expired(run[name], "protocol", stage)


@pytest.mark.parametrize("code", ["000", "199", "600", "850", "5500", "55"])
def test_row_32_codes_that_are_none(run, code):
    check_expired(run[f"code-{code}"], "protocol", "rcpt")


def test_row_32_at_the_dot(run):
    assert run["code-850-at-the-dot"].seen("status", "category") == {("unknown", "no-answer")}


def test_row_33_garbage_and_empty_lines(run):
    check_expired(run["empty-lines"], "protocol", "rcpt")
    noise = run["noise-at-the-dot"]
    assert noise.statuses == {"delivered"}
    assert noise.tried("attempt", "result") == {("1", "unknown"), ("2", "delivered")}
    assert set(noise.copies.values()) == {2}, "the doubt is told, and the double is recognisable (see the promises)"
    assert run["garbage-dot"].statuses == {"unknown"}, "kept, and never said so"


def test_row_34_ugly_words(run):
    """The code counts, and says nothing of the mailbox. The words can harm no terminal, spreadsheet or browser."""
    domain = run["ugly-words"]
    assert domain.seen("status", "smtp_code") == {("blocked", "550")}
    for (reply,) in domain.seen("reply") | domain.tried("reply"):
        assert reply.startswith("'="), "a formula is quoted"
        assert reply.isprintable()
    for name in ("recipients.csv", "attempts.csv", "index.html", "summary.json"):
        data = (run.campaign.report / name).read_bytes()
        assert not set(data) & {0x00, 0x07, 0x1B}
        text = data.decode("utf-8")
        assert "\u202e" not in text
        if name == "index.html":
            assert "<script>alert" not in text
    json.loads((run.campaign.report / "summary.json").read_text("utf-8"))


def test_row_35_bare_cr_and_bare_lf(run):
    check_delivered(run["bare-cr"])
    assert run["bare-cr"].seen("reply") == {("2.0.0 Ok?indeed",)}
    check_delivered(run["bare-lf"])


def test_row_36_crumbs(run):
    check_delivered(run["crumbs"])
    assert run["crumbs"].seen("smtp_code", "reply") == {("250", "")}


def test_row_37_the_code_wins(run):
    domain = run["lying-codes"]
    assert {row["status"] for row in of(domain, "user")} == {"delivered"}
    assert [(row["status"], row["smtp_code"]) for row in of(domain, "refused")] == [("blocked", "550")]
    assert {one.rcpt for one in domain.stored} == {row["email"] for row in of(domain, "user")}


def test_row_38_too_many_and_too_few(run):
    check_delivered(run["surplus"])
    assert len(run["surplus"].rows) == 14, "no message inherits the reply of the one before"
    check_delivered(run["surplus-refusal"])
    too_few = run["too-few"]
    assert too_few.seen("status", "stage") == {("expired", "rcpt")}
    assert too_few.tried("category") >= {("protocol",)}, "a 354 in the slot of RCPT"
    assert too_few.stored == []
