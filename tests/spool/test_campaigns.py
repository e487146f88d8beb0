from __future__ import annotations

import pytest

from bulkmail.mail import new_key, read_token, token
from bulkmail.spool import Audience, SqliteStore


def test_a_campaign_is_its_name(store, kit):
    identity = kit.campaign(store, "spring", running=False)
    found = store.campaign("spring")
    assert (found.id, found.name, found.folder, found.state) == (identity, "spring", "/campaigns/spring", "ready")
    assert (found.key, found.digests, found.on_unknown) == (b"k" * 32, {"html": "abc"}, "retry")
    assert (found.created_at, found.started_at, found.ended_at, found.exit_status) == (1000.0, None, None, None)
    assert (found.import_done, found.input_rows, found.possibly_doubled, found.report_position) == (False, 0, 0, None)
    assert store.content(identity) == {"name": "spring"}
    assert store.import_state(identity) is None
    assert store.campaign("autumn") is None
    with pytest.raises(Exception, match=r"(?i)unique"):
        kit.campaign(store, "spring")
    kit.campaign(store, "autumn")
    assert [row.name for row in store.campaigns()] == ["spring", "autumn"]


def test_a_token_finds_its_campaign_and_row(store, kit):
    assert read_token(store.token_key(), "a" * 26) is None
    first, second = (
        store.create_campaign(name, "/c", content={"name": name}, digests={}, files=[], now=1.0)
        for name in ("spring", "autumn")
    )
    assert store.content(second.id)["key"] == second.key
    assert read_token(store.token_key(), token(first.key, 12)) == (first.id, 12)
    assert read_token(store.token_key(), token(second.key, 12).upper()) == (second.id, 12)
    assert read_token(store.token_key(), token(new_key(), 12)) is None
    while not store.remove_campaign(first.id):
        pass
    assert read_token(store.token_key(), token(first.key, 12)) == (first.id, 12)


def test_the_content_of_an_unknown_campaign_is_a_lookup_error(store):
    with pytest.raises(LookupError):
        store.content(9)


def test_the_times_follow_the_state(store, kit):
    identity = kit.campaign(store, running=False)
    times = []
    for state, now in (("running", 1.0), ("paused", 2.0), ("running", 3.0), ("finished", 4.0)):
        store.set_state(identity, state, now, exit_status=0 if state == "finished" else None)
        found = store.campaign("spring")
        times.append((found.state, found.started_at, found.ended_at, found.exit_status))
    assert times == [
        ("running", 1.0, None, None),
        ("paused", 1.0, None, None),
        ("running", 1.0, None, None),
        ("finished", 1.0, 4.0, 0),
    ]


def test_changed_content_is_taken_and_rows_stay(store, kit):
    identity = kit.campaign(store, rows=[kit.row(1)])
    store.update_content(
        identity, {"new": 1}, {"html": "def"}, [("a.csv", ["email"]), ("b.csv", [])], on_unknown="keep"
    )
    found = store.campaign("spring")
    assert (found.digests, found.on_unknown, found.input_rows, found.key) == ({"html": "def"}, "keep", 1, b"k" * 32)
    assert store.content(identity) == {"new": 1}
    assert store.campaign("spring").audience == Audience("spring", "spring", "marketing")
    store.update_content(identity, {"new": 2}, {}, [], audience=Audience("readers", "spring", "transactional"))
    assert store.campaign("spring").audience == Audience("readers", "spring", "transactional")
    store.update_content(identity, {"new": 1}, {}, [("a.csv", ["email"]), ("b.csv", [])])
    assert store.campaign("spring").audience == Audience("readers", "spring", "transactional")
    assert store.database.execute("input_files", (identity,)).fetchall() == [
        (0, "a.csv", '["email"]'),
        (1, "b.csv", "[]"),
    ]


def test_the_reports_position_is_kept(store, kit):
    identity = kit.campaign(store)
    store.save_report_position(identity, {"attempts": [12, 3456]})
    assert store.campaign("spring").report_position == {"attempts": [12, 3456]}


def test_running_campaigns_are_still_running_after_a_restart(tmp_path, kit):
    path = str(tmp_path / "spool.sqlite3")
    store = SqliteStore(path)
    kit.campaign(store, "a", rows=[kit.row(1)])
    kit.campaign(store, "b", rows=[kit.row(1)], running=False)
    store.close()
    store = SqliteStore(path)
    assert [row[1] for row in store.backlog(0, 10)] == [store.campaign("a").id]
    store.close()


