from __future__ import annotations

import pytest
from pydantic import ValidationError

from bulkmail.control.models import ProblemAnswer, SuppressedAnswer


def test_an_answer_has_nothing_that_is_not_described():
    with pytest.raises(ValidationError, match="Extra inputs"):
        SuppressedAnswer.model_validate({"changed": 1, "more": 1})
    assert ProblemAnswer.model_validate({"type": "", "title": "", "status": 4, "detail": "", "allow": []}).status == 4
