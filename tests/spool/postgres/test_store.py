"""Lives, leases, and what is made of a machine that is gone; the contract itself is in test_store.py."""

from __future__ import annotations

import pytest

from bulkmail.mail import Refused
from bulkmail.spool import Journalled, recipient_id
from bulkmail.spool.postgres.store import check_not_elsewhere
from tests.retrying import RetryPlan


@pytest.fixture
def machines(pg_dsn, kit):
    made = [kit.open_postgres(pg_dsn, f"machine-{n}") for n in (1, 2)]
    yield made
    for store in made:
        store.close()


def claimed_by(store, kit, count=3, **more):
    identity = kit.campaign(store, rows=[kit.row(n) for n in range(1, count + 1)], **more)
    [(queue, _, _)] = store.backlog(0, 10)
    return identity, store.claim([(queue, count)], 5.0)[queue]


def silent(store, by):
    """As if nothing had been heard of ``store`` for longer than its lease; what ``by`` makes of that."""
    by.database.connection.execute(
        "UPDATE machine SET expires_at = clock_timestamp() - interval '1 s' WHERE epoch = %s", (store.epoch,)
    )
    return by.database.execute("end_silent").fetchall()


def test_what_a_dead_machine_had_claimed_waits_for_it_and_is_ambiguous_then(machines, kit):
    one, two = machines
    identity, _ = claimed_by(one, kit)
    assert silent(one, two) == [(one.epoch, "machine-1")]
    assert two.recover_others(RetryPlan(), 100.0).counts == (0, 0, 0), "it may come back, and knows more than we do"
    assert two.recover_others(RetryPlan(unknown_after=-1.0), 100.0).counts == (0, 3, 0)
    assert two.totals(identity) == {("", "deferred", "no-answer"): 3}
    assert two.next_due() == 100.0, "the time for a retry has passed already"
    kit.check_laws(two)
    assert two.recover_others(RetryPlan(unknown_after=-1.0), 100.0).counts == (0, 0, 0)


def test_what_machines_left_behind_is_counted_and_the_second_copy_waits_for_the_schedule(machines, kit):
    one, two = machines
    _, rows = claimed_by(one, kit, 1)
    one.settle([kit.outcome(rows[0], "deferred", result="unknown", next_at=50.0)])
    ((row,),) = one.claim([(rows[0].queue_id, 1)], 60.0).values()
    assert row.doubt == 1
    silent(one, two)
    assert two.recover_others(RetryPlan(unknown_after=-1.0), 100.0).ambiguous == 1
    assert two.next_due() == 100.0 + 600.0 + 1.0, "less what it has waited already"
    assert two.claim([(row.queue_id, 1)], 800.0)[row.queue_id][0].doubt == 2


def test_with_on_unknown_keep_it_is_not_sent_again(machines, kit):
    one, two = machines
    identity, _ = claimed_by(one, kit, on_unknown="keep")
    silent(one, two)
    assert two.recover_others(RetryPlan(unknown_after=-1.0), 100.0).ambiguous == 3
    assert two.totals(identity) == {("", "unknown", "no-answer"): 3}


def test_a_machine_that_comes_back_in_time_settles_by_its_journal(machines, pg_dsn, kit):
    one, two = machines
    identity, (first, second, third) = claimed_by(one, kit)
    silent(one, two)
    again = kit.open_postgres(pg_dsn, "machine-1")
    journalled = Journalled(
        dots={(first.id, 1), (second.id, 1)}, replies={(first.id, 1): kit.outcome(first).packed()}, found=True
    )
    assert again.recover(journalled, "boot-1", RetryPlan(), 100.0).counts == (1, 1, 1)
    assert again.totals(identity) == {
        ("", "delivered", ""): 1,
        ("", "deferred", "no-answer"): 1,
        ("", "pending", ""): 1,
    }
    [(queue, *_)] = again.due_queues(200.0, 10)
    assert [row.id for row in again.claim([(queue, 9)], 200.0)[queue]] == [third.id]
    again.close()


def test_who_comes_too_late_changes_nothing(machines, pg_dsn, kit):
    one, two = machines
    identity, (first, *_) = claimed_by(one, kit)
    silent(one, two)
    two.recover_others(RetryPlan(unknown_after=-1.0), 100.0)
    again = kit.open_postgres(pg_dsn, "machine-1")
    journalled = Journalled(replies={(first.id, 1): kit.outcome(first).packed()}, found=True)
    assert again.recover(journalled, "boot-1", RetryPlan(), 100.0).counts == (0, 0, 0)
    assert again.totals(identity) == {("", "deferred", "no-answer"): 3}
    again.close()


