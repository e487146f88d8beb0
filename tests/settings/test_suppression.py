from __future__ import annotations

import pytest
from pydantic import ValidationError

from bulkmail.settings import Settings
from bulkmail.settings.suppression import Suppression


def test_the_defaults() -> None:
    auto = Settings().suppression.auto
    assert (auto.complained, auto.unsubscribed) == ("all", "list")
    assert (auto.hard_bounce.after, auto.soft_bounce.after, auto.soft_bounce.within) == (1, 5, 30 * 86400.0)
    assert Settings().suppression.hashed is False


@pytest.mark.parametrize(
    "wrong",
    [
        {"auto": {"unsubscribed": "none"}},  # who says no is not mailed
        {"auto": {"hard_bounce": {"after": -1}}},
        {"auto": {"soft_bounce": {"within": "soon"}}},
        {"auto": {"blocked": "all"}},  # never by a policy block
    ],
)
def test_what_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Suppression.model_validate(wrong)
