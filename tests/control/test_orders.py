from __future__ import annotations

import pytest
from pydantic import ValidationError

from bulkmail.control.orders import CancelOrder, PaceOrder, PauseOrder, ResumeOrder, TryNowOrder


def test_an_order_to_pause():
    order = PauseOrder.model_validate_json('{"provider": "google", "for": "2h", "reason": "complaints", "who": "ann"}')
    assert (order.provider, order.for_, order.reason, order.who) == ("google", "2h", "complaints", "ann")
    assert PauseOrder.model_validate_json("{}") == PauseOrder()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"for": "two hours"}', "'two hours' is not a duration; write a number and a unit, such as 30 min, 2 hours"),
        ('{"until": "tomorrow"}', "Extra inputs are not permitted"),
        ('{"reason": 3}', "valid string"),
        ("[]", "should be an object"),
        ('{"who": "' + "x" * 101 + '"}', "at most 100"),
    ],
)
def test_what_is_no_order(body, words):
    with pytest.raises(ValidationError, match=words):
        PauseOrder.model_validate_json(body)


def test_a_time_and_a_provider_are_read_as_people_write_them():
    order = PauseOrder.model_validate_json('{"provider": "Yahoo", "for": "2 hours"}')
    assert (order.provider, order.for_) == ("yahoo", "2 hours")
    for model in (ResumeOrder, TryNowOrder):
        assert model(provider="GOOGLE").provider == "google"
    assert PaceOrder.model_validate({"of": "Yahoo", "rate": "5/s", "for": "30 Min"}).of == "yahoo"


def test_a_cancel_is_of_the_whole_campaign():
    with pytest.raises(ValidationError):
        CancelOrder.model_validate({"provider": "google"})


def test_a_pace_is_a_rate_for_a_time():
    assert PaceOrder.model_validate({"of": "google", "rate": "5/s"}).for_ == "1h"
    with pytest.raises(ValidationError, match="is not a rate"):
        PaceOrder.model_validate({"of": "google", "rate": "slowly"})
