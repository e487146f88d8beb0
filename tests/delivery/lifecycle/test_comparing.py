from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.lifecycle.comparing import Comparing, kept_winner
from bulkmail.delivery.run import Run
from bulkmail.mail import Choice, ClickCount, OwnFault, UnknownName, WrongState
from bulkmail.spool import Hold

SHARES = [["a", 300_000, False], ["b", 300_000, False]]


def content(by: str = "unsubscribes", rest: str = "") -> dict[str, Any]:
    contest = {"after": 100.0, "by": by, "rest": rest}
    return {"variants": {"shares": SHARES, "letters": {"a": {}, "b": {}}, "winner": "", "contest": contest}}


class FakeSpool:
    """The spool's answers about one campaign: a stand-in for what has a suite of its own on both databases."""

    def __init__(self) -> None:
        self.chosen: Choice | None = None
        self.first: float | None = None
        self.held: list[Hold] = []
        self.content_of = content()
        self.down = False

    def campaigns(self) -> Any:
        return succeed([SimpleNamespace(id=1, name="spring", state="running")])

    def content(self, _: int) -> Any:
        return succeed(self.content_of)

    def clicks(self, _: int) -> Any:
        return succeed([ClickCount("x", "a", 3, 9), ClickCount("y", "b", 1, 0), ClickCount("y", "a", 1, 0)])

    def holds(self) -> Any:
        return succeed(self.held)

    def winner(self, _: int) -> Any:
        return succeed(self.chosen)

    def first_attempt_at(self, _: int) -> Any:
        return succeed(self.first)

    async def save_winner(self, _: int, choice: Choice) -> None:
        if self.down:
            raise OwnFault("the disk is full")
        self.chosen = choice


class Scene:
    def __init__(self, by: str = "unsubscribes", rest: str = "", *, rehearsal: bool = False) -> None:
        self.clock = Clock()
        self.spool = FakeSpool()
        self.spool.content_of = content(by, rest)
        self.done: list[Any] = []
        self.counts: dict[str, dict[str, int]] | None = {
            "a": {"delivered": 9, "unsubscribed": 1},
            "b": {"delivered": 9},
        }
        clocks = Clocks(self.clock, wall=lambda: 1000.0 + self.clock.seconds())
        self.comparing = Comparing(self.spool, clocks, self, lambda run: self.done.append(("taken", run.name)))
        compose = SimpleNamespace(set_up=lambda _, job: self.done.append(("load", job[2]["variants"]["winner"])))
        self.comparing.use(self._counted, compose, come_back=self._come_back if rehearsal else None)
        self.run = Run(1, "spring", "/c", content(by, rest), "retry", 1000.0)
        self.wait(self.comparing.begin(self.run))

    async def _counted(self, _: Run) -> dict[str, dict[str, int]] | None:
        return self.counts

    async def _come_back(self) -> None:
        self.counts = {"a": {"delivered": 9, "unsubscribed": 3}, "b": {"delivered": 9, "unsubscribed": 4}}

    async def hold(self, name: str, kind: str, *, reason: str = "") -> Hold:
        hold = Hold(1, kind, reason, 1.0)
        self.spool.held.append(hold)
        self.run.holds.active = (*self.run.holds.active, hold)
        return hold

    async def release(self, name: str, kind: str, *, who: str = "") -> None:
        self.spool.held.clear()

    @staticmethod
    def wait(coroutine: Any) -> None:
        found: list[Any] = []
        Deferred.fromCoroutine(coroutine).addBoth(found.append)
        if found and hasattr(found[0], "raiseException"):
            found[0].raiseException()

    def look(self, seconds: float = 0.0) -> None:
        self.clock.advance(seconds)
        self.comparing.look()


def test_what_is_counted_decides_when_the_time_is_over_and_is_written_first() -> None:
    scene = Scene()
    scene.look(500)
    assert (scene.done, scene.run.resting is None) == ([], False), "nothing was sent yet"
    scene.spool.first = 1500.0
    scene.look(50)
    assert scene.done == []
    scene.look(50)
    assert scene.spool.chosen is not None
    assert scene.spool.chosen.variant == "b"
    assert scene.done == [("load", "b"), ("taken", "spring")]
    assert scene.run.content["variants"]["why"] == scene.spool.chosen.why
    assert scene.run.resting is None
    scene.look(1)
    assert len(scene.done) == 2


def test_what_cannot_be_written_or_counted_is_tried_again() -> None:
    scene = Scene()
    scene.spool.first, scene.spool.down = 1000.0, True
    scene.look(100)
    assert scene.done == []
    scene.spool.down, scene.counts = False, None
    scene.look(1)
    assert scene.done == []
    scene.counts = {}
    scene.look(1)
    assert scene.run.content["variants"]["winner"] == "a"


