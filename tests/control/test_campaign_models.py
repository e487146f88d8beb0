from __future__ import annotations

import pytest
from pydantic import ValidationError

from bulkmail.control.campaign_models import AcceptedAnswer, SteeredAnswer, VariantAnswer

COUNTED = {"variant": "a", "by_status": {"delivered": 1}, "clicked": None, "unsubscribed": 0, "complained": 0}


def test_clicks_that_are_not_counted_are_null_and_not_left_out():
    assert VariantAnswer.model_validate(COUNTED).clicked is None
    with pytest.raises(ValidationError, match="clicked"):
        VariantAnswer.model_validate({name: value for name, value in COUNTED.items() if name != "clicked"})


def test_what_is_accepted_is_steered_too():
    assert set(SteeredAnswer.model_fields) < set(AcceptedAnswer.model_fields)
