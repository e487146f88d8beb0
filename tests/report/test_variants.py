from __future__ import annotations

import csv

import pytest

from bulkmail.mail import REST, Variants
from bulkmail.report import write_recipients
from bulkmail.report.page import page
from bulkmail.report.variants import variant_of
from tests.places import file_at

TOLD = {
    "shares": [("a", 400_000, False), ("b", 300_000, False), ("none", 200_000, True)],
    "winner": "",
    "subjects": {"a": "Spring is here", "b": "<Last> chance", REST: "Spring"},
}
EMAILS = [f"reader-{number}@example.org" for number in range(40)]


@pytest.fixture
def rows(recipient):
    variants = Variants(TOLD["shares"])
    held = {"status": "suppressed", "category": "hold-out"}
    found = []
    for n, email in enumerate(EMAILS, 1):
        changed = held if variants.of(email) == "none" else {"unsubscribed_at": 5.0} if n == 1 else {}
        found.append(recipient(n=n, email=email, **changed))
    return [*found, recipient(n=41, email=EMAILS[0], status="duplicate"), recipient(n=42, email="x", status="invalid")]


def test_each_row_has_its_variant_where_it_was_to_get_a_letter_or_to_be_compared(tmp_path, rows, facts):
    path = tmp_path / "recipients.csv"
    of = variant_of(TOLD)
    stats = write_recipients(file_at(path), rows, [("a.csv", ["email"])], bytes(32), "example.com", variant_of=of)
    with path.open(encoding="utf-8-sig", newline="") as file:
        read = list(csv.DictReader(file))
    expected = Variants(TOLD["shares"])
    assert [row["variant"] for row in read] == [*map(expected.of, EMAILS), "", ""]
    counts = stats.by_variant
    assert {name: sum(one.values()) - one["unsubscribed"] for name, one in counts.items()} == {
        name: [expected.of(email) for email in EMAILS].count(name) for name in ("a", "b", "none", REST)
    }
    assert (counts["none"]["suppressed"], counts["none"]["delivered"]) == (counts["none"].total(), 0)
    assert sum(one["unsubscribed"] for one in counts.values()) == 1
    clicks = [{"link": "/x", "variant": name, "people": people, "scanners": 0} for name, people in (("a", 3), ("", 1))]
    html = page(facts(input_rows=42, variants=TOLD, clicks=clicks), stats)
    assert f"3 ({300 / counts['a']['delivered']:.1f} per 100)" in html
    assert html.index("By variant") < html.index("Spring is here") < html.index("&lt;Last&gt; chance")
    assert "no message, to compare with" in html


def test_the_rest_is_the_winners(recipient):
    of = variant_of({**TOLD, "winner": "b"})
    names = {of(recipient(email=email)) for email in EMAILS}
    assert names == {"a", "b", "none"}


def test_a_campaign_without_variants_has_none(facts):
    assert variant_of({}) is None
    assert facts().variants == {}
