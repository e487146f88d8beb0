from __future__ import annotations

from types import SimpleNamespace

import pytest
from twisted.logger import formatEvent, globalLogPublisher

from bulkmail.mail import OwnFault
from bulkmail.spool.postgres.leases import HeartbeatResult, Lease, Leases
from bulkmail.spool.writer import Writer

ONE = frozenset({1})


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
            heartbeat=lambda _: SimpleNamespace(valid_until=10.0, stop=lambda: None),
            on_fault=self.faults.append,
        )

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
    monkeypatch.setattr(one.store, "take_leases", lambda *given: asked.append(given) or take(*given))
    answers = [one.leases.take(key) for key in ("a", "b", "a")]
    assert [reactor.wait(answer) for answer in answers] == [True, True, True]
    assert [list(wanted) for wanted, *_ in asked] == [["a", "b"]]
    assert one.leases.held == {"a": Lease(ONE), "b": Lease(ONE)}
    assert reactor.wait(two.leases.take("a")) is False
    assert reactor.wait(two.leases.holder("a")) == "one"
    reactor.wait(one.leases.let_go(["a"]))
    assert one.leases.held == {"b": Lease(ONE)}
    assert reactor.wait(two.leases.take("a")) is True
    assert two.leases.held == {"a": Lease(ONE, used=True)}, "it begins with an empty burst"


def test_machines_agree_on_whose_a_destination_is_and_only_the_share_of_the_gone_moves(members):
    one, two = (member.leases for member in members)
    three = max(members[1].store.epoch, members[0].store.epoch) + 1
    keys = [f"site {n}" for n in range(300)]
    for leases in (one, two):
        leases.members = (*sorted(member.store.epoch for member in members), three)
    first, second = ({key for key in keys if leases.ought(key)} for leases in (one, two))
    assert not first & second
    assert 60 < len(first) < 140
    assert 60 < len(second) < 140
    one.members = two.members = two.members[:2]
    assert first < {key for key in keys if one.ought(key)}
    assert {key for key in keys if one.ought(key)} | {key for key in keys if two.ought(key)} == set(keys)


def test_leases_are_good_until_our_own_clock_says_otherwise(members):
    one, _ = members
    assert one.leases.valid
    one.now = 9.9
    assert one.leases.valid
    one.now = 10.0
    assert not one.leases.valid
    one.leases.heartbeat.valid_until = 20.0
    assert one.leases.valid
    one.leases.beat(HeartbeatResult(over=True))
    assert not one.leases.valid


def test_news_is_passed_on(members):
    one, _ = members
    told = []
    one.leases.on_members = lambda: told.append(one.leases.members)
    one.leases.on_over = lambda: told.append("over")
    one.leases.on_heard = told.append
    one.leases.beat(HeartbeatResult((1, 2)))
    one.leases.beat(HeartbeatResult((1, 2), ("three",)))
    one.leases.beat(HeartbeatResult(fault="no server"))
    one.leases.heard("rows")
    one.leases.beat(HeartbeatResult(over=True))
    assert told == [(1, 2), "rows", "over"]
    assert [str(fault).endswith("(no server)") for fault in one.faults] == [True]


def test_a_failure_reaches_everybody_who_asked(members, reactor, monkeypatch):
    one, _ = members

    def fail(*given):
        raise OwnFault("gone")

    monkeypatch.setattr(one.store, "take_leases", fail)
    for answer in [one.leases.take("a"), one.leases.take("a"), one.leases.take("b")]:
        with pytest.raises(OwnFault, match="gone"):
            reactor.wait(answer)
    monkeypatch.undo()
    assert reactor.wait(one.leases.take("a")) is True


def test_every_machine_ought_to_have_as_many_shares_and_all_of_them_are_somebodys(members):
    one, two = (member.leases for member in members)
    epochs = sorted(member.store.epoch for member in members)
    for count in range(2, 7):
        all_of_them = (*epochs, *range(epochs[-1] + 1, epochs[-1] + count - 1))
        one.members = two.members = all_of_them
        for shares in (1, 2, 3, 4, 7):
            for key in ("a", "b", "c", "d"):
                ought = []
                for epoch in all_of_them:
                    one._store = SimpleNamespace(epoch=epoch)
                    ought.append(one.ought(key, shares))
                assert sum(ought) == shares
                assert max(ought) - min(ought) <= 1
    one._store, two.members = members[0].store, (epochs[0],)
    assert two.ought("a", 4) == 0, "a machine that the others do not know of has no right to any"


