from __future__ import annotations

from types import SimpleNamespace

import pytest

from bulkmail.mail import OwnFault
from bulkmail.spool.leases import Leases
from bulkmail.spool.pg_heart import Beat
from bulkmail.spool.writer import Writer


class Member:
    """One machine: a store in its writer's thread, and its leases; the heart is the test's."""

    def __init__(self, reactor, kit, dsn, name):
        self.reactor, self.now, self.faults = reactor, 0.0, []
        self.writer = Writer(reactor)
        self.store = self.run(lambda: kit.open_postgres(dsn, name))
        self.leases = Leases(
            store=self.store,
            writer=self.writer,
            reactor=reactor,
            monotonic=lambda: self.now,
            on_fault=self.faults.append,
        )
        self.leases.heart = SimpleNamespace(valid_until=10.0, stop=lambda: None)

    def run(self, work):
        return self.reactor.wait(self.writer.call(work))

    def close(self):
        self.run(self.store.close)
        self.reactor.wait(self.writer.stop())


@pytest.fixture
def members(reactor, kit, pg_dsn):
    made = [Member(reactor, kit, pg_dsn, name) for name in ("one", "two")]
    yield made
    for member in made:
        member.close()


def test_what_is_asked_for_in_one_turn_is_one_transaction(members, reactor, monkeypatch):
    one, two = members
    asked = []
    take = one.store.take_leases
    monkeypatch.setattr(one.store, "take_leases", lambda keys: asked.append(keys) or take(keys))
    answers = [one.leases.take(key) for key in ("a", "b", "a")]
    assert [reactor.wait(answer) for answer in answers] == [True, True, True]
    assert asked == [["a", "b"]]
    assert one.leases.held == {"a": False, "b": False}
    assert reactor.wait(two.leases.take("a")) is False
    assert reactor.wait(two.leases.holder("a")) == "one"
    reactor.wait(one.leases.let_go(["a"]))
    assert one.leases.held == {"b": False}
    assert reactor.wait(two.leases.take("a")) is True
    assert two.leases.held == {"a": True}, "it begins with an empty burst"


def test_machines_agree_on_whose_a_destination_is_and_only_the_share_of_the_gone_moves(members):
    one, two = (member.leases for member in members)
    three = max(members[1].store.epoch, members[0].store.epoch) + 1
    keys = [f"site {n}" for n in range(300)]
    for leases in (one, two):
        leases.members = (*sorted(member.store.epoch for member in members), three)
    first, second = ({key for key in keys if leases.prefers(key)} for leases in (one, two))
    assert not first & second
    assert 60 < len(first) < 140
    assert 60 < len(second) < 140
    one.members = two.members = two.members[:2]
    assert first < {key for key in keys if one.prefers(key)}
    assert {key for key in keys if one.prefers(key)} | {key for key in keys if two.prefers(key)} == set(keys)


def test_leases_are_good_until_our_own_clock_says_otherwise(members):
    one, _ = members
    assert one.leases.valid
    one.now = 9.9
    assert one.leases.valid
    one.now = 10.0
    assert not one.leases.valid
    one.leases.heart.valid_until = 20.0
    assert one.leases.valid
    one.leases.beat(Beat(over=True))
    assert not one.leases.valid


def test_news_is_passed_on(members):
    one, _ = members
    told = []
    one.leases.on_members = lambda: told.append(one.leases.members)
    one.leases.on_over = lambda: told.append("over")
    one.leases.on_heard = told.append
    one.leases.beat(Beat((1, 2)))
    one.leases.beat(Beat((1, 2), ("three",)))
    one.leases.beat(Beat(fault="no server"))
    one.leases.heard("rows")
    one.leases.beat(Beat(over=True))
    assert told == [(1, 2), "rows", "over"]
    assert [str(fault).endswith("(no server)") for fault in one.faults] == [True]


def test_a_failure_reaches_everybody_who_asked(members, reactor, monkeypatch):
    one, _ = members

    def fail(keys):
        raise OwnFault("gone")

    monkeypatch.setattr(one.store, "take_leases", fail)
    for answer in [one.leases.take("a"), one.leases.take("a"), one.leases.take("b")]:
        with pytest.raises(OwnFault, match="gone"):
            reactor.wait(answer)
    monkeypatch.undo()
    assert reactor.wait(one.leases.take("a")) is True
