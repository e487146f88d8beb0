from __future__ import annotations

import json
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.mail import Status
from bulkmail.report import Facts, summary, write_summary
from bulkmail.report.summary import full_counts
from tests.places import file_at

KEYS = [
    "campaign", "state", "situation", "sentence", "paused", "fault", "next_attempt_at", "planned_end_at",
    "expected_end_at", "alive", "written_at", "complete", "report_whole", "input_rows", "input_complete",
    "by_status", "by_category", "by_provider", "by_domain", "by_variant", "winner", "possibly_doubled", "late",
    "clicks",
    "via_relay", "rate", "best_minute", "best_hour",
    "started_at", "ended_at", "exit_status",
]  # fmt: skip


def test_the_keys_are_the_contract(sample):
    assert list(summary(Facts(**sample.facts))) == KEYS


def test_a_rehearsal_says_so(sample):
    assert summary(Facts(**sample.facts | {"rehearsal": True}))["rehearsal"] is True


def test_a_relay_is_named_where_there_is_one(sample):
    assert summary(Facts(**sample.facts))["via_relay"] is None
    assert summary(Facts(**sample.facts | {"via_relay": "smtp.example.com"}))["via_relay"] == "smtp.example.com"


def test_the_figures(sample):
    figures = summary(Facts(**sample.facts, by_category={"": 5, "quota": 2, "policy": 7, "tls": 0}))
    assert figures["complete"] is True
    assert figures["by_category"] == {"policy": 7, "quota": 2}
    assert figures["rate"] == 61.2
    assert figures["started_at"] == "2026-12-01T10:00:00.123Z"
    assert figures["exit_status"] == 0


def test_the_best_minute_and_hour_are_told_with_their_time(sample):
    figures = summary(Facts(**sample.facts))
    assert (figures["best_minute"], figures["best_hour"]) == (None, None)
    figures = summary(Facts(**sample.facts, best_minute=(1796119260.0, 4321), best_hour=(1796119200.0, 99_000)))
    assert figures["best_minute"] == {"at": "2026-12-01T10:01:00.000Z", "accepted": 4321}
    assert figures["best_hour"] == {"at": "2026-12-01T10:00:00.000Z", "accepted": 99_000}


def test_it_is_not_complete_while_rows_wait_or_are_read(facts):
    assert summary(facts(input_rows=1, by_status={"delivered": 1}))["complete"]
    assert not summary(facts(input_rows=2, by_status={"delivered": 1}))["complete"]
    assert not summary(facts(input_rows=1, by_status={"deferred": 1}))["complete"]
    assert not summary(facts(input_rows=1, by_status={"delivered": 1}, input_complete=False))["complete"]


def test_an_empty_list_is_complete_and_nothing_has_started(facts):
    figures = summary(facts())
    assert figures["complete"]
    assert (figures["started_at"], figures["ended_at"], figures["exit_status"]) == (None, None, None)


def test_the_50_largest_domains(facts):
    domains = {f"d{n}.example": {"delivered": n, "bounced": 0} for n in range(1, 100)}
    figures = summary(facts(by_domain=domains))
    assert len(figures["by_domain"]) == 50
    assert next(iter(figures["by_domain"].items())) == ("d99.example", {"delivered": 99})


counts = st.dictionaries(st.sampled_from([str(s) for s in Status if s != Status.PENDING]), st.integers(0, 10**9))


@given(counts, st.integers(0, 10**9))
def test_all_statuses_are_there_and_sum_to_the_rows(facts, by_status, pending):
    rows = sum(by_status.values()) + pending
    found = full_counts(by_status, rows)
    assert list(found) == list(Status)
    assert sum(found.values()) == rows
    assert found["pending"] == pending
    figures = summary(facts(input_rows=rows, by_status=found))
    assert sum(figures["by_status"].values()) == figures["input_rows"]


@pytest.mark.parametrize(
    ("by_status", "rows"), [({"delivered": 3}, 2), ({"delivered": 1, "pending": 0}, 2), ({"done": 1}, 1)]
)
def test_counts_that_cannot_be_true_are_not_written(by_status, rows):
    with pytest.raises(ValueError, match=r"sum to|no such status"):
        full_counts(by_status, rows)


def test_the_file_is_json_for_people_too(tmp_path, facts):
    path = tmp_path / "summary.json"
    figures = write_summary(file_at(path), facts(campaign="Frühling </script>\u2028"))
    assert json.loads(path.read_text(encoding="utf-8")) == figures
    assert "Frühling" in path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