def test_it_waits_until_the_variants_were_sent_but_not_for_ever() -> None:
    scene = Scene()
    scene.spool.first = 1000.0
    scene.counts = {"a": {"delivered": 90, "pending": 5}, "b": {"delivered": 95, "pending": 10, "unsubscribed": 1}}
    scene.look(100)
    scene.look(1)
    assert (scene.done, scene.spool.chosen) == ([], None)
    scene.look(99)
    assert scene.spool.chosen is not None, "it has taken twice the time"
    again = Scene()
    again.spool.first = 1000.0
    again.counts = {"a": {"delivered": 90, "pending": 4}, "b": {"delivered": 95, "pending": 5, "unsubscribed": 1}}
    again.look(100)
    assert again.spool.chosen is not None, "few are left"


def test_a_rehearsal_counts_what_its_readers_do_and_sends_the_first_ones_before() -> None:
    scene = Scene(rehearsal=True)
    scene.spool.first = 1000.0
    scene.counts = {"a": {"delivered": 1, "pending": 8}, "b": {"delivered": 1, "pending": 8}}
    scene.look(190)
    assert scene.done == []
    scene.counts = {"a": {"delivered": 9}, "b": {"delivered": 9}}
    scene.look(11)
    assert scene.spool.chosen is not None
    assert scene.spool.chosen.why == "a has the fewest (a: 3 of 9 unsubscribed, b: 4 of 9 unsubscribed)"


def test_clicks_decide_too() -> None:
    scene = Scene("clicks")
    scene.spool.first = 1000.0
    scene.look(100)
    assert scene.spool.chosen == Choice("a", "a has the most (a: 4 of 9 clicked, b: 1 of 9 clicked)")


def test_a_start_takes_what_was_chosen_before() -> None:
    scene = Scene()
    scene.spool.chosen = Choice("b", "why")
    again = Run(1, "spring", "/c", content(), "retry", 1000.0)
    scene.wait(scene.comparing.begin(again))
    assert (again.content["variants"]["winner"], again.resting) == ("b", None)


def test_a_machine_that_helps_takes_what_another_has_chosen() -> None:
    scene = Scene()
    scene.run.helped, scene.spool.first = True, 1000.0
    scene.look(100)
    assert (scene.done, scene.spool.chosen) == ([], None)
    scene.spool.chosen = Choice("a", "why")
    scene.look(1)
    assert scene.run.content["variants"]["winner"] == "a"


def test_a_campaign_waits_for_a_person() -> None:
    scene = Scene("manual")
    scene.spool.first = 1000.0
    scene.look(100)
    scene.look(1)
    (hold,) = scene.spool.held
    assert hold.kind == "winner"
    assert "`bulkmail choose spring a` or `bulkmail choose spring b`" in hold.reason
    with pytest.raises(UnknownName, match="there is no variant 'c'"):
        scene.wait(scene.comparing.choose("spring", "c"))
    scene.wait(scene.comparing.choose("spring", "b", who="ann"))
    assert scene.spool.held == []
    scene.look(1)
    assert scene.spool.chosen == Choice("b", "chosen by ann", "ann")
    assert scene.run.content["variants"]["winner"] == "b"
    with pytest.raises(WrongState, match="b was chosen already"):
        scene.wait(scene.comparing.choose("spring", "a"))


def test_a_choice_made_early_counts_from_the_time_on() -> None:
    scene = Scene("manual")
    scene.spool.first = 1000.0
    scene.wait(scene.comparing.choose("spring", "b"))
    scene.look(50)
    assert scene.run.resting is not None
    scene.look(50)
    assert (scene.run.content["variants"]["winner"], scene.spool.held) == ("b", [])


def test_a_rehearsal_waits_for_nobody() -> None:
    scene = Scene("manual", "b", rehearsal=True)
    scene.spool.first = 1000.0
    scene.look(100)
    assert (scene.run.content["variants"]["winner"], scene.spool.held) == ("b", [])


def test_nothing_is_chosen_of_a_campaign_without_a_winner() -> None:
    scene = Scene()
    scene.spool.content_of = {"variants": None}
    with pytest.raises(WrongState, match="has no `winner`"):
        scene.wait(scene.comparing.choose("spring", "a"))
    other = Run(2, "autumn", "/c", {"variants": {"shares": SHARES, "letters": {}}}, "retry", 1000.0)
    scene.wait(scene.comparing.begin(other))
    assert other.resting is None


def test_a_changed_content_keeps_the_winner() -> None:
    chosen = {"variants": {**content()["variants"], "winner": "b", "why": "it is"}}
    assert kept_winner(chosen, content())["variants"]["winner"] == "b"
    assert kept_winner(content(), content())["variants"]["winner"] == ""
    assert kept_winner(chosen, {"variants": None}) == {"variants": None}
