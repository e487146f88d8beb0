from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bulkmail.shaping import FactKind, SiteFacts, learn

NOW = 1_700_000_000.0
DAY = 86400.0
SITES = ["a", "b", "c", "d"]


def test_what_was_learnt_is_known_until_it_ends():
    facts = SiteFacts()
    facts.learn("a", learn(FactKind.TLS, NOW))
    assert facts.known("a", FactKind.TLS, NOW + DAY) == learn(FactKind.TLS, NOW)
    assert facts.known("a", FactKind.FOLLOW, NOW) is None
    assert facts.known("b", FactKind.TLS, NOW) is None
    assert facts.known("a", FactKind.TLS, NOW + 3 * DAY) is None
    assert len(facts) == 0
    assert facts.take_changes() == {("a", FactKind.TLS): None}
    assert repr(facts) == "<SiteFacts of 0 sites>"


def test_the_least_recently_asked_about_is_forgotten_first():
    facts = SiteFacts(size=2)
    for site in "ab":
        facts.learn(site, learn(FactKind.FOLLOW, NOW))
        facts.learn(site, learn(FactKind.PIPELINING, NOW))
    assert facts.known("a", FactKind.FOLLOW, NOW)
    facts.take_changes()
    facts.learn("c", learn(FactKind.FOLLOW, NOW))
    assert [site for site in "abc" if facts.known(site, FactKind.FOLLOW, NOW)] == ["a", "c"]
    assert facts.take_changes() == {
        ("c", FactKind.FOLLOW): learn(FactKind.FOLLOW, NOW),
        ("b", FactKind.FOLLOW): None,
        ("b", FactKind.PIPELINING): None,
    }
    assert not facts.changed


def test_of_more_than_there_is_room_for_the_newest_are_loaded():
    facts = SiteFacts(size=2)
    facts.load([(site, learn(FactKind.TLS, NOW - age)) for age, site in enumerate("abcd")], NOW)
    assert [site for site in "abcd" if facts.known(site, FactKind.TLS, NOW)] == ["a", "b"]
    assert facts.take_changes() == {("d", FactKind.TLS): None, ("c", FactKind.TLS): None}


def test_what_is_loaded_is_not_written_again_and_changes_nothing_that_is_known():
    facts = SiteFacts()
    facts.learn("a", learn(FactKind.RATE, NOW, 0.25))
    facts.take_changes()
    facts.load([("a", learn(FactKind.RATE, NOW - 1, 0.5)), ("b", learn(FactKind.RATE, NOW - 8 * DAY, 0.5))], NOW)
    assert facts.known("a", FactKind.RATE, NOW).value == 0.25
    assert len(facts) == 1
    assert not facts.changed


def test_what_could_not_be_written_is_kept_but_not_before_what_is_newer():
    facts = SiteFacts()
    facts.learn("a", learn(FactKind.RATE, NOW, 0.5))
    facts.learn("b", learn(FactKind.RATE, NOW, 0.5))
    taken = facts.take_changes()
    facts.learn("a", learn(FactKind.RATE, NOW, 0.25))
    facts.put_back(taken)
    assert {site: fact.value for (site, _), fact in facts.take_changes().items()} == {"a": 0.25, "b": 0.5}


OF_THEIR_OWN_TIME = {FactKind.MESSAGES, FactKind.OUTAGE, FactKind.REST, FactKind.PACE, FactKind.CONNECTIONS}


class WrittenDown(RuleBasedStateMachine):
    """A table that is given the changes, with failures in between, holds what `SiteFacts` holds: no more, no less."""

    def __init__(self):
        super().__init__()
        self.facts, self.table = SiteFacts(size=3), {}

    @rule(site=st.sampled_from(SITES), kind=st.sampled_from(FactKind), value=st.floats(0, 1))
    def learn(self, site, kind, value):
        if kind in OF_THEIR_OWN_TIME:
            kind = FactKind.TLS
        self.facts.learn(site, learn(kind, NOW, value))

    @rule(site=st.sampled_from(SITES), kind=st.sampled_from(FactKind))
    def forget(self, site, kind):
        self.facts.forget(site, kind)

    @rule(site=st.sampled_from(SITES), kind=st.sampled_from(FactKind), later=st.sampled_from([0.0, 1.0, 7200.0]))
    def ask(self, site, kind, later):
        self.facts.known(site, kind, NOW + later)

    @rule()
    def fail_to_write(self):
        self.facts.put_back(self.facts.take_changes())

    @rule()
    def write(self):
        for key, fact in self.facts.take_changes().items():
            if fact is None:
                self.table.pop(key, None)
            else:
                self.table[key] = fact
        known = {(site, fact.kind): fact for site, facts in self.facts._sites.items() for fact in facts.values()}
        assert self.table == known

    @invariant()
    def bounded(self):
        assert len(self.facts) <= 3


TestWrittenDown = WrittenDown.TestCase


def test_what_others_have_written_takes_the_place_of_what_was_known_but_not_of_what_is_newer():
    facts = SiteFacts()
    for site in "abc":
        facts.learn(site, learn(FactKind.RATE, NOW, 0.5))
        facts.learn(site, learn(FactKind.TLS, NOW))
    facts.take_changes()
    facts.learn("b", learn(FactKind.RATE, NOW, 0.25))
    theirs = [
        ("a", learn(FactKind.RATE, NOW, 0.125)),
        ("b", learn(FactKind.RATE, NOW, 0.125)),
        ("d", learn(FactKind.TLS, NOW - 30 * DAY)),
    ]
    facts.renew(theirs, NOW, ["a", "b", "d"])
    assert facts.known("a", FactKind.RATE, NOW).value == 0.125
    assert facts.known("a", FactKind.TLS, NOW) is None, "somebody has it forgotten"
    assert facts.known("b", FactKind.RATE, NOW).value == 0.25, "not written yet"
    assert facts.known("b", FactKind.TLS, NOW) is None
    assert facts.known("c", FactKind.TLS, NOW) is not None, "nobody asked"
    assert facts.known("d", FactKind.TLS, NOW) is None, "it holds no more"
    assert facts.take_changes().keys() == {("b", FactKind.RATE)}
    facts.renew([], NOW)
    assert len(facts) == 0
    assert not facts.changed
