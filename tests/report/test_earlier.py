from __future__ import annotations

import json

import pytest

from bulkmail.report import earlier
from bulkmail.report.attempts import AttemptsFile
from bulkmail.report.earlier import (
    ReportedVariants,
    attempts_beyond,
    has_attempts,
    reported_best,
    reported_campaign,
    reported_variants,
)
from tests.places import KINDS, file_at, place_at

FILES = [("recipients.csv", ["email"])]


@pytest.fixture
def grown(tmp_path, attempt):
    """A file of seven attempts, and the position after the third."""
    rows = [attempt(id=n, n=n) for n in range(1, 8)]
    file = AttemptsFile(file_at(tmp_path / "attempts.csv"), FILES)
    position = file.append(rows[:3])
    file.append(rows)
    file.close()
    return position


@pytest.mark.parametrize("block", [1, 2, 7, 1 << 20])
def test_what_is_behind_a_position_is_counted(tmp_path, grown, monkeypatch, block):
    monkeypatch.setattr(earlier, "_BLOCK", block)
    assert attempts_beyond(place_at(tmp_path), grown) == 4
    assert attempts_beyond(place_at(tmp_path), (0, 0)) == 7


def test_a_torn_last_line_is_no_attempt(tmp_path, grown):
    path = tmp_path / "attempts.csv"
    path.write_bytes(path.read_bytes()[:-1])
    assert attempts_beyond(place_at(tmp_path), grown) == 3


def test_another_file_tells_nothing(tmp_path):
    assert attempts_beyond(place_at(tmp_path), (0, 0)) == 0
    (tmp_path / "attempts.csv").write_text("a,b\r\n1,2\r\n")
    assert attempts_beyond(place_at(tmp_path), (0, 0)) == 0


@pytest.mark.parametrize(
    ("text", "name"),
    [(json.dumps({"campaign": "spring"}), "spring"), ("{}", ""), ("[]", ""), ("{", ""), ("\udcff", ""), (None, "")],
)
def test_whose_report_it_is(tmp_path, text, name):
    if text is not None:
        (tmp_path / "summary.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert reported_campaign(place_at(tmp_path)) == name


def test_whether_there_are_attempts_at_all(tmp_path, grown):
    assert has_attempts(place_at(tmp_path))
    (tmp_path / "attempts.csv").write_bytes((tmp_path / "attempts.csv").read_bytes().partition(b"\n")[0] + b"\n")
    assert not has_attempts(place_at(tmp_path))
    (tmp_path / "attempts.csv").write_text("something else")
    assert not has_attempts(place_at(tmp_path))


def test_only_the_beginning_of_a_summary_is_ever_read(tmp_path):
    path = tmp_path / "summary.json"
    path.write_text(json.dumps({"campaign": "spring", "note": "x" * 70_000}))
    assert reported_campaign(place_at(tmp_path)) == ""
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert reported_campaign(place_at(tmp_path)) == ""
    path.write_text("[" * 60_000)
    assert reported_campaign(place_at(tmp_path)) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_lies_under_our_names_is_neither_waited_for_nor_believed(tmp_path, kind):
    (tmp_path / "report").mkdir()
    for name in ("summary.json", "attempts.csv"):
        KINDS[kind](tmp_path / "report" / name)
    place = place_at(tmp_path / "report")
    assert (reported_campaign(place), has_attempts(place), attempts_beyond(place, (0, 0))) == ("", False, 0)


@pytest.mark.parametrize("kind", ["a pipe", "a link away", "a folder", "a socket"])
def test_nor_a_report_that_is_no_folder(tmp_path, kind):
    KINDS[kind](tmp_path / "report")
    place = place_at(tmp_path / "report")
    assert (reported_campaign(place), has_attempts(place), attempts_beyond(place, (0, 0))) == ("", False, 0)


SUMMARY = {
    "campaign": "spring",
    "written_at": "2026-12-02T03:31:00.000Z",
    "by_variant": {"a": {"delivered": 9, "unsubscribed": 1}, "rest": {"pending": 4}},
    "winner": {"variant": "a", "why": "chosen by ann"},
}


def test_the_variants_of_a_report(tmp_path):
    path = tmp_path / "summary.json"
    path.write_text(json.dumps(SUMMARY))
    found = reported_variants(place_at(tmp_path), "spring")
    assert found == ReportedVariants(SUMMARY["by_variant"], "a", "chosen by ann", "2026-12-02T03:31:00.000Z")
    assert reported_variants(place_at(tmp_path), "autumn") == ReportedVariants()
    path.unlink()
    assert reported_variants(place_at(tmp_path), "spring") == ReportedVariants()


@pytest.mark.parametrize(
    ("changed", "counts"),
    [
        ({"by_variant": None, "winner": None}, {}),
        ({"by_variant": ["a"], "winner": "a"}, {}),
        ({"by_variant": {"a": 1, "": {"delivered": 1}}}, {"a": {}}),
        ({"by_variant": {"a": {"delivered": "9", "bounced": -1, "blocked": 1 << 63, "x": 2}}}, {"a": {"x": 2}}),
    ],
)
def test_a_report_that_others_have_written_says_no_more_than_it_can(tmp_path, changed, counts):
    (tmp_path / "summary.json").write_text(json.dumps({**SUMMARY, **changed}))
    assert reported_variants(place_at(tmp_path), "spring").counts == counts


@pytest.mark.parametrize(
    ("told", "minute"),
    [
        ({"best_minute": {"at": "2026-12-02T03:31:00.000Z", "accepted": 9}}, 9),
        ({"best_minute": {"at": "2026-12-02T03:31:00.000Z", "accepted": "9"}}, None),
        ({"best_minute": {"at": 1, "accepted": 9}}, None),
        ({"best_minute": [9]}, None),
        ({"best_minute": {"at": "2026-12-02T03:31:00.000Z", "accepted": 9}, "campaign": "autumn"}, None),
        ({}, None),
    ],
)
def test_the_best_minute_of_a_report(tmp_path, told, minute):
    (tmp_path / "summary.json").write_text(json.dumps({"campaign": "spring", **told}))
    found = reported_best(place_at(tmp_path), "spring")
    assert (found["minute"] and found["minute"]["accepted"], found["hour"]) == (minute, None)
