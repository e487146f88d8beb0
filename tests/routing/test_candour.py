from __future__ import annotations

import pytest

from bulkmail.routing.candour import lies


@pytest.mark.parametrize(
    ("witnesses", "lying"),
    [
        ([True], False),
        ([False, True], False),
        ([None, True], False),
        ([False], True),
        ([None, False], True),
        ([None, None], None),
        ([], None),
    ],
)
def test_what_witnesses_say(witnesses: list[bool | None], lying: bool | None) -> None:
    assert lies(witnesses) is lying
