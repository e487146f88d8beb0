from __future__ import annotations

import json
from random import Random

import pytest

from bulkmail import cli
from bulkmail.commands.checkpoint import Checkpoint
from bulkmail.commands.tail import Tail
from bulkmail.commands.takers import NotTakenError
from bulkmail.mail import BulkmailError, OwnFault
from bulkmail.spool import EventBounds
from bulkmail.spool.opening import open_all
from tests.retrying import RetryPlan


class Stream:
    """Events with these numbers, of which ``last`` was the last one given."""

    def __init__(self, *numbers):
        self.numbers, self.last = list(numbers), max(numbers, default=0)
        self.broken = 0

    def read(self, after, limit):
        if self.broken:
            self.broken -= 1
            raise OwnFault("the database is away")
        return [{"seq": n, "at": "x"} for n in self.numbers if n > after][:limit]

    def span(self):
        return min(self.numbers, default=self.last + 1), self.last


class Taker:
    """Takes batches once ``works(now)``; ``asks``: the seconds that it asks for where it does not."""

    def __init__(self, works=lambda: True, asks=None):
        self.works, self.asks = works, asks
        self.taken, self.offered = [], 0

    def take(self, name, events):
        self.offered += 1
        if not self.works():
            raise NotTakenError("http://x/ answered 503", self.asks)
        self.taken.append((name, [event["seq"] for event in events]))


@pytest.fixture
def made(tmp_path):
    opened = []

    class Made:
        now = 0.0

        def __init__(self):
            self.told = []

        def sleep(self, seconds):
            self.now += seconds

        def tail(self, stream, taker, batch=3):
            opened.append(Checkpoint.open(str(tmp_path / "point")))
            self.checkpoint = opened[-1]
            return Tail(stream, opened[-1], taker, batch=batch, sleep=self.sleep, rng=Random(1), told=self.told.append)

    yield Made()
    for one in opened:
        one.close()


def test_events_are_passed_on_in_order_and_remembered(made):
    stream, taker = Stream(1, 2, 3, 4), Taker()
    tail = made.tail(stream, taker)
    assert [tail.step() for _ in range(3)] == [True, True, False]
    assert [numbers for _, numbers in taker.taken] == [[1, 2, 3], [4]]
    assert made.now == 1.0, "it looks again a second later"
    made.checkpoint.close()
    stream.numbers, stream.last = [1, 2, 3, 4, 5], 5
    again = Taker()
    made.tail(stream, again).step()
    assert [numbers for _, numbers in again.taken] == [[5]]


def test_a_batch_that_was_begun_is_offered_again_as_it_was_and_under_its_name(made):
    stream, dead = Stream(1, 2), Taker(lambda: made.now > 5)
    tail = made.tail(stream, dead)
    tail._sleep = lambda _: 1 / 0
    with pytest.raises(ZeroDivisionError):  # killed while it waits
        tail.step()
    made.checkpoint.close()
    stream.numbers, stream.last = [1, 2, 3, 4], 4
    alive = Taker()
    tail = made.tail(stream, alive)
    tail.step(), tail.step()
    assert [numbers for _, numbers in alive.taken] == [[1, 2], [3, 4]]
    names = [name for name, _ in alive.taken]
    assert names[0].endswith("_1_2")
    assert len(set(names)) == 2


def test_an_endpoint_that_is_dead_for_a_day(made):
    stream, taker = Stream(1, 2, 3), Taker(lambda: made.now >= 86400)
    tail = made.tail(stream, taker)
    tail.step()
    assert taker.taken[0][1] == [1, 2, 3]
    assert 86400 <= made.now < 86400 + 300
    assert taker.offered < 500, "it is asked more and more rarely"
    assert len(made.told) == 2, "it is told where it begins and where it ends"
    assert "answered 503; trying again" in made.told[0]


