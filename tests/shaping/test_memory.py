from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bulkmail.shaping import Habit, Memory, learn

NOW = 1_700_000_000.0
DAY = 86400.0
SITES = ["a", "b", "c", "d"]


def test_what_was_learnt_is_known_until_it_ends():
    memory = Memory()
    memory.learn("a", learn(Habit.TLS, NOW))
    assert memory.known("a", Habit.TLS, NOW + DAY) == learn(Habit.TLS, NOW)
    assert memory.known("a", Habit.FOLLOW, NOW) is None
    assert memory.known("b", Habit.TLS, NOW) is None
    assert memory.known("a", Habit.TLS, NOW + 3 * DAY) is None
    assert len(memory) == 0
    assert memory.take_changes() == {("a", Habit.TLS): None}
    assert repr(memory) == "<Memory of 0 sites>"


def test_the_least_recently_asked_about_is_forgotten_first():
    memory = Memory(size=2)
    for site in "ab":
        memory.learn(site, learn(Habit.FOLLOW, NOW))
        memory.learn(site, learn(Habit.PIPELINING, NOW))
    assert memory.known("a", Habit.FOLLOW, NOW)
    memory.take_changes()
    memory.learn("c", learn(Habit.FOLLOW, NOW))
    assert [site for site in "abc" if memory.known(site, Habit.FOLLOW, NOW)] == ["a", "c"]
    assert memory.take_changes() == {
        ("c", Habit.FOLLOW): learn(Habit.FOLLOW, NOW),
        ("b", Habit.FOLLOW): None,
        ("b", Habit.PIPELINING): None,
    }
    assert not memory.changed


def test_of_more_than_there_is_room_for_the_newest_are_loaded():
    memory = Memory(size=2)
    memory.load([(site, learn(Habit.TLS, NOW - age)) for age, site in enumerate("abcd")], NOW)
    assert [site for site in "abcd" if memory.known(site, Habit.TLS, NOW)] == ["a", "b"]
    assert memory.take_changes() == {("d", Habit.TLS): None, ("c", Habit.TLS): None}


def test_what_is_loaded_is_not_written_again_and_changes_nothing_that_is_known():
    memory = Memory()
    memory.learn("a", learn(Habit.RATE, NOW, 0.25))
    memory.take_changes()
    memory.load([("a", learn(Habit.RATE, NOW - 1, 0.5)), ("b", learn(Habit.RATE, NOW - 2 * DAY, 0.5))], NOW)
    assert memory.known("a", Habit.RATE, NOW).value == 0.25
    assert len(memory) == 1
    assert not memory.changed


def test_what_could_not_be_written_is_kept_but_not_before_what_is_newer():
    memory = Memory()
    memory.learn("a", learn(Habit.RATE, NOW, 0.5))
    memory.learn("b", learn(Habit.RATE, NOW, 0.5))
    taken = memory.take_changes()
    memory.learn("a", learn(Habit.RATE, NOW, 0.25))
    memory.put_back(taken)
    assert {site: fact.value for (site, _), fact in memory.take_changes().items()} == {"a": 0.25, "b": 0.5}


class WrittenDown(RuleBasedStateMachine):
    """A table that is given the changes, with failures in between, holds what the memory knows: no more, no less."""

    def __init__(self):
        super().__init__()
        self.memory, self.table = Memory(size=3), {}

    @rule(site=st.sampled_from(SITES), habit=st.sampled_from(Habit), value=st.floats(0, 1))
    def learn(self, site, habit, value):
        if habit in (Habit.MESSAGES, Habit.OUTAGE):
            habit = Habit.TLS
        self.memory.learn(site, learn(habit, NOW, value))

    @rule(site=st.sampled_from(SITES), habit=st.sampled_from(Habit))
    def forget(self, site, habit):
        self.memory.forget(site, habit)

    @rule(site=st.sampled_from(SITES), habit=st.sampled_from(Habit), later=st.sampled_from([0.0, 1.0, 7200.0]))
    def ask(self, site, habit, later):
        self.memory.known(site, habit, NOW + later)

    @rule()
    def fail_to_write(self):
        self.memory.put_back(self.memory.take_changes())

    @rule()
    def write(self):
        for key, fact in self.memory.take_changes().items():
            if fact is None:
                self.table.pop(key, None)
            else:
                self.table[key] = fact
        known = {(site, fact.habit): fact for site, facts in self.memory._sites.items() for fact in facts.values()}
        assert self.table == known

    @invariant()
    def bounded(self):
        assert len(self.memory) <= 3


TestWrittenDown = WrittenDown.TestCase


def test_what_others_have_written_takes_the_place_of_what_was_known_but_not_of_what_is_newer():
    memory = Memory()
    for site in "abc":
        memory.learn(site, learn(Habit.RATE, NOW, 0.5))
        memory.learn(site, learn(Habit.TLS, NOW))
    memory.take_changes()
    memory.learn("b", learn(Habit.RATE, NOW, 0.25))
    theirs = [
        ("a", learn(Habit.RATE, NOW, 0.125)),
        ("b", learn(Habit.RATE, NOW, 0.125)),
        ("d", learn(Habit.TLS, NOW - 30 * DAY)),
    ]
    memory.renew(theirs, NOW, ["a", "b", "d"])
    assert memory.known("a", Habit.RATE, NOW).value == 0.125
    assert memory.known("a", Habit.TLS, NOW) is None, "somebody has it forgotten"
    assert memory.known("b", Habit.RATE, NOW).value == 0.25, "not written yet"
    assert memory.known("b", Habit.TLS, NOW) is None
    assert memory.known("c", Habit.TLS, NOW) is not None, "nobody asked"
    assert memory.known("d", Habit.TLS, NOW) is None, "it holds no more"
    assert memory.take_changes().keys() == {("b", Habit.RATE)}
    memory.renew([], NOW)
    assert len(memory) == 0
    assert not memory.changed
