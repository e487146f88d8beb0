from __future__ import annotations

from bulkmail.shaping import Doubts


def told(doubts, recipient, opened, now):
    """Whether it is known to repeat, once this one is without an answer too."""
    doubts.unanswered(recipient, opened, now)
    return doubts.repeated


def test_one_break_of_many_connections_is_an_accident():
    doubts = Doubts()
    assert not any(told(doubts, f"u{n}@a.test", opened=1.0, now=5.0 + n) for n in range(50))


def test_the_same_again_on_a_new_connection_is_none():
    doubts = Doubts()
    found = [told(doubts, f"u{n}@a.test", opened=10.0 * n, now=10.0 * n + 1) for n in range(4)]
    assert found == [False, False, True, True]


def test_many_in_one_break_and_one_more_break():
    doubts = Doubts()
    for n in range(5):
        doubts.unanswered(f"u{n}@a.test", opened=1.0, now=5.0)
    assert told(doubts, "u0@a.test", opened=6.0, now=7.0)


def test_one_recipient_says_nothing_of_the_site():
    doubts = Doubts()
    assert not any(told(doubts, "u@a.test", opened=10.0 * n, now=10.0 * n + 1) for n in range(20))


def test_a_hundred_answers_are_proof_of_the_contrary():
    doubts = Doubts()
    for n in range(20):
        assert not told(doubts, f"u{n}@a.test", opened=10.0 * n, now=10.0 * n + 1)
        for _ in range(100):
            doubts.answered()
    for _ in range(99):
        doubts.answered()
    found = [told(doubts, f"v{n}@a.test", opened=1000.0 * (n + 1), now=1000.0 * (n + 1)) for n in range(3)]
    assert found == [False, False, True]
