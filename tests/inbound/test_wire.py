"""What goes over the pipes is plain, and is again what it was."""

from __future__ import annotations

import pytest

from bulkmail.inbound.wire import event_of, found_of, plain_event, plain_found
from bulkmail.mail import Found, LateEvent, LateResult
from bulkmail.workers import Frames, frame

FOUND = Found(1, 7, "spring", "news", "marketing", "ann@d.example", unsubscribed=False, in_spool=True)
EVENT = LateEvent(
    LateResult.RETURNED, 0.0, "bounced", "bad-mailbox", 550, "5.1.1", "no such user", "mx.example", key="1f"
)


@pytest.mark.parametrize("result", list(LateResult))
def test_an_event(result):
    event = EVENT._replace(result=result)
    [plain] = Frames().feed(frame(plain_event(event)))
    back = event_of(plain)
    assert back == event
    assert type(back.result) is LateResult


@pytest.mark.parametrize("found", [FOUND, None])
def test_what_is_known_of_a_token(found):
    [plain] = Frames().feed(frame(plain_found(found)))
    assert found_of(plain) == found