def test_shares_come_and_go_one_by_one(members, reactor):
    one, two = (member.leases for member in members)
    assert reactor.wait(one.take("a", 4, 4)) is True
    assert one.held == {"a": Lease(frozenset({1, 2, 3, 4}), 4)}
    assert reactor.wait(two.take("a", 2, 4)) is False
    reactor.wait(one.let_shares_go({"a": frozenset({2, 4})}))
    assert one.held == {"a": Lease(frozenset({1, 3}), 4)}
    assert reactor.wait(two.take("a", 2, 4)) is True
    assert two.held == {"a": Lease(frozenset({2, 4}), 4, used=True)}
    reactor.wait(one.let_go(["a"]))
    assert one.held == {}
    assert reactor.wait(two.take("a", 3, 4)) is True
    assert two.held["a"].numbers == {1, 2, 4}


def test_what_was_asked_for_twice_is_let_go_all_the_same(members, reactor):
    one, two = (member.leases for member in members)
    for _ in range(2):
        assert reactor.wait(one.take("a")) is True
        assert reactor.wait(one.take("b", 2, 4)) is True
    assert one.held == {"a": Lease(ONE), "b": Lease(frozenset({1, 2}), 4)}
    assert {type(lease.numbers) for lease in one.held.values()} == {frozenset}
    reactor.wait(one.let_go(["a", "b"]))
    assert reactor.wait(two.take("a")) is True
    assert reactor.wait(two.take("b", 4, 4)) is True
    assert two.held["b"].numbers == {1, 2, 3, 4}


def test_what_is_let_go_while_an_answer_is_on_its_way_is_not_ours(members, reactor):
    one, _ = (member.leases for member in members)
    reactor.wait(one.take("a", 2, 4))
    reactor.wait(one.take("b"))
    asked, other = one.take("a", 3, 4), one.take("b")
    reactor.advance(0)  # it is in the writer's thread now
    gone = one.let_shares_go({"a": frozenset({2}), "b": ONE})
    assert reactor.wait(asked) is True
    assert reactor.wait(other) is False
    reactor.wait(gone)
    assert one.held == {"a": Lease(frozenset({1, 3}), 4)}


def test_what_could_not_be_let_go_is_let_go_later(members, reactor, monkeypatch):
    one, two = (member.leases for member in members)
    reactor.wait(one.take("a", 4, 4))
    reactor.wait(one.take("b"))
    with monkeypatch.context() as patched:

        def fail(shares):
            raise OwnFault("gone")

        patched.setattr(members[0].store, "let_shares_go", fail)
        for gone in (one.let_shares_go({"a": frozenset({3, 4})}), one.let_go(["b"])):
            with pytest.raises(OwnFault, match="gone"):
                reactor.wait(gone)
        one.beat(HeartbeatResult(one.members))
    assert reactor.wait(two.take("b")) is False
    assert reactor.wait(one.take("b")) is True, "it may be wanted again meanwhile"
    one.beat(HeartbeatResult(fault="no server"))
    one.beat(HeartbeatResult(one.members))
    members[0].run(lambda: None)  # behind it in the writer's thread
    assert reactor.wait(two.take("a", 4, 4)) is True
    assert two.held["a"].numbers == {3, 4}
    assert reactor.wait(two.take("b")) is False


def test_other_settings_are_told_once(members, reactor):
    told = []
    one, two = (member.leases for member in members)
    reactor.wait(one.take("provider big", 1, 2))
    globalLogPublisher.addObserver(told.append)
    try:
        for _ in range(3):
            assert reactor.wait(two.take("provider big", 1, 4)) is False
    finally:
        globalLogPublisher.removeObserver(told.append)
    assert [formatEvent(event) for event in told] == [
        (
            "provider big is divided into 2 shares on machine one and into 4 here: give all machines the same "
            "settings; until then only one of them sends to it"
        )
    ]


def test_keys_are_wanted_together(members, reactor):
    one, two = (member.leases for member in members)
    reactor.wait(two.take("address y"))
    assert reactor.wait(one.take("s", also=["address x", "address y"])) is False
    assert one.held == {}
    assert reactor.wait(one.take("s", also=["address x"])) is True
    assert one.held.keys() == {"s", "address x"}
    assert reactor.wait(one.take("s", also=["address y"])) is False, "we hold the one and not the other"
    assert one.held.keys() == {"s", "address x"}
