from __future__ import annotations

from bulkmail.mail import LateEvent, LateResult
from bulkmail.shaping import AutoSuppression
from bulkmail.spool import Arrival, LateCounts, Recorded


def test_values_begin_as_nothing() -> None:
    assert Recorded(None) == (None, False, None, None, False, 0)
    assert LateCounts() == (0, 0, 0)
    arrival = Arrival("token", LateEvent(LateResult.ANSWERED, 1.0), AutoSuppression())
    assert arrival == Arrival("token", LateEvent(LateResult.ANSWERED, 1.0), AutoSuppression())


def test_an_arrival_is_judged_by_what_is_known_of_its_row() -> None:
    asked = []

    def judge(event: LateEvent, provider: str, domain: str) -> LateEvent:
        asked.append((provider, domain))
        return event._replace(category="policy")

    plain = Arrival("token", LateEvent(LateResult.RETURNED, 1.0, "bounced"), AutoSuppression())
    assert plain.judged("apple", "joe@a.example") is plain
    assert plain._replace(judge=judge).judged("apple", "joe@a.example").event.category == "policy"
    plain._replace(judge=judge).judged("", "")
    assert asked == [("apple", "a.example"), ("", "")]
