from __future__ import annotations

import pytest

from bulkmail.mail import OwnFault, Status
from bulkmail.spool import Attempt, Settlement, recipient_id


@pytest.fixture
def claimed(store, kit):
    """Six rows of one queue, claimed at 5.0."""
    kit.campaign(store, rows=[kit.row(n) for n in range(1, 7)])
    [(queue, _, _)] = store.backlog(0, 10)
    return store.claim([(queue, 6)], 5.0)[queue]


@pytest.fixture
def stored(kit):
    """An outcome, straight from its table."""

    def read(store, row):
        sql = """SELECT status, category, provider, attempts, first_attempt_at, completed_at, date, bytes, doubt, note
            FROM outcome WHERE recipient_id = ?"""
        return kit.asked(store, sql, (row.id,))[0]

    return read


def test_an_outcome_its_attempt_and_the_totals_go_together(store, kit, claimed, stored):
    row = claimed[0]
    assert store.settle([kit.outcome(row, provider="google", note="n")]) == 1
    assert stored(store, row) == ("delivered", "", "google", 1, 2000.0, 2000.0, 5.0, 1000, 0, "n")
    assert store.totals(row.campaign_id) == {("", "pending", ""): 5, ("google", "delivered", ""): 1}
    attempt = kit.asked(store, "SELECT * FROM attempt")
    assert attempt == [
        (
            recipient_id(row.campaign_id, 1),
            row.id,
            2000.0,
            1,
            "delivered",
            "",
            250,
            "2.0.0",
            "2.0.0 Ok",
            "dot",
            "mx.example.com",
            "192.0.2.1",
            "",
            "",
            0,
            None,
            "",
        )
    ]
    kit.check_laws(store)


def test_settling_twice_is_settling_once(store, kit, claimed):
    settlement = kit.outcome(claimed[0], "deferred")
    assert store.settle([settlement, settlement]) == 1
    before = store.totals(claimed[0].campaign_id)
    assert store.settle([settlement]) == 0
    [again] = store.claim([(claimed[0].queue_id, 1)], 9000.0)[claimed[0].queue_id]
    assert store.settle([settlement]) == 0, "the attempt is stored already"
    assert store.totals(claimed[0].campaign_id) == before
    assert store.settle([kit.outcome(again)]) == 1
    assert store.settle([kit.outcome(again)]) == 0
    kit.check_laws(store)


def test_what_was_never_claimed_is_not_settled(store, kit, claimed):
    stranger = claimed[0]._replace(id=recipient_id(9, 9))
    assert store.settle([kit.outcome(stranger)]) == 0
    assert store.release([stranger.id]) == 0
    kit.check_laws(store)


def test_a_claim_ends_with_its_last_row(store, kit, claimed):
    def claims():
        return kit.asked(store, "SELECT count(*) FROM claim")[0][0]

    store.settle([kit.outcome(row) for row in claimed[:3]])
    store.release(claimed[3:5])
    assert claims() == 1
    store.settle([kit.outcome(claimed[5], "bounced")])
    assert claims() == 0
    assert store.claimed == 0
    kit.check_laws(store)


def test_rows_given_back_keep_their_date_and_are_charged_nothing(store, kit, claimed):
    assert store.release(claimed[:2]) == 2
    assert store.release([claimed[2].id], 400.0) == 1
    kit.check_laws(store)
    queue = claimed[0].queue_id
    got = store.claim([(queue, 9)], 300.0)[queue]
    assert [(row.number, row.attempts, row.date, row.status) for row in got] == [
        (1, 0, 5.0, "pending"),
        (2, 0, 5.0, "pending"),
    ]
    store.settle([kit.outcome(got[0], "deferred", next_at=350.0)])
    [again] = store.claim([(queue, 1)], 360.0)[queue]
    store.release([again], 370.0)
    [once_more] = store.claim([(queue, 1)], 380.0)[queue]
    assert once_more == again
    kit.check_laws(store)