@pytest.mark.parametrize("which", ["a settled row", "a whole campaign", "nothing"])
def test_a_database_that_has_forgotten_what_our_journal_tells_of_is_refused(machines, pg_dsn, kit, which):
    """An older backup: what was sent since would be sent again."""
    one, _ = machines
    _, (row, *_) = claimed_by(one, kit)
    reply = {(row.id, 1): kit.outcome(row).packed()}
    if which == "a settled row":
        one.release([row])
    elif which == "a whole campaign":
        reply = {(recipient_id(7, 1), 1): b"x"}
    one.database.close()
    again = kit.open_postgres(pg_dsn, "machine-1")
    if which == "nothing":
        assert again.recover(Journalled(replies=reply, found=True), "boot-1", RetryPlan(), 9.0).replied == 1
    else:
        with pytest.raises(Refused, match="knows less than this machine's journal"):
            again.recover(Journalled(replies=reply, found=True), "boot-1", RetryPlan(), 9.0)
    again.close()


def test_what_others_take_over_while_we_look_is_not_taken_for_forgotten(machines, pg_dsn, kit):
    one, two = machines
    _, (row, *_) = claimed_by(one, kit)
    silent(one, two)
    again = kit.open_postgres(pg_dsn, "machine-1")
    execute = again.database.execute

    def meanwhile(name, parameters=()):
        found = execute(name, parameters)
        if name in ("attempts_known", "due_claimed"):
            two.recover_others(RetryPlan(unknown_after=-1.0), 100.0)
        return found

    again.database.execute = meanwhile
    reply = {(row.id, 1): kit.outcome(row).packed()}
    assert again.recover(Journalled(replies=reply, found=True), "boot-1", RetryPlan(), 9.0).counts == (0, 0, 0)
    again.close()


def test_a_machine_that_closed_with_nothing_in_hand_leaves_nothing_to_recover(machines, kit):
    one, two = machines
    _, rows = claimed_by(one, kit)
    one.settle([kit.outcome(row) for row in rows])
    one.close()
    assert two.database.execute("recoverable", (-1.0,)).fetchall() == []


def test_a_heartbeat_keeps_a_life_and_cannot_bring_one_back(machines):
    one, two = machines
    assert one.database.execute("heartbeat", (one.epoch,)).fetchone() == (False,), "not heard for a whole lease yet"
    assert two.database.execute("end_silent").fetchall() == []
    silent(one, two)
    assert one.database.execute("heartbeat", (one.epoch,)).fetchone() is None


def test_after_an_outage_nobody_is_declared_gone_by_one_who_was_silent_too(machines):
    one, _ = machines
    ago = "UPDATE machine SET heard_since = heard_since - interval '1 h', expires_at = expires_at {} WHERE epoch = %s"
    one.database.connection.execute(ago.format("+ interval '0 s'").encode(), (one.epoch,))
    assert one.database.execute("heartbeat", (one.epoch,)).fetchone() == (True,)
    one.database.connection.execute(ago.format("- interval '1 h'").encode(), (one.epoch,))
    assert one.database.execute("heartbeat", (one.epoch,)).fetchone() == (False,)


def test_a_copy_of_another_machines_folder_is_refused_while_that_one_lives(pg_dsn, kit):
    one = kit.open_postgres(pg_dsn, "machine-1", boot="here")
    copy = kit.open_postgres(pg_dsn, "machine-1", boot="there")
    with pytest.raises(Refused, match="remove the file machine-id"):
        check_not_elsewhere(copy, "/srv/machine")
    one.close()
    check_not_elsewhere(copy, "/srv/machine")
    copy.close()


def test_a_campaign_that_another_machine_sends_cannot_be_removed(machines, kit):
    one, two = machines
    identity, rows = claimed_by(one, kit)
    with pytest.raises(ValueError, match="being sent"):
        two.remove_campaign(identity)
    one.settle([kit.outcome(row) for row in rows])
    assert two.remove_campaign(identity)
    assert kit.asked(two, "SELECT count(*) FROM recipient WHERE id >= ?", (recipient_id(identity, 0),)) == [(0,)]
