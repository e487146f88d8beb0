from __future__ import annotations

import marshal

import pytest

from bulkmail.mail import OwnFault, Problem, Refused, answer_of, checked, plain_problems, problems_of

PROBLEMS = [Problem("list.csv", 3, 0, "has no @"), Problem("campaign.yaml", 1, 7, "is not a key")]


def test_problems_pass_between_processes() -> None:
    assert problems_of(marshal.loads(marshal.dumps(plain_problems(PROBLEMS)))) == PROBLEMS


def test_what_is_refused_is_refused_where_it_was_asked() -> None:
    with pytest.raises(Refused) as refused:
        checked(marshal.loads(marshal.dumps(answer_of(Refused(PROBLEMS)))))
    assert refused.value.problems == tuple(PROBLEMS)


def test_a_fault_of_our_own_is_one_where_it_was_asked() -> None:
    with pytest.raises(OwnFault, match=r"^the disk is full$"):
        checked(answer_of(OwnFault("the disk is full")))


def test_every_other_answer_is_given_on() -> None:
    assert checked(("rows", [], {}, True)) == ("rows", [], {}, True)
