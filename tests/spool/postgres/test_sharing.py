from __future__ import annotations

import pytest

from bulkmail.mail import OwnFault


@pytest.fixture
def machines(pg_dsn, kit):
    made = [kit.open_postgres(pg_dsn, f"machine-{n}") for n in (1, 2)]
    yield made
    for store in made:
        store.close()


def silent(store, by):
    """As if nothing had been heard of ``store`` for longer than its lease; what ``by`` makes of that."""
    by.database.connection.execute(
        "UPDATE machine SET expires_at = clock_timestamp() - interval '1 s' WHERE epoch = %s", (store.epoch,)
    )
    return by.database.execute("end_silent").fetchall()


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
