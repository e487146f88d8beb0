"""Lives, leases, and what is made of a machine that is gone; the contract itself is in test_store.py."""

from __future__ import annotations

import pytest

from bulkmail.mail import OwnFault, Refused
from bulkmail.shaping import RetryPlan
from bulkmail.spool import Journalled, SiteFact, forget_sites, recipient_id
from bulkmail.spool.pg_store import check_not_elsewhere


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


def taken(store, *keys, most=1, shares=1):
    """What the store has of these keys after asking; nobody is in the way with other settings."""
    found = store.take_leases(dict.fromkeys(keys, (most, shares)))
    assert not found.otherwise
    return found.shares


def test_shares_are_free_one_by_one_and_nobody_gets_more_than_are_left(machines):
    one, two = machines
    assert taken(one, "a", most=2, shares=5) == {"a": {1: True, 2: True}}
    assert taken(two, "a", most=4, shares=5) == {"a": {3: True, 4: True, 5: True}}
    assert taken(one, "a", most=4, shares=5) == {"a": {1: False, 2: False}}, "what is ours is told again"
    assert taken(one, "a", most=1, shares=5) == {"a": {1: False, 2: False}}, "and is not taken away by asking"
    two.let_shares_go([("a", 4)])
    assert taken(one, "a", most=5, shares=5) == {"a": {1: False, 2: False, 4: False}}
    silent(one, two)
    assert taken(two, "a", most=5, shares=5) == {"a": dict.fromkeys(range(1, 6), False)}


def test_machines_that_divide_it_otherwise_do_not_share_it(machines):
    one, two = machines
    taken(one, "a", most=1, shares=2)
    for shares in (1, 3):
        found = two.take_leases({"a": (3, shares), "b": (1, 1)})
        assert found.shares.keys() == {"b"}
        assert found.otherwise == {"a": (2, "machine-1")}
    one.let_shares_go([("a", 1)])
    assert taken(two, "a", most=3, shares=3) == {"a": {1: False, 2: False, 3: False}}, "divided anew, none is fresh"
    assert one.take_leases({"a": (1, 2)}).otherwise == {"a": (3, "machine-2")}
    silent(two, one)
    assert taken(one, "a", most=2, shares=2) == {"a": {1: False, 2: False}}


def test_two_that_take_at_once_see_each_other(machines):
    """Shares 2 of 2 and 3 of 4 are different rows: only one transaction at a time may look and take."""
    one, two = machines
    with one.database.transaction():
        one.database.execute("lock_leases")
        two.database.connection.execute("SET lock_timeout = '300ms'")
        with pytest.raises(OwnFault, match="lock timeout"):
            two.take_leases({"a": (1, 2)})


def test_keys_that_are_wanted_together_are_taken_together_or_left(machines):
    one, two = machines
    taken(two, "address x")
    taken(one, "mine")
    wanted = dict.fromkeys(["s", "t", "address x", "address y", "address z", "mine"], (1, 1))
    groups = [("s", "address x", "address y", "mine"), ("t", "address y"), ("u", "address z")]
    found = one.take_leases(wanted | {"u": (1, 1)}, [*groups, ("w", "address z", "address x")], held=["mine"])
    assert found.shares.keys() == {"t", "address y", "u", "address z", "mine"}
    assert taken(two, "s", "address y", "mine").keys() == {"s"}


def test_a_lease_has_one_holder_until_it_lets_go(machines):
    one, two = machines
    assert taken(one, "a", "b") == {"a": {1: True}, "b": {1: True}}
    assert taken(two, "b", "c") == {"c": {1: True}}
    assert taken(one, "a") == {"a": {1: False}}, "it is still ours"
    assert two.lease_holder("a") == "machine-1"
    one.let_shares_go([("a", 1)])
    assert two.lease_holder("a") == ""
    assert taken(two, "a", "b") == {"a": {1: False}}, "somebody had it before"
    one.let_shares_go([("a", 1)])
    assert two.lease_holder("a") == "machine-2", "what is another's cannot be let go"


def test_the_leases_of_a_machine_that_is_gone_are_free_and_it_gets_no_more(machines):
    one, two = machines
    taken(one, "a")
    assert taken(two, "a") == {}
    silent(one, two)
    assert taken(two, "a") == {"a": {1: False}}
    with pytest.raises(OwnFault, match="others have taken over"):
        taken(one, "a")
    two.close()


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


def test_facts_of_some_sites_are_read_and_forgotten_while_machines_are_at_work(machines, pg_dsn):
    one, two = machines
    facts = [SiteFact(site, "rate", 0.5, 100.0, 200.0) for site in ("mx.a.example~1f", "mx.a.example.net~1f", "b")]
    one.remember([*facts, SiteFact("c", "rate", 0.5, 10.0, 20.0)])
    assert two.site_facts_of(["b", "c", "d"], 150.0) == [facts[2]]
    channel = one.database.connection.execute("SELECT 'bulkmail_' || current_schema()").fetchone()[0]
    two.database.connection.execute(f"LISTEN {channel}")
    assert forget_sites(pg_dsn, "mx.a.example") == 1
    assert [heard.payload for heard in two.database.connection.notifies(timeout=5, stop_after=1)] == ["sites"]
    assert two.site_facts(150.0) == [facts[2], facts[1]]
    assert forget_sites(pg_dsn, None) == 2
    assert two.site_facts(0.0) == []


def test_nothing_is_made_where_there_is_no_spool_to_forget_in(pg_dsn, pg_server):
    with pytest.raises(Refused, match="is not there"):
        forget_sites(pg_dsn, None)
    with pytest.raises(Refused, match="cannot be used"):
        forget_sites(pg_dsn.replace("/postgres?", "/no_such_database?"), None)
    schema = pg_dsn.rpartition("%3D")[2]
    assert pg_server.run(f"SELECT count(*) FROM pg_tables WHERE schemaname = '{schema}'") == [(0,)]
