from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkmail.report import Facts, page, write_page, write_recipients
from tests.places import file_at

KEY = bytes(range(32))
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}</style></title>&lt;"


class Tags(HTMLParser):
    """What a browser would make of the page: its tags, attributes, and text."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags = []
        self.attributes = []
        self.text = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *attribute) for attribute in attrs]

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="session")
def rendered(facts):
    def rendered(path, rows, **changes):
        stats = write_recipients(file_at(path / "r.csv"), rows, [("a.csv", ["email"])], KEY, "example.com")
        return page(facts(input_rows=len(rows), **changes), stats)

    return rendered


def shape(tags):
    return [tag for tag in tags.tags if tag in ("script", "img", "style", "title", "iframe", "object", "a", "link")]


@pytest.fixture(scope="session")
def hostile_page(rendered, recipient):
    def hostile_page(path, text):
        email = f"x@{text}"
        rows = [
            recipient(n=1, email=email, mx_host=text, reply=text, category=text, status="bounced"),
            recipient(n=2, email=email, reply=text, category="policy", status="blocked", fields=json.dumps([text])),
        ]
        return rendered(
            path,
            rows,
            campaign=text,
            subject=text,
            sender=text,
            state=text,
            by_provider={text: {"delivered": 1}},
            started_at=1.0,
        )

    return hostile_page


def test_the_sample_reads_well(sample, tmp_path):
    stats = write_recipients(file_at(tmp_path / "r.csv"), sample.rows, sample.files, KEY, "example.com")
    text = " ".join(" ".join(Tags(page(Facts(**sample.facts), stats)).text).split())
    people = stats.rows - stats.by_status["duplicate"]
    assert f"{stats.by_status['delivered']:,} of {people:,} people got it" in text
    for words in ("What went wrong, and what to do", "The mailbox does not exist", "Google (Gmail and Workspace)",
                  "gmail.com", "may have got it twice", "we cannot say whether", "no sender can see"):  # fmt: skip
        assert words in text
    assert "REHEARSAL" not in text


def test_a_rehearsal_cannot_be_taken_for_the_real_thing(tmp_path, rendered, recipient):
    text = " ".join(Tags(rendered(tmp_path, [recipient()], rehearsal=True)).text)
    assert "REHEARSAL" in text
    assert "Nothing was sent to real recipients" in text
    assert "1 of 1 person got it, in rehearsal" in text


def test_nothing_is_fetched_and_nothing_runs(sample, tmp_path):
    stats = write_recipients(file_at(tmp_path / "r.csv"), sample.rows, sample.files, KEY, "example.com")
    html = page(Facts(**sample.facts), stats)
    found = Tags(html)
    assert not {"script", "img", "link", "iframe", "object", "form", "base"} & set(found.tags)
    links = [value for tag, name, value in found.attributes if name in ("src", "href", "action", "data", "srcset")]
    assert links == ["take-off.csv", "try-again.csv", "recipients.csv", "attempts.csv", "summary.json"]
    assert not [name for _, name, _ in found.attributes if name.startswith("on")]
    assert "url(" not in html
    assert "@import" not in html
    policy = next(value for _, _, value in found.attributes if value and value.startswith("default-src"))
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")


def test_hostile_values_are_text(tmp_path, hostile_page):
    html = hostile_page(tmp_path, HOSTILE)
    assert "<script" not in html
    assert "<img" not in html
    assert "49" not in html.split("</style>")[1].split("<footer>")[0].replace("{{ 7*7 }}", "")
    found = Tags(html)
    assert HOSTILE in "".join(found.text)
    assert shape(found) == shape(Tags(hostile_page(tmp_path, "harmless")))


@settings(max_examples=settings.default.max_examples * 2 // 5)
@given(st.text(st.sampled_from("<>&\"'/{}%= abcscript\n\x00\u2028\x1b"), min_size=1, max_size=40))
def test_no_value_adds_a_tag_or_an_attribute(tmp_path_factory, hostile_page, text):
    path = tmp_path_factory.mktemp("page")
    found, harmless = Tags(hostile_page(path, f"a{text}")), Tags(hostile_page(path, "harmless"))
    assert {(tag, name) for tag, name, _ in found.attributes} == {(tag, name) for tag, name, _ in harmless.attributes}
    assert set(found.tags) == set(harmless.tags)


@pytest.mark.parametrize("state", ["new", "running", "finished"])
def test_an_empty_campaign_has_a_page(tmp_path, state, rendered):
    html = rendered(tmp_path, [], state=state)
    assert "The list is empty" in html
    assert ('http-equiv="refresh"' in html) is (state != "finished")


def test_an_unknown_category_and_status_have_a_page(tmp_path, rendered, recipient):
    assert "weather" in rendered(tmp_path, [recipient(status="bounced", category="weather")])


def test_the_page_does_not_grow_with_the_list(tmp_path, rendered, recipient):
    rows = [
        recipient(n=n, email=f"a@d{n}.example", status="bounced", category="other", reply=f"word{'x' * (n % 90)} {n}")
        for n in range(1, 3001)
    ]
    assert len(rendered(tmp_path, rows, by_provider={f"p{n}": {"delivered": 1} for n in range(3000)})) < 100_000


def test_it_is_written_whole_with_surrogates_replaced(tmp_path, sample, facts):
    stats = write_recipients(file_at(tmp_path / "r.csv"), [], sample.files, KEY, "example.com")
    write_page(file_at(tmp_path / "index.html"), facts(campaign="spring\udcff"), stats)
    assert "spring?" in (tmp_path / "index.html").read_text(encoding="utf-8")
