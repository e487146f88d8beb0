"""Death at every named instant between the claim and the report: what a restart makes of it, to the last row."""

from __future__ import annotations

import signal
from typing import Any

import pytest

pytestmark = pytest.mark.loopback

ROWS = 700  # more than the 500 that one settlement takes
# point and hit -> ambiguous attempts, copies too many; a pair is "from, to"
DEATHS: dict[str, tuple[int | tuple[int, int], int | tuple[int, int]]] = {
    "mid-import:kill-group@1": (0, 0),
    "mid-import:kill-group@2": ((0, 1), (0, 1)),  # the first batch is being sent already
    "after-import:kill-group@1": ((0, 1), (0, 1)),
    "mid-claim:kill-group@1": (0, 0),
    "mid-claim:kill-group@2": ((0, 1), (0, 1)),
    "after-claim:kill-group@1": (0, 0),
    "before-dot:kill-group@20": (0, 0),
    "journal-write:kill-group@1": (0, 0),
    "after-dot:kill-group@20": (1, 0),  # the journal said that it might have left
    "after-write:kill-group@3": (1, 1),  # EHLO, the envelope, the message: nobody will ever read its answer
    "after-write:kill-group@20": ((0, 1), (0, 1)),
    "before-reply:kill-group@1": (1, 1),
    "after-reply:kill-group@1": (0, 0),  # the guarantee: what was read and journalled is never sent again
    "after-reply:kill-group@41": ((0, 1), (0, 1)),  # of the next one the dot may be out
    "mid-settle:kill-group@1": ((0, 1), (0, 1)),
    "mid-settle:kill-group@2": ((0, 1), (0, 1)),
    "after-settle:kill-group@1": ((0, 1), (0, 1)),
    "mid-report:kill-group@1": ((0, 1), (0, 1)),
    "before-rename=recipients.csv:kill-group@1": ((0, 1), (0, 1)),
    "before-rename=summary.json:kill-group@1": ((0, 1), (0, 1)),
    "after-append:kill-group@1": ((0, 1), (0, 1)),
    "before-position:kill-group@1": ((0, 1), (0, 1)),
    "closing:kill-group": (0, 0),
}


@pytest.fixture
def campaign(world: Any) -> Any:
    """One site and one connection: so that there is one message under way, and the figures are exact."""
    world.settings(shaping={"total": {"connections": 1}})
    return world.campaign("spring", [f"user-{n}@d0.test" for n in range(ROWS)])


def within(found: int, wanted: int | tuple[int, int]) -> bool:
    low, high = (wanted, wanted) if isinstance(wanted, int) else wanted
    return low <= found <= high


def check(world: Any, campaign: Any, ambiguous: Any, copies: Any) -> None:
    ended = world.run("-c", "spring")
    assert ended.status == 0, ended.said[-4000:]
    seen = world.reconciled(campaign).seen
    assert campaign.statuses() == {"delivered": ROWS}
    assert within(seen["ambiguous attempts"], ambiguous), seen
    assert within(seen["copies too many"], copies), seen


@pytest.mark.parametrize("death", DEATHS)
def test_death(world: Any, campaign: Any, death: str) -> None:
    dying = world.failing(death, "-c", "spring")

    assert dying.wait().status == -signal.SIGKILL, "the fault never happened"
    check(world, campaign, *DEATHS[death])


@pytest.mark.parametrize("where", ["mid-recovery", "after-recovery"])
def test_death_in_the_recovery_from_a_death(world: Any, campaign: Any, where: str) -> None:
    assert world.failing("before-reply:kill-group@1", "-c", "spring").wait().status == -signal.SIGKILL
    assert world.failing(f"{where}:kill-group", "-c", "spring").wait().status == -signal.SIGKILL

    check(world, campaign, 1, 1)


def test_death_in_the_shutdown(world: Any, campaign: Any, until: Any) -> None:
    world.settings(shaping={"total": {"connections": 1}, "default": {"rate": "100/s"}})
    dying = world.failing("stopping:kill-group", "-c", "spring")
    until(lambda: world.server.count() > 20, "the first messages")
    dying.signal(signal.SIGTERM)

    assert dying.wait().status == -signal.SIGKILL
    check(world, campaign, (0, 1), (0, 1))


@pytest.mark.parametrize("where", ["mid-report", "before-rename=recipients.csv", "after-append", "compose"])
def test_the_death_of_one_worker_is_mended_without_a_restart(world: Any, campaign: Any, where: str) -> None:
    """Each replacement counts for itself; the report's may die of the same again, and is replaced again."""
    running = world.failing(f"{where}:kill@{200 if where == 'compose' else 2}", "-c", "spring")

    ended = running.wait()

    assert ended.status == 0, ended.said[-4000:]
    seen = world.reconciled(campaign).seen
    assert campaign.statuses() == {"delivered": ROWS}
    assert (seen["ambiguous attempts"], seen["copies too many"]) == (0, 0)
