from __future__ import annotations

from bulkmail.delivery.lifecycle.variants import subject_of, variants_of
from bulkmail.mail import REST


def content(share: int) -> dict[str, object]:
    letters = {"a": {"subject": "A"}, "b": {"subject": "B"}, "c": {"subject": "A"}}
    shares = [("a", share, False), ("b", share, False), ("c", 0, False)]
    return {"subject": "own", "variants": {"shares": shares, "letters": letters, "winner": ""}}


def test_the_report_is_told_of_all_subjects_that_are_sent() -> None:
    assert variants_of(content(400_000))["subjects"] == {"a": "A", "b": "B", "c": "A", REST: "own"}
    assert subject_of(content(400_000)) == "A / B / own"
    assert subject_of(content(500_000)) == "A / B"


def test_a_campaign_without_variants_has_one_subject() -> None:
    assert variants_of({"subject": "own"}) == {}
    assert subject_of({"subject": "own", "variants": None}) == "own"
