from __future__ import annotations

import json

import pytest

from bulkmail.control.campaign_models import VariantsAnswer
from bulkmail.control.variants import variants
from bulkmail.mail import REST, ClickCount

AT = "2026-12-02T03:31:00.000Z"


class Reader:
    """What a spool would say of one campaign whose folder is here."""

    def __init__(self, folder, clicks=()):
        self.folder, self.of_links = str(folder), clicks

    def campaign(self, name):
        return type("Row", (), {"id": 7, "folder": self.folder}) if name == "spring" else None

    def clicks(self, _):
        return list(self.of_links)


def click(variant, people):
    return ClickCount(**{**dict.fromkeys(ClickCount._fields, 0), "variant": variant, "people": people})


@pytest.fixture
def reported(tmp_path):
    """Writes the report of the campaign that is in this folder."""

    def write(**changed):
        (tmp_path / "report").mkdir(exist_ok=True)
        told = {"campaign": "spring", "written_at": AT, **changed}
        (tmp_path / "report" / "summary.json").write_text(json.dumps(told))

    return write


def told(reader, name="spring"):
    found = variants(reader, name)
    return found and VariantsAnswer.model_validate(found).model_dump()


def test_each_variant_has_what_the_report_counts_of_it_and_its_clicks(tmp_path, reported):
    counts = {"delivered": 90, "bounced": 10, "unsubscribed": 2, "complained": 1, "of a later version": 3}
    reported(by_variant={"a": counts, REST: {"pending": 5}}, winner={"variant": "a", "why": "chosen by ann"})
    found = told(Reader(tmp_path, [click("a", 20), click("a", 10), click("", 4)]))
    a, rest = found["variants"]
    assert a == {
        "variant": "a",
        "by_status": {"delivered": 90, "bounced": 10},
        "clicked": 30,
        "unsubscribed": 2,
        "complained": 1,
    }
    assert (rest["variant"], rest["by_status"], rest["clicked"]) == (REST, {"pending": 5}, 4)
    assert (found["written_at"], found["winner"]) == (AT, {"variant": "a", "why": "chosen by ann"})


def test_clicks_that_are_not_counted_are_not_none(tmp_path, reported):
    reported(by_variant={"a": {"delivered": 1}, "b": {"delivered": 1}})
    assert [one["clicked"] for one in told(Reader(tmp_path))["variants"]] == [None, None]
    assert [one["clicked"] for one in told(Reader(tmp_path, [click("a", 1)]))["variants"]] == [1, 0]


def test_without_a_report_or_variants_there_are_none(tmp_path, reported):
    nothing = {"campaign": "spring", "written_at": "", "variants": [], "winner": None}
    assert told(Reader(tmp_path)) == nothing
    assert told(Reader(tmp_path / "on another machine")) == nothing
    reported()
    assert told(Reader(tmp_path)) == {**nothing, "written_at": AT}
    assert told(Reader(tmp_path), "autumn") is None
