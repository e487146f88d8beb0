from __future__ import annotations

import pytest

from bulkmail.mail import Category
from bulkmail.shaping import Verdict
from bulkmail.shaping.standing import MOST, Standing

ABOUT_US = Verdict(Category.SPAM_REPUTATION, permanent=True)


def refused(standing: Standing, times: int) -> list[bool]:
    return [standing.refused(ABOUT_US) for _ in range(times)]


def test_so_many_in_a_row_are_about_us():
    standing = Standing()
    assert refused(standing, MOST) == [False] * (MOST - 1) + [True]
    assert standing.bad
    assert refused(standing, 1) == [True]  # a later try that is refused too
    standing.taken()
    assert (standing.bad, standing.in_a_row) == (False, 0)


@pytest.mark.parametrize("category", [Category.BAD_MAILBOX, Category.QUOTA, Category.TOO_LARGE])
def test_a_refusal_of_one_recipient_says_that_we_are_heard(category):
    standing = Standing()
    refused(standing, MOST - 1)
    assert not standing.refused(Verdict(category, permanent=True))
    assert standing.in_a_row == 0


def test_what_is_not_for_ever_says_nothing():
    standing = Standing()
    refused(standing, MOST - 1)
    assert not standing.refused(Verdict(Category.SPAM_REPUTATION, permanent=False))
    assert refused(standing, 1) == [True]
