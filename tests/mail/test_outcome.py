from __future__ import annotations

from bulkmail.mail import Fate, Outcome, Stage, Status, can_be_tried_again


def test_only_waiting_rows_are_not_final() -> None:
    assert {status for status in Status if not status.final} == {Status.PENDING, Status.DEFERRED}


def test_outcomes_are_values() -> None:
    assert Outcome(Fate.LOST, Stage.DNS) == Outcome(Fate.LOST, Stage.DNS)
    assert {Outcome(Fate.LOST, Stage.DNS)} == {Outcome(Fate.LOST, Stage.DNS)}


def test_what_was_refused_or_never_sent_can_be_tried_again_and_what_may_have_arrived_not() -> None:
    again = {status for status in Status if can_be_tried_again(status, "other")}
    assert again == {Status.BLOCKED, Status.EXPIRED, Status.CANCELLED}
    assert can_be_tried_again("invalid", "template")
