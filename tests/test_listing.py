from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import sqlite3

import pytest

from bulkmail.campaign import EarlierList
from bulkmail.listing import Ingest, make_list
from bulkmail.mail import BulkmailError
from bulkmail.spool import Attempt, Journalled, Settlement, SqliteStore
from tests.retrying import RetryPlan

COLUMNS = ["first_name", "email", "status"]
OUTCOMES = {
    1: ("delivered", ""),
    2: ("bounced", "bad-mailbox"),
    3: ("blocked", "quota"),
    4: ("expired", "connection"),
    5: ("unknown", "no-answer"),
    6: ("invalid", "template"),
}


@pytest.fixture
def ingest():
    """``ingest()``: a worker, closed at the end."""
    with contextlib.ExitStack() as ending:

        def start():
            worker = Ingest()
            ending.callback(worker.handle, ("close",))
            return worker

        yield start


@pytest.fixture
def spool(tmp_path):
    """A finished campaign with a row of each kind, and one that is running with a row of two delivered."""
    store = SqliteStore(str(tmp_path / "spool.sqlite3"))
    store.recover(Journalled(found=True), "boot", RetryPlan(), 1000.0)
    for number, (name, count) in enumerate((("spring", 7), ("summer", 2)), 1):
        made = store.create_campaign(
            name, "/c", key=b"k" * 32, content={}, digests={}, files=[("r.csv", COLUMNS)], now=1.0
        )
        rows = [
            (n, 0, n, f"u{n}@a.example", "a.example", json.dumps([f"=Zoë, {n}", f"u{n}@a.example", "vip"]), "ok", "")
            for n in range(1, count + 1)
        ]
        store.add_rows(made.id, rows, {}, True, 1000.0)
        store.set_state(made.id, "running", 1000.0)
        claimed = store.claim([(number, 6 if name == "spring" else 1)], 1001.0)[number]
        store.settle(
            [
                Settlement(
                    row.id, number, *OUTCOMES[n], attempt=Attempt(1002.0, 1, "failed"), completed_at=1002.0
                )
                for n, row in enumerate(claimed, 1)
            ]
        )  # fmt: skip
    while store.cancel_rows(1, 100, 1003.0):
        pass
    store.set_state(1, "finished", 1003.0)
    store.close()
    return str(tmp_path)


def rows_of(path):
    with os.fdopen(path.open(), "rb") as file:
        data = file.read()
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))


def made(spool, word="rest_of", name="spring", statuses=()):
    path = EarlierList.made_of(spool, word, name, statuses)
    make_list(path)
    return rows_of(path)


def test_the_rest_are_those_who_cannot_have_it_and_may_get_it_with_their_own_columns_unchanged(spool):
    assert made(spool) == [
        COLUMNS,
        ["=Zoë, 3", "u3@a.example", "vip"],
        ["=Zoë, 4", "u4@a.example", "vip"],
        ["=Zoë, 6", "u6@a.example", "vip"],
        ["=Zoë, 7", "u7@a.example", "vip"],
    ]


def test_the_statuses_can_be_chosen(spool):
    assert [row[1] for row in made(spool, statuses=("unknown", "expired"))[1:]] == ["u4@a.example", "u5@a.example"]


def test_who_got_it_are_the_delivered_and_the_unknown_and_while_it_is_sent_also_those_who_may_still_get_it(spool):
    assert made(spool, "got") == [["row", "email"], ["1", "u1@a.example"], ["5", "u5@a.example"]]
    assert made(spool, "got", "summer") == [["row", "email"], ["1", "u1@a.example"], ["2", "u2@a.example"]]


def test_what_came_back_later_changes_no_list(spool):
    before = made(spool), made(spool, "got"), made(spool, statuses=("bounced",))
    with contextlib.closing(sqlite3.connect(f"{spool}/spool.sqlite3")) as connection:
        for number, status in ((1, "blocked"), (5, "bounced")):
            identity = 1 << 40 | number
            connection.execute("UPDATE outcome SET status = ? WHERE recipient_id = ?", (status, identity))
            connection.execute("INSERT INTO late VALUES (?, 9.0, NULL, NULL, 1, '')", (identity,))
        connection.commit()
    assert (made(spool), made(spool, "got"), made(spool, statuses=("bounced",))) == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sprng", "the spool has no campaign 'sprng'; did you mean spring?"),
        ("xmas", "the spool has no campaign 'xmas'; it has spring, summer"),
        (
            "summer",
            "the campaign 'summer' is not at its end (running), so some of its rows may still get it; let it end",
        ),
    ],
)
def test_a_campaign_that_cannot_be_taken(spool, name, words):
    with pytest.raises(BulkmailError) as error:
        made(spool, name=name)
    assert str(error.value).startswith(words)


def test_the_worker_reads_such_a_list_and_leaves_out_who_got_it(spool, tmp_path, ingest):
    worker = ingest()
    everybody = tmp_path / "all.csv"
    everybody.write_text("email\nu1@a.example\nu2@a.example\n")
    rest = EarlierList.made_of(spool, "rest_of", "spring").plain
    got = EarlierList.made_of(spool, "got", "spring").plain
    files = [list(rest), str(everybody)]  # marshal makes lists of tuples, or not
    opened = worker.handle(("open", {"files": files, "encoding": "windows-1252", "suppress": [got]}))
    assert opened[:2] == ("opened", [COLUMNS, ["email"]])
    _, rows, _, _ = worker.handle(("next", 100))
    assert [(row[3], row[6], row[7]) for row in rows] == [
        ("u3@a.example", "ok", ""),
        ("u4@a.example", "ok", ""),
        ("u6@a.example", "ok", ""),
        ("u7@a.example", "ok", ""),
        ("u1@a.example", "suppressed", "the address got spring"),
        ("u2@a.example", "ok", ""),
    ]
    assert json.loads(rows[0][5]) == ["=Zoë, 3", "u3@a.example", "vip"]


def test_read_again_it_is_the_same_list(spool, ingest):
    rest = EarlierList.made_of(spool, "rest_of", "spring").plain
    worker = ingest()
    worker.handle(("open", {"files": [rest]}))
    _, rows, state, _ = worker.handle(("next", 100))
    again = ingest()
    assert again.handle(("open", {"files": [rest], "skip": len(rows), "resume": state}))[0] == "opened"
    assert again.handle(("next", 100))[1] == []


def test_a_list_that_cannot_be_made_is_refused(spool):
    gone = EarlierList.made_of(spool, "rest_of", "xmas").plain
    verdict, problems = Ingest().handle(("open", {"files": [gone]}))
    assert (verdict, problems[0][3][:37]) == ("refused", "the spool has no campaign 'xmas'; it ")
    assert Ingest().handle(("changed", [gone], None)) == ("changed", [])