def test_what_the_receiver_asks_to_wait_is_waited(made):
    taker = Taker(lambda: made.now >= 50, asks=50.0)
    made.tail(Stream(1), taker).step()
    assert (taker.offered, made.now) == (2, 50.0)


def test_a_spool_that_is_away_is_waited_for(made):
    stream, taker = Stream(1), Taker()
    stream.broken = 3
    made.tail(stream, taker).step()
    assert [numbers for _, numbers in taker.taken] == [[1]]
    assert made.told[0].startswith("the database is away")


def test_events_that_were_dropped_are_told_and_numbers_that_were_not_used_are_none(made):
    taker = Taker()
    stream = Stream(1, 2)
    made.tail(stream, taker).step()
    made.checkpoint.close()
    stream.numbers, stream.last = [7, 9], 9
    made.tail(stream, taker).step()
    assert made.told == ["events 3 to 6 are gone: they were older than `events.keep` or more than `events.most`"]
    assert taker.taken[-1][1] == [7, 9]


def test_a_begun_batch_that_is_gone_is_passed_over(made):
    stream = Stream(1, 2, 9)
    tail = made.tail(stream, Taker())
    made.checkpoint.begin(2)
    stream.numbers = [9]
    assert tail.step()
    assert (made.checkpoint.seq, made.checkpoint.upto) == (2, 2)


def test_a_checkpoint_of_another_spool_is_refused(made):
    tail = made.tail(Stream(1, 2), Taker())
    made.checkpoint.begin(5)
    with pytest.raises(BulkmailError, match=r"is at event 5, and the spool has given no number beyond 2"):
        tail.step()


@pytest.fixture
def noted(place):
    """A spool with a campaign of two rows, started."""
    store, journal, lock, _ = open_all(str(place / "spool"), "boot", RetryPlan(), 1.0, events=EventBounds(1e6, 1000))
    content = {"from": "Shop <news@example.com>"}
    store.create_campaign(
        "spring", "/c", key=b"k" * 32, content=content, digests={}, files=[("r.csv", ["email"])], now=1.0
    )
    rows = [(1, 0, 1, "u1@a.example", "a.example", '["u1@a.example"]', "ok", "")]
    store.add_rows(1, [*rows, (2, 0, 2, "x", "", '["x"]', "invalid", "it has no @")], {}, True, 1000.0)
    store.set_state(1, "running", 1001.0)
    store.close(), journal.close(), lock.release()
    return place


def test_the_command_prints_what_is_new(noted, capsysbinary):
    for expected in (["invalid", "campaign_started"], []):
        assert cli.main(["tail", "--from", "point", "--stdout", "--once"]) == 0
        out = capsysbinary.readouterr()
        assert [json.loads(line)["event"] for line in out.out.splitlines()] == expected
    assert b"events are not noted here (events.record" in out.err
    assert cli.main(["tail", "--from", "other", "--file", "events.jsonl", "--once"]) == 0
    first = json.loads((noted / "events.jsonl").read_text().splitlines()[0])
    assert (first["row"], first["email"], first["reply"]) == ("2", "x", "it has no @")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--post", "http://127.0.0.1/"], "there is no secret"),
        (["--post", "http://127.0.0.1/", "--secret", "none"], "--secret: none"),
        (["--post", "gopher://x/", "--secret", "secret"], "must be http:// or https://"),
        (["--exec", "'"], "--exec: No closing quotation"),
        (["--exec", " "], "--exec: there is no program"),
    ],
)
def test_what_cannot_be_done_is_refused(noted, capsys, monkeypatch, words, said):
    monkeypatch.delenv("BULKMAIL_WEBHOOK_SECRET", raising=False)
    (noted / "secret").write_text("whsec_" + "A" * 32)
    assert cli.main(["tail", "--from", "point", *words]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["--stdout", "--post", "x"], ["--stdout", "--batch", "0"]])
def test_wrong_usage(noted, words):
    with pytest.raises(SystemExit) as status:
        cli.main(["tail", "--from", "point", *words])
    assert status.value.code == 2
