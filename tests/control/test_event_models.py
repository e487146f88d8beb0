from __future__ import annotations

from bulkmail.control.event_models import EventAnswer
from bulkmail.stream import EVENT_FIELDS


def test_an_event_of_the_api_has_the_fields_of_the_stream():
    assert tuple(EventAnswer.model_fields) == EVENT_FIELDS
