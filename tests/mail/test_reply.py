from __future__ import annotations

import pytest

from bulkmail.mail import Reply


@pytest.mark.parametrize(
    ("reply", "enhanced"),
    [
        (Reply(550, ("5.1.1 no such user",)), "5.1.1"),
        (Reply(250, ("ok",)), ""),
        (Reply(250, ()), ""),
        (Reply(450, ("5.7.1 contradicts itself",)), "4.0.0"),
        (Reply(550, ("5.1.1000 not one",)), ""),
        (Reply(550, ("5.1.1", "more")), "5.1.1"),
    ],
)
def test_the_enhanced_code(reply: Reply, enhanced: str) -> None:
    assert reply.enhanced == enhanced


def test_its_words_are_one_line() -> None:
    assert str(Reply(421, ("come back", "later"))) == "421 come back later"
    assert str(Reply(421, ())) == "421"
