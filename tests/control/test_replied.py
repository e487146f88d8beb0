from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from bulkmail.control.campaign_models import RepliedAnswer
from bulkmail.control.recent import ATTEMPTS, recent
from bulkmail.control.replied import replied
from bulkmail.spool import Attempt, Settlement, SqliteStore

WORDS = "4.7.1 try again later, id q"


@pytest.fixture
def told(waiting, tmp_path):
    """Asks of a campaign at google: rows 1 to 5 were put off in one wording, row 6 in another, row 7 got it."""
    store = SqliteStore(str(tmp_path / "spool.sqlite3"))
    store.set_state(1, "running", 1000.0)
    queue = store.backlog(0, 1)[0][0]
    for claimed in store.claim([(queue, 7)], 5.0)[queue]:
        n = claimed.number
        said, category = {6: ("4.4.2 bye", "greylisted"), 7: ("2.0.0 OK", "")}.get(n, (f"{WORDS}{n}", "greylisted"))
        result = "deferred" if category else "delivered"
        attempt = Attempt(1000.0 + n, 1, result, category, 450, "", said, "rcpt", "mx.a.example")
        ends = {"next_at": 2000.0} if category else {"completed_at": 1000.0 + n}
        store.settle([Settlement(claimed.id, claimed.queue_id, result, category, "google", attempt, **ends)])
    store.close()

    def ask(*asked):
        found = replied(waiting, "spring", *asked)
        TypeAdapter(RepliedAnswer).validate_python(found)
        return found

    ask.reader = waiting
    return ask


def test_those_behind_a_reply_add_up_to_its_count(told):
    for one in recent(told.reader, "spring")["replies"]:
        found = told(one["provider"], one["wording"])
        assert (found["count"], found["reply"], found["category"]) == (one["count"], one["reply"], one["category"])
        assert sum(row["times"] for row in found["rows"]) == one["count"]
        assert found["whole"] is True


def test_the_last_one_stands_first_with_what_was_said_to_it(told):
    first = recent(told.reader, "spring")["replies"][0]
    found = told("google", first["wording"])
    assert [row["row"] for row in found["rows"]] == ["5", "4", "3", "2", "1"]
    top = found["rows"][0]
    assert (top["said"], top["said_code"], top["status"], top["provider"]) == (f"{WORDS}5", 450, "deferred", "google")
    assert top["said_at"] == "1970-01-01T00:16:45.000Z"
    assert top["next_attempt_at"]


def test_a_page_at_a_time(told):
    wording = recent(told.reader, "spring")["replies"][0]["wording"]
    found = [told("google", wording, skip, 2) for skip in (0, 2, 4, 6)]
    assert [[row["row"] for row in one["rows"]] for one in found] == [["5", "4"], ["3", "2"], ["1"], []]
    assert [one["next"] for one in found] == [2, 4, None, None]
    assert {one["recipients"] for one in found} == {5}


def test_one_answer_has_all_that_are_looked_at(told):
    wording = recent(told.reader, "spring")["replies"][0]["wording"]
    found = told("google", wording, 0, ATTEMPTS)
    assert ([row["row"] for row in found["rows"]], found["next"]) == (["5", "4", "3", "2", "1"], None)


def test_other_words_another_provider_and_another_campaign(told):
    wording = recent(told.reader, "spring")["replies"][0]["wording"]
    for asked in (("google", "0" * 16), ("other", wording)):
        found = told(*asked)
        assert (found["rows"], found["reply"], found["next"], found["attempts"]) == ([], "", None, 7)
    assert replied(told.reader, "autumn", "google", wording) is None
