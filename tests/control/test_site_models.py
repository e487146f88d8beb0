from __future__ import annotations

import pytest
from pydantic import ValidationError

from bulkmail.control.site_models import LimitAnswer, SiteSteeredAnswer


def test_an_answer_has_nothing_that_is_not_described():
    with pytest.raises(ValidationError, match="Extra inputs"):
        SiteSteeredAnswer.model_validate({"of": "google", "done": "paced", "count": 1, "more": 1})


def test_a_limit_says_where_it_is_from_under_the_name_that_python_keeps_for_itself():
    told = {"limit": "rate", "value": "5/s", "from": "bulkmail.yaml:3:4"}
    assert LimitAnswer.model_validate(told).model_dump(by_alias=True) == told
