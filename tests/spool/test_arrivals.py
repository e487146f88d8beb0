from __future__ import annotations

from bulkmail.mail import LateEvent, LateResult
from bulkmail.shaping import AutoSuppression
from bulkmail.spool import Arrival, LateCounts, Recorded


def test_values_begin_as_nothing() -> None:
    assert Recorded(None) == (None, False, None, None, False, 0)
    assert LateCounts() == (0, 0, 0)
    arrival = Arrival("token", LateEvent(LateResult.ANSWERED, 1.0), AutoSuppression())
    assert arrival == Arrival("token", LateEvent(LateResult.ANSWERED, 1.0), AutoSuppression())