@pytest.mark.parametrize("status", [status for status in Status if status.final])
def test_every_final_status_ends_a_new_and_a_waiting_row(store, kit, claimed, status):
    store.settle([kit.outcome(claimed[0], str(status)), kit.outcome(claimed[1], "deferred", next_at=10.0)])
    queue = claimed[0].queue_id
    [again] = store.claim([(queue, 9)], 20.0)[queue]
    store.settle([kit.outcome(again, str(status))])
    assert store.totals(again.campaign_id) == {("", "pending", ""): 4, ("", str(status), ""): 2}
    assert store.claim([(queue, 9)], 1e9) == {queue: []}
    assert store.next_due() is None
    kit.check_laws(store)


def test_status_words_of_the_vocabulary_are_taken_as_they_are(store, kit, claimed):
    store.settle([kit.outcome(claimed[0])._replace(status=Status.DELIVERED)])
    assert store.totals(claimed[0].campaign_id)["", "delivered", ""] == 1


def test_an_end_without_an_attempt(store, kit, claimed, stored):
    row = claimed[0]
    store.settle([Settlement(row.id, row.queue_id, "invalid", "template", completed_at=9.0, note="no such filter")])
    assert stored(store, row) == ("invalid", "template", "", 0, None, 9.0, 5.0, 0, 0, "no such filter")
    kit.check_laws(store)


def test_a_row_that_was_never_tried_may_borrow_its_sites_last_reply(store, kit, claimed):
    probe, never, tried = claimed[:3]
    store.settle([kit.outcome(probe, "deferred", next_at=10.0), kit.outcome(tried, "deferred", next_at=10.0)])
    got = {row.id: row for row in store.claim([(probe.queue_id, 9)], 20.0)[probe.queue_id]}
    ends = [
        Settlement(row.id, row.queue_id, "expired", "dns", completed_at=9.0, reply_of=probe.id)
        for row in (never, got[tried.id])
    ]
    store.settle([*ends, kit.outcome(got[probe.id], "expired")])
    sql = """SELECT o.recipient_id, a.recipient_id FROM outcome o JOIN attempt a ON a.id = o.attempt_id
        WHERE o.status = 'expired'"""
    assert dict(kit.asked(store, sql)) == {
        probe.id: probe.id,
        never.id: probe.id,
        tried.id: tried.id,
    }
    kit.check_laws(store)


def test_the_retry_clock_starts_once(store, kit, claimed, stored):
    row = claimed[0]
    store.settle([kit.outcome(row, "deferred", at=100.0, next_at=200.0, first_attempt_at=90.0)])
    [again] = store.claim([(row.queue_id, 1)], 300.0)[row.queue_id]
    assert again.first_attempt_at == 90.0
    store.settle([kit.outcome(again, at=300.0)])
    assert stored(store, row)[4:7] == (90.0, 300.0, 5.0)


@pytest.mark.parametrize(
    ("results", "doubled"),
    [
        (["delivered"], 0),
        (["unknown"], 0),
        (["unknown", "failed"], 0),
        (["unknown", "delivered"], 1),
        (["unknown", "failed", "delivered"], 1),
        (["unknown", "unknown", "unknown", "delivered"], 1),
        (["deferred", "unknown", "unknown"], 1),
    ],
)
def test_a_recipient_that_may_have_it_twice_is_counted_once(store, kit, claimed, results, doubled):
    row = claimed[0]
    for at, result in enumerate(results, 1):
        last = at == len(results)
        status = "delivered" if result == "delivered" else "bounced" if last else "deferred"
        now = 10.0 * at
        store.settle(
            [kit.outcome(row, status, at=now, next_at=0.0 if status != "deferred" else now + 1, result=result)]
        )
        if not last:
            [row] = store.claim([(row.queue_id, 1)], now + 2)[row.queue_id]
    assert store.campaign("spring").possibly_doubled == doubled
    kit.check_laws(store)


def test_a_settlement_that_contradicts_itself_is_refused_and_nothing_is_written(store, kit, claimed):
    good = kit.outcome(claimed[0])
    for bad in (kit.outcome(claimed[1])._replace(next_at=5.0), kit.outcome(claimed[1])._replace(status="sent")):
        with pytest.raises(ValueError, match=r"do not go together|is not a status"):
            store.settle([good, bad])
    assert store.claimed == 6
    kit.check_laws(store)
    assert store.settle([good]) == 1