def test_attempts_after_one_are_counted(store, kit):
    campaign = kit.campaign(store, rows=[kit.row(n) for n in range(1, 6)])
    other = kit.campaign(store, name="other", rows=[kit.row(1)])
    [(queue, _, _), *_] = store.backlog(0, 10)
    rows = store.claim([(queue, 5)], 5.0)[queue]
    store.settle([kit.outcome(row) for row in rows])
    ids = [row[0] for row in store.database._connection.execute("SELECT id FROM attempt ORDER BY id").fetchall()]
    assert store.attempts_after(campaign, 0) == len(rows) == 5
    assert store.attempts_after(campaign, ids[1]) == 3
    assert store.attempts_after(other, 0) == 0


DKIM = [{"domain": "a.test", "selector": "s1", "pem": b"PRIVATE"}]


def test_only_a_shared_spool_has_private_keys_and_only_while_they_are_needed(store, kit):
    shared = not isinstance(store, SqliteStore)
    identity = kit.campaign(store, rows=[kit.row(1)])
    store.update_content(identity, {"name": "spring", "dkim": DKIM}, {}, [("a.csv", ["email"])])
    assert ("pem" in store.content(identity)["dkim"][0]) is shared
    store.set_state(identity, "stopped", 2.0)
    assert ("pem" in store.content(identity)["dkim"][0]) is shared
    store.set_state(identity, "finished", 3.0, exit_status=0)
    ((domain, selector, *rest),) = ([*entry.values()] for entry in store.content(identity)["dkim"])
    assert (domain, selector, len(rest[0])) == ("a.test", "s1", 64)
    (stored,) = store.database.execute("snapshot", (identity,)).fetchone()
    assert b"UFJJVkFURQ" not in bytes(stored), "nor in base64"


def test_attempts_since_a_time_are_counted(store, kit):
    campaign = kit.campaign(store, rows=[kit.row(n) for n in range(1, 301)])
    kit.campaign(store, "other", rows=[kit.row(1)])
    [(queue, _, _), (other, _, _)] = store.backlog(0, 10)
    day = 86400.0
    claimed = store.claim([(queue, 300), (other, 1)], 5.0)
    for n, row in enumerate(claimed[queue]):
        # one an hour, now and then half an hour out of order
        store.settle([kit.outcome(row, at=10 * day + n * 3600.0 - (2400.0 if n % 7 == 0 else 0.0))])
    store.settle([kit.outcome(row, at=30 * day) for row in claimed[other]])
    for at in (0.0, 10 * day, 15 * day, 22 * day - 1800.0, 22 * day, 22.4 * day, 30 * day):
        times = [10 * day + n * 3600.0 - (2400.0 if n % 7 == 0 else 0.0) for n in range(300)]
        assert store.attempts_since(campaign, at) == len([one for one in times if one >= at])
    assert store.attempts_since(99, 0.0) == 0


def test_the_last_outcomes_are_what_receivers_have_said_for_good(store, kit):
    campaign = kit.campaign(store, rows=[kit.row(n) for n in range(1, 8)])
    other = kit.campaign(store, "other", rows=[kit.row(1)])
    claimed = {
        row.id: row for rows in store.claim([(q, 9) for q, _, _ in store.backlog(0, 10)], 5.0).values() for row in rows
    }
    rows = [row for row in claimed.values() if row.id >> 40 == campaign]
    store.settle([kit.outcome(row, "delivered", at=10.0 + n) for n, row in enumerate(rows[:3])])
    store.settle([kit.outcome(rows[3], "bounced", at=20.0)])
    store.settle([kit.outcome(rows[4], "deferred", at=21.0)])
    found = store.last_outcomes(campaign, 100)
    assert [(status, at) for _, status, _, at in found] == [
        ("delivered", 10.0), ("delivered", 11.0), ("delivered", 12.0), ("bounced", 20.0)
    ]  # fmt: skip
    assert [status for _, status, _, _ in store.last_outcomes(campaign, 3)] == ["delivered", "bounced"]
    assert store.last_outcomes(other, 100) == []
