from __future__ import annotations

import marshal
import os

import pytest

from bulkmail import campaign
from bulkmail.campaign.ingest import Ingest


@pytest.fixture
def worker():
    worker = Ingest()

    def ask(*job):
        answer = worker.handle(marshal.loads(marshal.dumps(job)))
        assert marshal.loads(marshal.dumps(answer)) == answer
        return answer

    yield ask
    worker.handle(("close",))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "recipients.csv"
    path.write_text("email,name,unsubscribed\nann@x.de,Ann,\nbob,Bob,1\nANN@x.de,Ann,\nBo@x.de,Bo,yes\n")
    return str(path)


def test_a_list_from_open_to_close_in_plain_data(worker, path, tmp_path):
    verb, columns, notices, sizes = worker(
        "open", {"files": [path], "encoding": None, "suppress": [], "skip": 0, "resume": None, "scratch": str(tmp_path)}
    )
    assert (verb, columns, sizes) == ("opened", [["email", "name", "unsubscribed"]], [os.path.getsize(path)])
    assert notices == []
    verb, rows, state, done = worker("next", 2)
    assert (verb, [row[6] for row in rows], done) == ("rows", ["ok", "invalid"], False)
    verb, rows, state, done = worker("next", 2)
    assert ([row[6] for row in rows], done) == (["held", "no-consent"], False)
    assert rows[1][7] == "the column `unsubscribed` says `yes`"
    verb, rows, state, done = worker("next", 2)
    assert (rows, done) == ([], True)
    ((file, line, column, words),) = state["told"]
    assert (file, line, column) == (path, 1, 12)
    assert words.startswith("2 of 4 rows say in column `unsubscribed` that they may not be mailed (`1`, `yes`)")
    assert worker("next", 2) == ("rows", [], state, True)
    assert worker("settle", 5)[:3] == ("settled", [(3, True, "the same address as row 1")], True)
    assert worker("settle", 5)[:3] == ("settled", [], True)
    assert worker("close") == ("closed",)
    assert sorted(os.listdir(tmp_path)) == ["recipients.csv"]


def test_a_refusal_is_an_answer_and_closes(worker, tmp_path):
    verb, problems = worker("open", {"files": [str(tmp_path / "none.csv")]})
    assert verb == "refused"
    assert problems[0][:3] == (str(tmp_path / "none.csv"), 0, 0)
    with pytest.raises(LookupError):
        worker("next", 1)


def test_a_change_while_reading_is_a_refusal(worker, path):
    worker("open", {"files": [path]})
    os.truncate(path, 10)
    assert worker("next", 10)[0] == "refused"


def test_no_scratch_file_is_our_own_fault(worker, path, tmp_path):
    verb, text = worker("open", {"files": [path], "scratch": str(tmp_path / "none")})
    assert verb == "own-fault"
    assert "scratch file" in text


def test_opening_again_begins_anew(worker, path):
    worker("open", {"files": [path]})
    first = worker("next", 10)
    worker("open", {"files": [path]})
    assert worker("next", 10) == first


def test_jobs_out_of_turn_are_mistakes_of_the_caller(worker, path):
    for job in (("next", 1), ("settle", 1), ("dance",)):
        with pytest.raises(LookupError):
            worker(*job)
    worker("open", {"files": [path]})
    with pytest.raises(LookupError, match="not all rows"):
        worker("settle", 1)


def test_everything_else_of_the_room_is_there_when_it_is_asked_for():
    assert {getattr(campaign, name) for name in campaign.__all__ if name != "ONE_FOR_ALL"}
    assert campaign.load_campaign.__module__ == "bulkmail.campaign.load"
    with pytest.raises(AttributeError, match="has no attribute 'Recipients'"):
        campaign.Recipients  # noqa: B018


def test_a_finished_campaigns_lists_are_compared(worker, path):
    worker("open", {"files": [path]})
    _, _, state, _ = worker("next", 9)
    _, _, state, _ = worker("next", 9) if not state["done"] else (0, 0, state, 0)
    worker("close")
    assert worker("changed", [path], state) == ("changed", [])
    with open(path, "a") as file:
        file.write("eve@x.de,Eve,ok\n")
    assert worker("changed", [path], state) == ("changed", ["recipients.csv"])
    os.unlink(path)
    assert worker("changed", [path], state)[0] == "refused"
