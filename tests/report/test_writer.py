from __future__ import annotations

import csv
import json
import os
import shutil
import stat

import pytest

from bulkmail.mail import OwnFault
from bulkmail.report import NOTHING, Facts, ReportFolder, refresh_wait
from tests.places import KINDS, place_at

KEY = bytes(range(32))


@pytest.fixture
def folder(tmp_path, sample):
    return ReportFolder(place_at(tmp_path / "report"), sample.files, KEY, "example.com")


def test_the_whole_report_agrees_with_itself(folder, sample, tmp_path, attempt):
    facts = Facts(**sample.facts)
    stats = folder.refresh(facts, iter(sample.rows))
    figures = folder.live(facts, sync=True)
    folder.add_attempts([attempt(id=1)])
    folder.close()
    report = tmp_path / "report"
    assert sorted(os.listdir(report)) == [
        "attempts.csv",
        "index.html",
        "recipients.csv",
        "summary.json",
        "take-off.csv",
        "try-again.csv",
    ]
    with open(report / "recipients.csv", encoding="utf-8-sig", newline="") as file:
        statuses = [row["status"] for row in csv.DictReader(file)]
    written = json.loads((report / "summary.json").read_text())
    assert written == figures
    assert written["by_status"] == stats.by_status
    assert {status: statuses.count(status) for status in set(statuses)} == {
        status: n for status, n in written["by_status"].items() if n
    }
    assert written["by_category"] == stats.by_category
    assert written["by_domain"] == stats.domains.top(50)
    assert f"{stats.by_status['delivered']:,}" in (report / "index.html").read_text()


def test_figures_at_hand_go_before_those_of_the_last_refresh(folder, sample):
    folder.refresh(Facts(**sample.facts), sample.rows)
    assert folder.live(Facts(**sample.facts, by_category={"quota": 1}))["by_category"] == {"quota": 1}


def test_before_any_refresh_the_summary_is_there(folder, facts):
    assert folder.live(facts(input_rows=3))["by_status"]["pending"] == 3


def test_a_rehearsal_leaves_a_note_in_its_folder(folder, sample, tmp_path):
    folder.refresh(Facts(**sample.facts | {"rehearsal": True}), sample.rows)
    assert "Nothing in this folder was sent" in (tmp_path / "report" / "REHEARSAL.txt").read_text()


def test_a_report_that_was_taken_away_comes_back(folder, sample, tmp_path):
    facts = Facts(**sample.facts)
    for _ in range(2):
        folder.refresh(facts, sample.rows)
        assert {"index.html", "recipients.csv", "try-again.csv"} <= set(os.listdir(tmp_path / "report"))
        shutil.rmtree(tmp_path / "report")


def test_attempts_go_on_where_they_were(folder, sample, tmp_path, attempt):
    known = folder.add_attempts([attempt(id=1), attempt(id=2)])
    assert folder.position == known
    folder.close()
    assert folder.position == known
    again = ReportFolder(place_at(tmp_path / "report"), sample.files, KEY, "example.com", known)
    assert again.position == known
    assert again.add_attempts([attempt(id=3)])[1] == 3
    again.close()
    assert (tmp_path / "report" / "attempts.csv").read_bytes().count(b"\r\n") == 4


def test_attempts_that_are_not_there_are_asked_for_again(folder, sample, tmp_path, attempt):
    known = folder.add_attempts([attempt(id=1), attempt(id=2)])
    folder.close()
    os.unlink(tmp_path / "report" / "attempts.csv")
    again = ReportFolder(place_at(tmp_path / "report"), sample.files, KEY, "example.com", known)
    assert again.add_attempts([attempt(id=3)]) == NOTHING
    assert again.add_attempts([attempt(id=1), attempt(id=2), attempt(id=3)])[1] == 3
    again.close()


@pytest.mark.parametrize("took", [0.0, 0.1, 1.0, 1.5])
def test_up_to_ten_thousand_rows_the_report_is_never_older_than_five_seconds(took):
    # the oldest moment: just before the next one is renamed, what happened just after this one began is missing
    assert took + refresh_wait(10_000, took) + took <= 5.0
    assert refresh_wait(10_000, took) > 0


def test_larger_ones_wait_twenty_times_what_the_last_one_took():
    assert refresh_wait(1_000_000, 6.0) == 120.0
    assert refresh_wait(20_000, 0.1) == 2.0


def test_there_is_always_a_wait():
    assert refresh_wait(100, 60.0) > 0
    assert refresh_wait(1_000_000, 0.0) > 0


def test_closing_what_was_never_written_to_makes_nothing(folder, tmp_path):
    folder.close()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["recipients.csv", "index.html", "summary.json", "attempts.csv"])
def test_whatever_lies_under_a_name_of_ours_is_replaced_or_told_and_never_waited_for(
    folder, sample, tmp_path, attempt, name, kind
):
    (tmp_path / "report").mkdir()
    KINDS[kind](tmp_path / "report" / name)
    KINDS[kind](tmp_path / "report" / f".{name}.part")
    writes = [
        lambda: folder.refresh(Facts(**sample.facts), sample.rows[:3]),
        lambda: folder.live(Facts(**sample.facts)),
        lambda: folder.add_attempts([attempt(id=1)]),
    ]
    faults = []
    for write in writes:
        try:
            write()
        except OwnFault as fault:
            faults.append(str(fault))
    folder.close()
    if name == "attempts.csv" or kind == "a folder":
        assert [f"report/{name}: the report cannot be written" in fault for fault in faults] == [True]
    else:
        assert faults == []
        assert stat.S_ISREG((tmp_path / "report" / name).lstat().st_mode)
