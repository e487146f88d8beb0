from __future__ import annotations

from bulkmail.delivery.resting import Resting
from bulkmail.mail import REST, Variants

SHARES = [("a", 300_000, False), ("b", 300_000, False)]


def test_the_rest_waits_and_nobody_else() -> None:
    resting = Resting(SHARES, 100.0, None)
    emails = [f"reader-{number}@example.org" for number in range(40)]
    assert [resting.waits(email) for email in emails] == [Variants(SHARES).of(email) == REST for email in emails]
    assert {resting.waits(email) for email in emails} == {True, False}


def test_it_waits_longer_at_most_as_long_again() -> None:
    resting = Resting(SHARES, 100.0, 1000.0, again=5.0)
    assert resting.extend(1100.0)
    assert (resting.is_over(1109.0), resting.until(1101.0), resting.is_over(1110.0)) == (False, 1110.0, True)
    assert not resting.extend(1200.0)
    assert resting.is_over(1200.0)


def test_it_waits_from_the_first_attempt_on() -> None:
    resting = Resting(SHARES, 100.0, None, again=5.0)
    assert (resting.is_over(1e9), resting.until(1000.0)) == (False, 1100.0)
    resting.begins = 1010.0
    assert (resting.is_over(1109.0), resting.until(1020.0)) == (False, 1110.0)
    assert (resting.is_over(1110.0), resting.until(1110.0)) == (True, 1115.0), "nothing is chosen yet"