def test_a_full_disk_changes_nothing_and_the_batch_is_written_later(store, kit):
    kit.campaign(store, rows=[kit.row(n) for n in range(1, 500)])
    [(queue, _, _)] = store.backlog(0, 10)
    batch = [kit.outcome(row, "deferred") for row in store.claim([(queue, 499)], 5.0)[queue]]
    kit.fill_disk(store)
    for _ in range(2):
        with pytest.raises(OwnFault, match=kit.FULL):
            store.settle(batch)
        assert store.claimed == 499
        kit.check_laws(store)
    kit.free_disk(store)
    assert store.settle(batch) == 499
    kit.check_laws(store)


def test_attempts_are_numbered_per_campaign_in_the_order_of_settling(store, kit):
    ids = [kit.campaign(store, name, rows=[kit.row(n) for n in (1, 2)]) for name in "ab"]
    queues = [queue for queue, _, _ in store.backlog(0, 10)]
    rows = store.claim([(queue, 2) for queue in queues], 5.0)
    for pair in zip(*rows.values(), strict=True):
        store.settle([kit.outcome(row) for row in pair])
    found = kit.asked(store, "SELECT id, recipient_id FROM attempt ORDER BY id")
    assert found == [(recipient_id(campaign, n), recipient_id(campaign, n)) for campaign in ids for n in (1, 2)]


def test_cancelling_ends_everything_that_is_not_in_flight(store, kit, stored):
    rows = [kit.row(n, "ab"[n % 2] + ".example", "held" if n % 5 == 0 else "ok") for n in range(1, 31)]
    identity = kit.campaign(store, rows=rows)
    other = kit.campaign(store, "other", rows=[kit.row(1)])
    queue = store.backlog(0, 10)[0][0]
    got = store.claim([(queue, 6)], 5.0)[queue]
    store.settle([kit.outcome(row, "deferred", next_at=9.0) for row in got[:3]])
    store.settle([kit.outcome(got[3])])
    store.set_state(identity, "cancelled", 10.0)
    counts = []
    while count := store.cancel_rows(identity, 7, 11.0):
        counts.append(count)
        kit.check_laws(store)
    assert counts == [7, 7, 7, 6]
    assert store.totals(identity) == {("", "cancelled", ""): 27, ("", "pending", ""): 2, ("", "delivered", ""): 1}
    store.settle([kit.outcome(row) for row in got[4:]])
    assert store.totals(identity) == {("", "cancelled", ""): 27, ("", "delivered", ""): 3}
    assert store.cancel_rows(identity, 7, 11.0) == 0
    assert store.totals(other) == {("", "pending", ""): 1}
    assert stored(store, got[0])[:6] == ("cancelled", "", "", 1, 2000.0, 11.0)
    kit.check_laws(store)


def test_the_attempts_own_time_starts_the_retry_clock_when_nothing_else_does(store, claimed, stored):
    row = claimed[0]
    store.settle(
        [Settlement(row.id, row.queue_id, "delivered", attempt=Attempt(77.0, 1, "delivered"), completed_at=78.0)]
    )
    assert stored(store, row)[4] == 77.0


def test_what_its_schedule_did_not_let_leave_expires_and_what_may_have_arrived_is_unknown(store, kit, stored):
    identity = kit.campaign(store, rows=[kit.row(n) for n in range(1, 7)])
    [(queue, _, _)] = store.backlog(0, 10)
    delivered, deferred, lost, flying = store.claim([(queue, 4)], 5.0)[queue]
    store.settle(
        [kit.outcome(delivered), kit.outcome(deferred, "deferred"), kit.outcome(lost, "deferred", result="unknown")]
    )
    assert store.expire_rows(identity, 2, 3000.0, "the schedule was over at noon") == 2
    assert store.expire_rows(identity, 10, 3000.0, "the schedule was over at noon") == 2
    assert store.expire_rows(identity, 10, 3000.0, "") == 0
    assert store.totals(identity) == {
        ("", "delivered", ""): 1,
        ("", "expired", "schedule"): 3,
        ("", "unknown", ""): 1,
        ("", "pending", ""): 1,
    }
    assert stored(store, deferred)[:6] == ("expired", "schedule", "", 1, 2000.0, 3000.0)
    assert stored(store, deferred)[9] == "the schedule was over at noon"
    store.settle([kit.outcome(flying)])
    kit.check_laws(store)
