"""What comes back: on every store the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter

import pytest

from bulkmail.mail import LateEvent, LateResult, OwnFault, campaign_key, token
from bulkmail.shaping import AutoSuppression, Back
from bulkmail.spool import (
    EVERYTHING,
    Arrival,
    Audience,
    EventBounds,
    LateCounts,
    Reader,
    SqliteStore,
    Suppression,
    list_scope,
    recipient_id,
)

RULES = AutoSuppression()
RETURNED = LateEvent(
    LateResult.RETURNED, 3000.0, "bounced", "bad-mailbox", 550, "5.1.1", "no such user", "mx.far.test", key="k1"
)
FULL = RETURNED._replace(status="blocked", category="quota", enhanced="4.2.2", soft=True)
UNSUBSCRIBED = LateEvent(LateResult.UNSUBSCRIBED, 3100.0, reply="one-click")
RESUBSCRIBED = LateEvent(LateResult.RESUBSCRIBED, 3150.0, reply="page")
COMPLAINED = LateEvent(LateResult.COMPLAINED, 3200.0, key="f1")
NEWS = Audience("news", "spring")


@pytest.fixture
def late(store, kit):
    return Kit(store, kit)


def found_of(store, text):
    [found] = store.find_recipients([text])
    return found


class Kit:
    """A store with campaigns that were sent, and the tokens of their rows."""

    def __init__(self, store, kit):
        self.store, self.kit = store, kit

    def sent(self, name="spring", *, rows=4, status="delivered", settle=True, list_="news", kind="marketing"):
        made = self.store.create_campaign(
            name,
            f"/campaigns/{name}",
            content={},
            digests={},
            files=[("recipients.csv", ["email", "first_name"])],
            now=1000.0,
            list=list_,
            kind=kind,
        )
        self.store.add_rows(made.id, [self.kit.row(n) for n in range(1, rows + 1)], {}, True, 1000.0)
        self.store.set_state(made.id, "running", 1001.0)
        if settle:
            self.settle(made.id, status)
        return made

    def claim(self, campaign_id, now=5000.0):
        queues = [queue for queue, campaign, _ in self.store.backlog(0, 10) if campaign == campaign_id]
        queues += [row[0] for row in self.store.due_queues(now, 10) if row[1] == campaign_id]
        return [row for rows in self.store.claim([(queue, 100) for queue in queues], now).values() for row in rows]

    def settle(self, campaign_id, status="delivered", **more):
        self.store.settle([self.kit.outcome(row, status, provider="google", **more) for row in self.claim(campaign_id)])

    def record(self, made, number, *events, rules=RULES):
        tokens = [token(made.key, number)] * len(events)
        return self.store.record_late([Arrival(*pair, rules) for pair in zip(tokens, events, strict=True)])

    def lines(self):
        sql = """SELECT recipient_id & 1099511627775, number, result, category, smtp_code, reply, stage, mx_host
            FROM attempt WHERE result NOT IN ('delivered', 'failed', 'deferred', 'unknown') ORDER BY id"""
        return self.kit.asked(self.store, sql)

    def entries(self, email):
        return [(entry.scope, entry.reason) for entry in self.store.suppressions_of(email)]


def test_a_late_bounce_overwrites_delivered_and_the_totals_move(late, store, kit):
    made = late.sent()
    [one] = late.record(made, 2, RETURNED)
    assert one.kept
    assert (one.before, one.after) == (("google", "delivered", ""), ("google", "bounced", "bad-mailbox"))
    assert one.found[:6] == (made.id, 2, "spring", "news", "marketing", "user2@example.com")
    assert store.totals(made.id) == {("google", "delivered", ""): 3, ("google", "bounced", "bad-mailbox"): 1}
    assert late.lines() == [(2, 1, "returned", "bad-mailbox", 550, "no such user", "dsn", "mx.far.test")]
    assert kit.asked(store, "SELECT attempts, attempt_id & 1099511627775 FROM outcome WHERE status = 'bounced'") == [
        (1, 5)
    ]
    assert store.late_counts(made.id) == LateCounts(returned=1)
    assert late.entries("user2@example.com") == [(EVERYTHING, "bounced-before")]
    kit.check_laws(store)


def test_what_the_operator_says_of_a_reply_counts_before_the_row_and_the_list_change(late, store, kit):
    made = late.sent()
    said = []

    def judge(event, provider, domain):
        said.append((event.reply, provider, domain))
        return event._replace(status="blocked", category="policy")

    [one] = store.record_late([Arrival(token(made.key, 2), RETURNED, RULES, judge)])
    assert one.after == ("google", "blocked", "policy")
    assert said == [("no such user", "google", "example.com")]
    assert late.lines() == [(2, 1, "returned", "policy", 550, "no such user", "dsn", "mx.far.test")]
    assert late.entries("user2@example.com") == []
    kit.check_laws(store)


def test_the_same_report_twice_is_once(late, store, kit):
    made = late.sent()
    first, second = late.record(made, 1, RETURNED, RETURNED)
    assert (first.kept, second.kept) == (True, False)
    assert second.found is not None
    [third] = late.record(made, 1, RETURNED)
    assert not third.kept
    assert len(late.lines()) == 1
    assert late.record(made, 1, COMPLAINED)[0].kept
    assert not late.record(made, 1, COMPLAINED)[0].kept
    kit.check_laws(store)


def test_what_is_not_ours_changes_nothing(late, store):
    made = late.sent()
    strange = [token(campaign_key(b"x" * 32, 1), 1), "", "a" * 26, token(made.key, 99), token(made.key, 0)]
    answers = store.record_late([Arrival(text, COMPLAINED, RULES) for text in strange])
    assert [answer.found for answer in answers] == [None] * 5
    assert late.lines() == []
    assert found_of(store, "a" * 26) is None
    assert found_of(store, token(made.key, 99)) is None
    assert store.count_suppressions() == []


def test_an_unsubscribe_is_a_column_a_line_and_an_entry_for_the_list(late, store, kit):
    made = late.sent()
    [one] = late.record(made, 3, UNSUBSCRIBED)
    assert one.found.unsubscribed
    assert one.suppressed == 1
    assert late.entries("user3@example.com") == [(list_scope("news"), "unsubscribed")]
    assert set(store.suppressed(["user3@example.com"], NEWS)) == {"user3@example.com"}
    assert not store.suppressed(["user3@example.com"], Audience("other", "x"))
    assert store.late_counts(made.id) == LateCounts(unsubscribed=1)
    assert store.totals(made.id) == {("google", "delivered", ""): 4}
    assert late.lines() == [(3, 1, "unsubscribed", "", None, "one-click", "", "")]
    assert not late.record(made, 3, UNSUBSCRIBED)[0].kept
    [back] = late.record(made, 3, RESUBSCRIBED)
    assert not back.found.unsubscribed
    assert back.suppressed == 1
    assert late.entries("user3@example.com") == []
    assert store.late_counts(made.id) == LateCounts()
    kit.check_laws(store)


def test_an_unsubscribe_mail_that_comes_again_does_not_undo_the_change_of_mind(late):
    made = late.sent()
    mail = UNSUBSCRIBED._replace(reply="mail", key="m1")
    late.record(made, 3, mail, RESUBSCRIBED, mail)
    assert late.entries("user3@example.com") == []


def test_nothing_overwrites_a_complaint(late, store):
    made = late.sent()
    late.record(made, 1, COMPLAINED, RETURNED)
    assert store.totals(made.id) == {("google", "delivered", ""): 4}
    assert [line[2] for line in late.lines()] == ["complained", "returned"]
    assert (EVERYTHING, "complained") in late.entries("user1@example.com")


def test_a_block_by_policy_suppresses_nobody(late, store):
    made = late.sent()
    late.record(made, 1, RETURNED._replace(status="blocked", category="policy", enhanced="5.7.1"))
    assert store.totals(made.id)["google", "blocked", "policy"] == 1
    assert store.count_suppressions() == []


def test_soft_bounces_are_counted_by_address_over_campaigns(late):
    rules = AutoSuppression(soft_after=2, soft_within=1000.0)
    campaigns = [late.sent(name) for name in ("one", "two", "three")]
    late.record(campaigns[0], 1, FULL, FULL._replace(key="k2"), rules=rules)
    assert late.entries("user1@example.com") == [], "one message counts once"
    late.record(campaigns[1], 1, FULL._replace(at=4500.0), rules=rules)
    assert late.entries("user1@example.com") == [], "the first is too old by then"
    late.record(campaigns[2], 1, FULL._replace(at=4600.0), rules=rules)
    assert late.entries("user1@example.com") == [(EVERYTHING, "bounced-before")]


def test_a_transactional_message_is_unsubscribed_from_by_itself(late):
    made = late.sent("invoice", kind="transactional")
    late.record(made, 1, UNSUBSCRIBED)
    assert late.entries("user1@example.com") == [("campaign:invoice", "unsubscribed")]


def test_rules_may_be_wider_and_keep_no_address(late, store):
    made = late.sent()
    late.record(made, 1, UNSUBSCRIBED, rules=AutoSuppression(unsubscribed="all", hashed=True))
    [entry] = store.suppressions_of("user1@example.com")
    assert isinstance(entry, Suppression)
    assert (entry.address, entry.scope) == (None, EVERYTHING)
    assert entry.source == "unsubscribed: spring, row 1"


@pytest.mark.parametrize("end", ["delivered", "unknown", "blocked"])
def test_a_failure_waits_while_the_row_is_being_sent(late, store, kit, end):
    made = late.sent(settle=False)
    rows = late.claim(made.id)
    [one] = late.record(made, 2, RETURNED)
    assert (one.waits, one.kept, one.after) == (True, True, None)
    assert store.settle_late(10) == []
    assert store.late_waits()
    kit.check_laws(store)
    store.settle([kit.outcome(row, end, provider="google") for row in rows])
    kit.check_laws(store)
    found = store.settle_late(10)
    if end == "blocked":
        assert found == []
        assert store.totals(made.id) == {("google", "blocked", ""): 4}
    else:
        assert [(one.before, one.after) for one in found] == [
            (("google", end, ""), ("google", "bounced", "bad-mailbox"))
        ]
        assert store.totals(made.id) == {("google", end, ""): 3, ("google", "bounced", "bad-mailbox"): 1}
        assert store.late_counts(made.id).returned == 1
    assert store.settle_late(10) == []
    assert not store.late_waits()
    kit.check_laws(store)


def test_a_row_that_waits_for_its_retry_keeps_its_turn(late, store, kit):
    made = late.sent(status="deferred")
    late.record(made, 1, RETURNED, UNSUBSCRIBED, RETURNED._replace(status="", category="connection", key="delay"))
    kit.check_laws(store)
    late.settle(made.id)
    assert store.settle_late(10) == [], "nothing overwrites an unsubscribe"
    assert store.totals(made.id) == {("google", "delivered", ""): 4}
    assert [line[:3] for line in late.lines()] == [(1, 1, "returned"), (1, 1, "unsubscribed"), (1, 1, "returned")]
    kit.check_laws(store)


def test_lines_of_what_came_back_are_no_attempts(late, store, kit):
    made = late.sent(status="deferred")
    late.record(made, 1, RETURNED._replace(status=""), COMPLAINED)
    assert store.attempts_since(made.id, 0.0) == 4
    assert store.attempts_after(made.id, 0) == 6, "attempts.csv has a line for each"
    late.settle(made.id)
    assert kit.asked(store, "SELECT DISTINCT attempts FROM outcome") == [(2,)]
    kit.check_laws(store)


def test_the_rows_of_a_transaction_are_found_by_their_addresses(late, store, kit):
    made = late.sent(settle=False, rows=2)
    emails = ["A.B@Example.com", "twin@example.com", "x@other.test", "twin@EXAMPLE.com", "out@example.com"]
    more = [kit.row(n, email.partition("@")[2].lower(), email=email) for n, email in enumerate(emails, 3)]
    store.add_rows(made.id, more, {}, True, 1000.0)
    asked = ["user2@EXAMPLE.COM", "A.B@example.com", "twin@example.com", "x@other.test", "out@example.com", "no", ""]
    assert store.find_members(made.id, 1, 6, asked) == {"user2@EXAMPLE.COM": 2, "A.B@example.com": 3}
    assert store.find_members(made.id, 1, 4, asked)["twin@example.com"] == 4
    assert store.find_members(made.id, 5, 6, asked) == {"x@other.test": 5}
    assert store.find_members(made.id, 99, 100, asked) == {}
    assert store.find_members(made.id + 1, 1, 6, asked) == {}


def test_a_token_outlives_its_campaign(late, store):
    made = late.sent(rows=25)
    unsent = late.sent("autumn", settle=False)
    late.record(made, 1, UNSUBSCRIBED)
    store.set_state(made.id, "finished", 9000.0)
    while not store.remove_campaign(made.id, 10):
        pass
    while not store.remove_campaign(unsent.id, 10):
        pass
    found = found_of(store, token(made.key, 25))
    assert found[:-1] == (made.id, 25, "spring", "news", "marketing", "", False, False)
    assert store.hashes(["user25@example.com"]) == [found.hash]
    assert found_of(store, token(made.key, 1)).unsubscribed
    assert found_of(store, token(unsent.key, 1)) is None, "nothing was ever sent to it"
    one, two = late.record(made, 25, UNSUBSCRIBED, COMPLAINED)
    assert (one.kept, one.suppressed, one.found.unsubscribed, one.found.in_spool) == (False, 1, True, False)
    assert (two.kept, two.suppressed) == (False, 1)
    assert set(store.suppressed(["user25@example.com"], NEWS)) == {"user25@example.com"}
    late.record(made, 25, RESUBSCRIBED)
    assert late.entries("user25@example.com") == [(EVERYTHING, "complained")]
    (back,) = late.record(made, 24, RETURNED)
    assert (back.kept, back.suppressed) == (False, 1)
    assert late.entries("user24@example.com") == [(EVERYTHING, "bounced-before")]
    assert late.lines() == []


def test_what_comes_back_of_a_removed_campaign_is_an_event_once(late, store, kit):
    made = late.sent(rows=3)
    store.remember_events(EventBounds(1e6, 1000))
    store.set_state(made.id, "finished", 9000.0)
    while not store.remove_campaign(made.id, 10):
        pass
    first, again = late.record(made, 1, RETURNED, RETURNED)
    assert [(one.kept, one.suppressed) for one in (first, again)] == [(False, 1), (False, 0)]
    late.record(made, 2, UNSUBSCRIBED, RESUBSCRIBED, UNSUBSCRIBED, UNSUBSCRIBED)
    late.record(made, 3, COMPLAINED)
    late.record(made, 3, COMPLAINED, *(FULL._replace(key=f"k{n}") for n in range(30)))
    rows = kit.asked(store, "SELECT event, recipient_id, attempt_id, category, note FROM event ORDER BY seq")
    told = [(event, row & (1 << 40) - 1, *more) for event, row, *more in rows if row & (1 << 40) - 1]
    assert told[:5] == [
        ("returned", 1, None, "bad-mailbox", ""),
        ("unsubscribed", 2, None, "", "one-click"),
        ("resubscribed", 2, None, "", "page"),
        ("unsubscribed", 2, None, "", "one-click"),
        ("complained", 3, None, "", ""),
    ]
    assert told[5:] == [("returned", 3, None, "quota", "")] * 19, "nobody fills the spool with them"
    assert late.lines() == []
    kit.check_laws(store)


def test_a_campaign_can_be_found_while_it_is_being_removed(late, store):
    made = late.sent(rows=25)
    store.set_state(made.id, "finished", 9000.0)
    seen = set()
    while not store.remove_campaign(made.id, 4):
        founds = store.find_recipients([token(made.key, n) for n in range(1, 26)])
        assert None not in founds
        seen |= {found.campaign for found in founds}
    assert seen == {"spring"}


def test_a_full_disk_changes_nothing(late, store, kit):
    made = late.sent()
    kit.fill_disk(store)
    with pytest.raises(OwnFault, match=kit.FULL):
        late.record(made, 1, *[RETURNED._replace(key=f"k{n}", reply="x" * 500) for n in range(19)])
    kit.free_disk(store)
    assert late.lines() == []
    late.record(made, 1, RETURNED)
    late.sent("autumn")
    kit.check_laws(store)


def test_the_key_is_there_once_a_token_was_made(store, late):
    assert store.token_key() == b""
    made = late.sent()
    assert made.key.startswith(store.token_key())


def test_each_line_of_what_came_back_is_an_event_of_the_stream(late, store, kit):
    made = late.sent()
    store.remember_events(EventBounds(1e6, 1000))
    answered = LateEvent(LateResult.ANSWERED, 3000.0, reply="auto-reply: away", key="a1")
    late.record(made, 1, RETURNED, RETURNED)  # the second one is the same report
    late.record(made, 2, UNSUBSCRIBED, RESUBSCRIBED)
    late.record(made, 3, COMPLAINED)
    late.record(made, 4, answered)
    rows = kit.asked(store, "SELECT event, recipient_id, provider, category FROM event ORDER BY seq")
    assert [(event, row & (1 << 40) - 1, *more) for event, row, *more in rows] == [
        ("returned", 1, "google", "bad-mailbox"),
        ("unsubscribed", 2, "google", ""),
        ("resubscribed", 2, "google", ""),
        ("complained", 3, "google", ""),
        ("answered", 4, "google", ""),
    ]


def test_many_events_of_many_rows_in_one_transaction(late, store, kit):
    made = late.sent(rows=60)
    arrivals = [
        Arrival(token(made.key, n), event, RULES)
        for n in range(1, 61)
        for event in (RETURNED, UNSUBSCRIBED, COMPLAINED)
        if (n + len(event.result)) % 3
    ]
    assert all(one.kept for one in store.record_late(arrivals))
    assert len(late.lines()) == len(arrivals)
    assert Counter(line[2] for line in late.lines()) == Counter(str(a.event.result) for a in arrivals)
    assert not any(one.kept for one in store.record_late(arrivals) if one.found.unsubscribed)
    kit.check_laws(store)


KILLED = """
import sys
from bulkmail.mail import LateEvent, LateResult
from bulkmail.shaping import AutoSuppression, Back
from bulkmail.spool import Arrival, SqliteStore
store = SqliteStore(sys.argv[1])
for n, token in enumerate(sys.argv[2:]):
    event = LateEvent(LateResult.RETURNED, 3000.0, "bounced", "bad-mailbox", 550, key=f"k{n}")
    store.record_late([Arrival(token, event, AutoSuppression())])
    print(n, flush=True)
