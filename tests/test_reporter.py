from __future__ import annotations

import csv
import io
import json
import marshal
from types import SimpleNamespace

import pytest

from bulkmail.reporter import ReportWorker
from bulkmail.spool import Attempt, Journalled, Settlement, SqliteStore
from tests.retrying import RetryPlan


@pytest.fixture
def worker(tmp_path):
    """A report process, a spool with three rows of which two are settled, and its folder."""
    store = SqliteStore(str(tmp_path / "spool.sqlite3"))
    store.recover(Journalled(found=True), "boot", RetryPlan(), 1000.0)
    files = [("r.csv", ["email"])]
    made = store.create_campaign("spring", "/c", key=b"k" * 32, content={}, digests={}, files=files, now=1000.0)
    rows = [(n, 0, n, f"u{n}@a.example", "a.example", json.dumps([f"u{n}@a.example"]), "ok", "") for n in (1, 2, 3)]
    store.add_rows(made.id, rows, {}, True, 1000.0)
    store.set_state(made.id, "running", 1000.0)
    claimed = store.claim([(1, 2)], 1001.0)[1]
    attempt = Attempt(1002.0, 1, "delivered", "", 250, "2.0.0", "2.0.0 Ok", "dot", "mx.a.example", "192.0.2.1")
    store.settle(
        [
            Settlement(claimed[0].id, 1, "delivered", "", "", attempt, completed_at=1002.0, bytes=10),
            Settlement(claimed[1].id, 1, "invalid", "template", completed_at=1002.0, note="no such variable"),
        ]
    )
    one = ReportWorker()
    place = tmp_path / "report"
    one.handle(
        (
            "open",
            made.id,
            str(tmp_path),
            (str(tmp_path), "report", None),
            files,
            b"k" * 32,
            "me.example",
            False,
            ("Hi {{ email }}", {}),
            (0, 0),
        )
    )
    yield SimpleNamespace(worker=one, place=place, campaign=made.id, store=store)
    store.close()


def facts(**changed):
    by_status = {"delivered": 1, "invalid": 1, "pending": 1}
    return {
        "campaign": "spring",
        "state": "running",
        "now": 1003.0,
        "input_rows": 3,
        "input_complete": True,
        "by_status": by_status,
        "by_category": {},
        "by_provider": {},
        "by_domain": {},
        "rate": 0.0,
        "started_at": 1000.0,
        "ended_at": None,
        "exit_status": None,
        "subject": "hi",
        "sender": "s@me.example",
        "rehearsal": False,
        **changed,
    }


def rows_of(path):
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def test_recipients_csv_has_a_row_for_each_and_our_words_where_nobody_replied(worker):
    counted = worker.worker.handle(("refresh", worker.campaign, facts()))
    rows = rows_of(worker.place / "recipients.csv")
    assert [row["status"] for row in rows] == ["delivered", "invalid", "pending"]
    assert [row["reply"] for row in rows] == ["2.0.0 Ok", "no such variable", ""]
    assert rows[0]["attempts"] == "1"
    assert (counted["by_domain"]["a.example"]["delivered"], counted["by_variant"]) == (1, {})
    assert [counted[best][1] for best in ("best_minute", "best_hour")] == [1, 1]
    assert (worker.place / "index.html").exists()


def test_what_is_counted_of_the_variants_goes_through_a_pipe(worker):
    told = {"shares": [("a", 500_000, False), ("b", 500_000, False)], "winner": "", "subjects": {}}
    answer = worker.worker.handle(("refresh", worker.campaign, facts(variants=told)))
    assert marshal.loads(marshal.dumps(answer)) == answer
    rows = rows_of(worker.place / "recipients.csv")
    assert [name for name, counts in answer["by_variant"].items() if counts.get("delivered")] == [rows[0]["variant"]]
    assert rows[1]["variant"] == "", "it is invalid"


def test_attempts_csv_is_appended_and_its_position_told(worker):
    position = worker.worker.handle(("attempts", worker.campaign))
    assert [row["result"] for row in rows_of(worker.place / "attempts.csv")] == ["delivered"]
    assert position[0] == (worker.place / "attempts.csv").stat().st_size
    assert worker.worker.handle(("attempts", worker.campaign)) == position
    assert len(rows_of(worker.place / "attempts.csv")) == 1


def test_the_page_shows_the_subject_that_a_recipient_got(worker):
    worker.worker.handle(("refresh", worker.campaign, facts()))
    assert "Hi u1@a.example" in (worker.place / "index.html").read_text()


def test_the_page_draws_the_attempts_over_time_up_to_the_newest(worker):
    worker.worker.handle(("refresh", worker.campaign, facts()))
    page = worker.place / "index.html"
    assert "00:16:42: 1 delivered</title>" in page.read_text()
    [row] = worker.store.claim([(1, 1)], 1003.0)[1]
    attempt = Attempt(1004.0, 1, "deferred", "", 450, "", "later", "dot", next_attempt_at=2000.0)
    worker.store.settle([Settlement(row.id, 1, "deferred", "", "", attempt, next_at=2000.0)])
    worker.worker.handle(("refresh", worker.campaign, facts()))
    assert "00:16:42: 1 delivered</title>" in page.read_text()
    assert "00:16:44: 1 deferred</title>" in page.read_text()


def test_summary_json(worker):
    worker.worker.handle(("live", worker.campaign, facts(), True))
    summary = json.loads((worker.place / "summary.json").read_text())
    assert (summary["campaign"], summary["input_rows"], summary["possibly_doubled"]) == ("spring", 3, 0)


def test_closed_it_knows_the_campaign_no_more(worker):
    worker.worker.handle(("attempts", worker.campaign))
    worker.worker.handle(("close", worker.campaign))
    with pytest.raises(KeyError):
        worker.worker.handle(("attempts", worker.campaign))


def test_a_job_it_does_not_know(worker):
    with pytest.raises(LookupError, match="no such job: sing"):
        worker.worker.handle(("sing",))
