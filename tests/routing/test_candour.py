from __future__ import annotations

import pytest

from bulkmail.routing.candour import IN_A_ROW, PROOF_HOLDS, Candour, lies


def test_nothing_is_believed_before_the_first_proof() -> None:
    candour = Candour()
    assert candour.doubtful(0.0)
    candour.proven(0.0)
    assert not candour.doubtful(1.0)


def test_many_in_a_row_are_doubtful_until_something_is_found() -> None:
    candour = Candour()
    candour.proven(0.0)
    assert [candour.doubtful(1.0) for _ in range(IN_A_ROW + 2)] == [False] * IN_A_ROW + [True] * 2
    candour.proven(2.0)
    assert not candour.doubtful(2.0)


def test_a_proof_grows_old() -> None:
    candour = Candour()
    candour.proven(100.0)
    assert not candour.doubtful(100.0 + PROOF_HOLDS)
    assert candour.doubtful(100.1 + PROOF_HOLDS)
    assert "2 denied" in repr(candour)


@pytest.mark.parametrize(
    ("witnesses", "lying"),
    [
        ([True], False),
        ([False, True], False),  # one of the names may be gone, or be filtered
        ([None, True], False),
        ([False], True),
        ([None, False], True),
        ([None, None], False),  # it is asked for zones of its own only
        ([], False),
    ],
)
def test_what_witnesses_say(witnesses: list[bool | None], lying: bool) -> None:
    assert lies(witnesses) is lying
