from __future__ import annotations

from bulkmail.mail import Fate, Outcome, Stage, Status


def test_only_waiting_rows_are_not_final() -> None:
    assert {status for status in Status if not status.final} == {Status.PENDING, Status.DEFERRED}


def test_outcomes_are_values() -> None:
    assert Outcome(Fate.LOST, Stage.DNS) == Outcome(Fate.LOST, Stage.DNS)
    assert {Outcome(Fate.LOST, Stage.DNS)} == {Outcome(Fate.LOST, Stage.DNS)}
