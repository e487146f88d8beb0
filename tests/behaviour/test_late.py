"""What comes back after a campaign has ended: in its report, and in what the next campaign does."""

from __future__ import annotations

from typing import Any

import pytest

from bulkmail.mail import LateEvent, LateResult
from bulkmail.shaping import AutoSuppression
from bulkmail.spool import Arrival, SqliteStore

pytestmark = [pytest.mark.loopback, pytest.mark.slow]

BOUNCED = LateEvent(
    LateResult.RETURNED, 1_800_000_000.0, "bounced", "bad-mailbox", 550, "5.1.1", "no such user", "mx.far.test", key="k"
)


def came_back(world: Any, *events: tuple[str, LateEvent]) -> None:
    """Record events as the service does, with their tokens, while none is running."""
    store = SqliteStore(str(world.folder / "spool" / "spool.sqlite3"))
    recorded = store.record_late([Arrival(token, event, AutoSuppression()) for token, event in events])
    assert all(one.kept for one in recorded)
    store.close()


def test_a_report_is_written_again_by_the_next_start_and_the_next_campaign_leaves_them_out(
    world: Any, until: Any
) -> None:
    first = world.campaign("first", [f"user-{n}@d0.test" for n in range(4)])
    assert world.run("-c", "first").status == 0
    tokens = [row["token"] for row in first.rows()]
    unsubscribed = LateEvent(LateResult.UNSUBSCRIBED, 1_800_000_001.0, reply="one-click")
    complained = LateEvent(LateResult.COMPLAINED, 1_800_000_002.0, key="f")
    came_back(world, (tokens[0], BOUNCED), (tokens[1], unsubscribed), (tokens[2], complained))
    assert first.statuses() == {"delivered": 4}, "the report does not know yet"

    root = world.folder / "campaigns"
    second = world.campaign("second", first.addresses, parent=root)
    service = world.start("--watch", "campaigns")
    until(lambda: first.statuses()["bounced"], "the report of the first campaign to be written again")
    until(lambda: first.summary()["late"]["returned"], "its summary")
    until(lambda: (second.report / "summary.json").exists() and second.summary()["state"] == "finished", "the second")
    service.process.terminate()
    service.wait()

    first.check_report()
    rows = first.rows()
    assert [row["status"] for row in rows] == ["bounced", "delivered", "delivered", "delivered"]
    told = [rows[0][name] for name in ("category", "smtp_code", "reply", "stage", "mx_host", "attempts", "late_at")]
    words = ["bad-mailbox", "550", "no such user", "dsn", "mx.far.test", "1", "2027-01-15T08:00:00.000Z"]
    assert told == words
    assert [bool(row["unsubscribed_at"]) for row in rows] == [False, True, False, False]
    assert [bool(row["complained_at"]) for row in rows] == [False, False, True, False]
    assert first.summary()["late"] == {"returned": 1, "unsubscribed": 1, "complained": 1}
    assert [(one["row"], one["result"], one["stage"]) for one in first.attempts()[4:]] == [
        ("1", "returned", "dsn"),
        ("2", "unsubscribed", ""),
        ("3", "complained", ""),
    ]
    page = (first.report / "index.html").read_text()
    assert "After the messages were taken, 1 came back later, 1 complained, 1 unsubscribed." in page
    assert {row["email"] for row in first._read("take-off.csv")} == set(first.addresses[:3])

    # of another list, so the unsubscribe does not count for it
    assert [(row["status"], row["category"]) for row in second.rows()] == [
        ("suppressed", "bounced-before"),
        ("delivered", ""),
        ("suppressed", "complained"),
        ("delivered", ""),
    ]
    assert "1 came back later, 1 complained, 1 unsubscribed" in world.bulkmail("status", "first").said
    assert "bounced (bad-mailbox), attempts 1" in world.bulkmail("find", "user-0@d0.test").said
