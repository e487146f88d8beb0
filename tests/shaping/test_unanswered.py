from __future__ import annotations

from bulkmail.shaping import UnansweredMessages


def told(unanswered, recipient, opened, now):
    """Whether it is known to repeat, once this one is without an answer too."""
    unanswered.unanswered(recipient, opened, now)
    return unanswered.repeated


def test_one_break_of_many_connections_is_an_accident():
    unanswered = UnansweredMessages()
    assert not any(told(unanswered, f"u{n}@a.test", opened=1.0, now=5.0 + n) for n in range(50))


def test_the_same_again_on_a_new_connection_is_none():
    unanswered = UnansweredMessages()
    found = [told(unanswered, f"u{n}@a.test", opened=10.0 * n, now=10.0 * n + 1) for n in range(4)]
    assert found == [False, False, True, True]


def test_many_in_one_break_and_one_more_break():
    unanswered = UnansweredMessages()
    for n in range(5):
        unanswered.unanswered(f"u{n}@a.test", opened=1.0, now=5.0)
    assert told(unanswered, "u0@a.test", opened=6.0, now=7.0)


def test_one_recipient_says_nothing_of_the_site():
    unanswered = UnansweredMessages()
    assert not any(told(unanswered, "u@a.test", opened=10.0 * n, now=10.0 * n + 1) for n in range(20))


def test_a_hundred_answers_are_proof_of_the_contrary():
    unanswered = UnansweredMessages()
    for n in range(20):
        assert not told(unanswered, f"u{n}@a.test", opened=10.0 * n, now=10.0 * n + 1)
        for _ in range(100):
            unanswered.answered()
    for _ in range(99):
        unanswered.answered()
    found = [told(unanswered, f"v{n}@a.test", opened=1000.0 * (n + 1), now=1000.0 * (n + 1)) for n in range(3)]
    assert found == [False, False, True]


def test_a_line_that_loses_a_connection_now_and_then_is_no_behaviour_of_the_site():
    unanswered = UnansweredMessages()
    for n in range(50):
        assert not told(unanswered, f"u{n}@a.test", opened=10.0 * n, now=10.0 * n + 1)
        for _ in range(12):
            unanswered.answered()


def test_a_site_that_answers_every_third_message_is_told_from_a_bad_line():
    unanswered = UnansweredMessages()
    found = []
    for n in range(12):
        if n % 3:
            found.append(told(unanswered, f"u{n}@a.test", opened=10.0 * n, now=10.0 * n + 1))
        elif unanswered.breaks:
            unanswered.answered()
    assert found == [False, False, *[True] * 6]
