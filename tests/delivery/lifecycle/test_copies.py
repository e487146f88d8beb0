"""A campaign beside what the spool has of another one with the same message."""

from __future__ import annotations

import json

import pytest

from bulkmail.campaign import digests
from bulkmail.delivery.lifecycle import copies
from bulkmail.delivery.lifecycle.copies import with_copies
from bulkmail.delivery.lifecycle.preparing import prepare
from bulkmail.settings import Settings
from bulkmail.spool import Attempt, Journalled, Settlement, SqliteStore
from tests.retrying import RetryPlan

DAY = 1_795_132_800.0  # 2026-11-20T00:00:00Z
PEOPLE = [f"u{n}@a.example" for n in range(6)]


class Scene:
    """A spool in which ``spring-sale`` was sent to ``PEOPLE``, of whom the last one bounced."""

    def __init__(self, folder, place):
        self.folder = folder
        self.settings = Settings(spool=str(place))
        place.mkdir(mode=0o700)
        self.path = str(place / "spool.sqlite3")
        self.sent = prepare(folder(PEOPLE, "spring-sale"), self.settings)
        store = self.store()
        self.put(store, "spring-sale", DAY)
        store.close()

    def store(self):
        store = SqliteStore(self.path)
        store.recover(Journalled(found=True), "boot", RetryPlan(), DAY)
        return store

    def put(self, store, name, at):
        made = store.create_campaign(
            name,
            f"/sent/{name}",
            key=b"k" * 32,
            content={},
            digests=digests(self.sent.campaign, self.sent.content),
            files=[("recipients.csv", ["email", "first_name"])],
            now=at,
        )
        rows = [(n, 0, n, one, "a.example", json.dumps([one, ""]), "ok", "") for n, one in enumerate(PEOPLE, 1)]
        store.add_rows(made.id, rows, {}, True, at)
        store.set_state(made.id, "running", at)
        (queue,) = [queue for queue, campaign, _ in store.backlog(0, 10) if campaign == made.id]
        claimed = store.claim([(queue, 10)], at)[queue]
        store.settle(
            Settlement(row.id, queue, status, attempt=Attempt(at, 1, "failed"), completed_at=at)
            for row, status in zip(claimed, [*["delivered"] * 4, "unknown", "bounced"], strict=True)
        )
        store.set_state(made.id, "finished", at, exit_status=0)

    def told(self, addresses=PEOPLE, name="spring-again", **changed):
        prepared = prepare(self.folder(addresses, name, **changed), self.settings)
        before = len(prepared.notices)
        return [str(notice) for notice in with_copies(prepared, self.settings).notices[before:]]


@pytest.fixture
def scene(folder, tmp_path):
    return Scene(folder, tmp_path / "spool")


def test_a_copy_says_how_many_got_the_other_one_and_what_to_do(scene):
    (told,) = scene.told([*PEOPLE, "new@a.example"])
    assert "/spring-again/campaign.yaml:" in told
    assert told.endswith(
        "5 of 7 recipients got spring-sale on 2026-11-20, which has the same subject or template; to leave them out, "
        "write `suppress: {got: spring-sale}`"
    )


def test_addresses_are_compared_and_not_how_they_are_written(scene):
    (told,) = scene.told(["U0@A.example", " u2@a.EXAMPLE", "x@b.example", "u2@a.example"])
    assert "2 of 3 recipients got spring-sale" in told


@pytest.mark.parametrize(
    ("changed", "alike"),
    [
        ({"text": "Another\n", "subject": "Another"}, False),
        ({"text": "Another\n"}, True),
        ({"subject": "Another"}, True),
        ({"more": "suppress: {got: spring-sale}"}, False),
    ],
)
def test_only_the_same_message_is_a_copy_unless_they_are_left_out(scene, changed, alike):
    assert bool(scene.told(**changed)) is alike


def test_where_none_of_the_recipients_got_it_nothing_is_told(scene):
    assert scene.told(["new@a.example", "u5@a.example"]) == []


def test_a_campaign_that_was_begun_is_no_copy(scene):
    assert scene.told(name="spring-sale") == []


def test_of_many_campaigns_the_latest_are_told(scene):
    store = scene.store()
    for n in range(1, 5):
        scene.put(store, f"again-{n}", DAY + 86_400 * n)
    store.close()
    told = scene.told()
    assert [line.partition(" got ")[2].partition(",")[0] for line in told] == [
        "again-4 on 2026-11-24",
        "again-3 on 2026-11-23",
        "again-2 on 2026-11-22",
    ]


def test_of_a_long_list_the_first_rows_are_compared(scene, monkeypatch):
    monkeypatch.setattr(copies, "_COMPARED", 3)
    (told,) = scene.told()
    assert "3 of the first 3 recipients got spring-sale" in told


def test_without_a_spool_there_are_no_other_campaigns(folder, tmp_path):
    prepared = prepare(folder(), Settings())
    assert with_copies(prepared, Settings(spool=str(tmp_path / "none"))) is prepared
