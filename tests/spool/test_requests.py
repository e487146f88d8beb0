from __future__ import annotations

import pytest

from bulkmail.mail import UnknownName, WrongState
from bulkmail.spool import Hold, check_held, check_not_ended, check_removable, named


@pytest.fixture
def row(sqlite, kit):
    kit.campaign(sqlite, running=False)

    def in_state(state):
        if state != "ready":
            sqlite.set_state(1, state, 5.0)
        return named(sqlite.campaigns(), "spring")

    return in_state


def test_an_unknown_name_is_told_with_the_nearest(sqlite, row):
    row("ready")
    with pytest.raises(UnknownName, match="no campaign 'sprin'; the nearest is 'spring'"):
        named(sqlite.campaigns(), "sprin")


@pytest.mark.parametrize("state", ["ready", "running", "stopped"])
def test_what_goes_on_can_be_steered_and_not_removed(row, state):
    check_not_ended(row(state), "paused")
    with pytest.raises(WrongState, match=rf"spring is {state}, and rows of it are not settled; cancel it first"):
        check_removable(row(state), whole_report=True)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("finished", "spring is finished already, and cannot be paused"),
        ("cancelled", "spring is cancelled already, and cannot be paused"),
        ("cancelling", "being cancelled, which cannot be undone, so it cannot be paused"),
        ("removing", "being removed from the spool, and cannot be paused"),
    ],
)
def test_what_has_ended_cannot_be_steered(row, state, words):
    with pytest.raises(WrongState, match=words):
        check_not_ended(row(state), "paused")


def test_only_what_has_ended_with_its_report_is_removed(row):
    check_removable(row("finished"), whole_report=True)
    with pytest.raises(WrongState, match="its last report was not written to its end"):
        check_removable(row("cancelled"), whole_report=False)
    check_removable(row("cancelled"), whole_report=False, without_report=True)
    check_removable(row("removing"), whole_report=False)


def test_a_campaign_being_cancelled_is_removed_at_its_end(row):
    with pytest.raises(WrongState, match=r"spring is cancelling, .*; wait for its end"):
        check_removable(row("cancelling"), whole_report=False)


def test_what_is_not_held_is_told_with_what_holds_it(row):
    spring = row("running")
    holds = [Hold(1, "paused", "", 1.0), Hold(1, "rule", "", 1.0, "google"), Hold(2, "schedule", "", 1.0)]
    check_held(spring, holds, "paused", "")
    check_held(spring, holds, "rule", "google")
    with pytest.raises(WrongState, match=r"^spring is not paused at google; what holds it is all of it: a person has "):
        check_held(spring, holds, "paused", "google")
    with pytest.raises(WrongState, match=r"^spring is not paused$"):
        check_held(spring, [], "paused", "")
