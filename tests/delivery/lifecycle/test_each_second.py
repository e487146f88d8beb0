from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from bulkmail.delivery.lifecycle.each_second import EachSecond


def test_one_that_fails_keeps_none_from_being_called_and_is_called_again():
    clock, called, heard = Clock(), [], []

    def failing():
        called.append("failing")
        raise ZeroDivisionError

    each_second = EachSecond(clock, [failing, lambda: called.append("next")])
    globalLogPublisher.addObserver(heard.append)
    try:
        each_second.start()
        assert not called
        clock.pump([1.0, 1.0])
    finally:
        globalLogPublisher.removeObserver(heard.append)
    assert called == ["failing", "next"] * 2
    assert [event["log_failure"].type for event in heard if "log_failure" in event] == [ZeroDivisionError] * 2
    each_second.stop()
    each_second.stop()
    clock.advance(5.0)
    assert called == ["failing", "next"] * 2