"""


@pytest.mark.process
@pytest.mark.parametrize("point", ["mid-late", "after-late"])
@pytest.mark.parametrize("hit", [1, 3])
def test_what_was_said_to_be_recorded_is_there_after_kill_9(tmp_path, kit, point, hit):
    path = str(tmp_path / "spool.sqlite3")
    made = (first := Kit(SqliteStore(path), kit)).sent()
    first.store.close()
    tokens = [token(made.key, n) for n in range(1, 5)]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, path, *tokens],
        env={**os.environ, "BULKMAIL_FAILPOINTS": f"{point}:kill@{hit}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    said = len(killed.stdout.split())
    store = SqliteStore(path)
    kit.check_laws(store)
    bounced = store.totals(made.id).get(("google", "bounced", "bad-mailbox"), 0)
    assert said == hit - 1
    assert bounced == hit - (point == "mid-late")
    assert store.count_suppressions() == ([(EVERYTHING, "bounced-before", bounced, bounced)] if bounced else [])
    again = Kit(store, kit)
    answers = [again.record(made, n + 1, RETURNED._replace(key=f"k{n}"))[0] for n in range(4)]
    assert [one.kept for one in answers] == [n >= bounced for n in range(4)]
    assert store.totals(made.id) == {("google", "bounced", "bad-mailbox"): 4}
    assert len(again.lines()) == 4
    kit.check_laws(store)
    store.close()


def ended(kit, row, status, category):
    return kit.outcome(row, status, provider="google")._replace(category=category)


def test_an_attempt_that_finds_no_mailbox_suppresses_the_address_at_once(late, store, kit):
    made = late.sent(settle=False)
    rows = late.claim(made.id)
    outcomes = (("bounced", "bad-mailbox"), ("blocked", "policy"), ("expired", "quota"), ("delivered", ""))
    ends = [ended(kit, row, *how) for row, how in zip(rows, outcomes, strict=True)]
    store.settle(ends[:1])
    assert store.count_suppressions() == [], "no rules were given"
    store.rules = RULES
    store.settle(ends[1:])
    assert store.count_suppressions() == []
    again = late.sent("autumn", settle=False)
    store.settle([ended(kit, row, *how) for row, how in zip(late.claim(again.id), outcomes, strict=True)])
    assert late.entries("user1@example.com") == [(EVERYTHING, "bounced-before")]
    assert store.count_suppressions() == [(EVERYTHING, "bounced-before", 1, 1)]
    assert kit.asked(store, "SELECT count(*) FROM bounce WHERE soft = 1") == [(2,)]
    assert list(store.suppressed(["user1@example.com", "user2@example.com"], NEWS)) == ["user1@example.com"]
    kit.check_laws(store)


def test_soft_ends_of_attempts_and_soft_reports_are_counted_together(late, store, kit):
    store.rules = rules = AutoSuppression(soft_after=2)
    for name in ("one", "two"):
        made = late.sent(name, rows=1, settle=False)
        store.settle([ended(kit, row, "blocked", "quota") for row in late.claim(made.id)])
        assert bool(late.entries("user1@example.com")) == (name == "two")
        late.record(made, 1, FULL._replace(at=2001.0), rules=rules)
        assert bool(late.entries("user1@example.com")) == (name == "two"), "one message counts once"


def test_a_start_that_settles_what_the_journal_has_suppresses_too(life, kit):
    life.store.rules = RULES
    late = Kit(life.store, kit)
    made = late.sent(settle=False)
    end = ended(kit, late.claim(made.id)[0], "bounced", "bad-mailbox")
    life.journal.dot(end.recipient_id, 1)
    life.journal.reply(end.recipient_id, 1, end.packed())
    life.rules = RULES
    life.die()
    assert life.recovered.replied == 1
    assert Kit(life.store, kit).entries("user1@example.com") == [(EVERYTHING, "bounced-before")]


def test_a_reader_shows_what_came_back(tmp_path, kit):
    path = str(tmp_path / "spool.sqlite3")
    late = Kit(SqliteStore(path), kit)
    made = late.sent()
    late.record(made, 1, RETURNED)
    late.record(made, 2, UNSUBSCRIBED, COMPLAINED)
    reader = Reader(path)
    rows = reader.recipients(made.id, 0, 9)
    assert [(row.status, row.stage, row.late_at, row.unsubscribed_at, row.complained_at) for row in rows] == [
        ("bounced", "dsn", 3000.0, None, None),
        ("delivered", "dot", None, 3100.0, 3200.0),
        ("delivered", "dot", None, None, None),
        ("delivered", "dot", None, None, None),
    ]
    assert (rows[0].reply, rows[0].mx_host, rows[0].attempts) == ("no such user", "mx.far.test", 1)
    ((_, found, _),) = reader.find("user2@example.com")
    assert found == rows[1]
    assert reader.late_counts(made.id) == (1, 1, 1)
    assert [row.result for row in reader.attempts(made.id, 0, 99)][4:] == ["returned", "unsubscribed", "complained"]
    reader.close()
    late.store.close()


def test_words_of_a_row_are_found_by_its_line(late, store, kit):
    made = late.sent()
    late.record(made, 2, RETURNED)
    sql = "SELECT a.reply FROM outcome o JOIN attempt a ON a.id = o.attempt_id WHERE o.recipient_id = ?"
    assert kit.asked(store, sql, (recipient_id(made.id, 2),)) == [("no such user",)]


def test_what_came_back_is_counted_by_provider_as_of_a_time(late, store):
    made = late.sent(rows=6)
    late.record(made, 1, RETURNED)
    late.record(made, 2, RETURNED._replace(status="blocked", at=4000.0))
    late.record(made, 3, COMPLAINED)
    late.record(made, 4, UNSUBSCRIBED)
    assert store.late_by_provider(made.id, 9999.0) == {"google": Back(1, 1, 1)}
    assert store.late_by_provider(made.id, 3200.0) == {"google": Back(1, 0, 1)}
    assert store.late_by_provider(made.id, 3100.0) == {"google": Back(1, 0, 0)}
    assert store.late_by_provider(late.sent("other").id, 9999.0) == {}
