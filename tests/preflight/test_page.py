from __future__ import annotations

from html.parser import HTMLParser

from bulkmail.preflight.page import preview_page
from bulkmail.preflight.specimen import Specimen

EVIL = "<script>alert('x')</script>\"'&"


class Elements(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.found = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def specimen(**changes):
    values = {
        "wire": b"",
        "subject": "Hello",
        "fields": [("From", "Shop <news@example.com>"), ("To", "ann@example.com")],
        "html": "<p>Hello</p>",
        "text": "Hello",
        "attachments": [],
    }
    return Specimen(**{**values, **changes})


def frames(page):
    return [attributes for tag, attributes in Elements(page).found if tag == "iframe"]


def test_both_parts_at_both_widths_in_frames_that_run_nothing():
    shown = frames(preview_page("spring", [("row 1", specimen()), ("row 2", specimen())]))
    assert [frame["width"] for frame in shown] == ["600", "375"] * 4
    assert all(frame["sandbox"] is None for frame in shown)  # the attribute without a value forbids everything
    assert shown[0]["srcdoc"] == "<p>Hello</p>"
    assert "Hello" in shown[2]["srcdoc"]


def test_what_is_written_by_others_stays_text():
    page = preview_page(EVIL, [(EVIL, specimen(subject=EVIL, html=EVIL, text=EVIL, attachments=[EVIL])), ("r", EVIL)])
    elements = Elements(page)
    assert not [tag for tag, _ in elements.found if tag == "script"]
    assert elements.text.count(EVIL) >= 4
    assert frames(page)[0]["srcdoc"] == EVIL
    assert "<script>" not in frames(page)[2]["srcdoc"]


def test_a_part_that_is_not_there_has_no_frame():
    assert len(frames(preview_page("spring", [("row 1", specimen(html=None))]))) == 2
    assert len(frames(preview_page("spring", [("row 1", specimen(text=None))]))) == 2


def test_a_row_without_a_message_says_why():
    assert "the value is None" in Elements(preview_page("spring", [("row 1", "the value is None")])).text
