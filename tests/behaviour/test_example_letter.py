"""The example campaign's letter, as a spam filter sees its colours."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

LETTER = Path(__file__).parent.parent.parent / "campaigns" / "welcome" / "body.html.j2"
_VOID = {"meta", "img", "br", "hr"}


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


class Colours(HTMLParser):
    """Collects (text colour, background, words): what `style` alone says, since filters do not look at bgcolor."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, str, str]] = [("", "#000000", "#ffffff")]
        self.seen: list[tuple[str, str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        style = given.get("style") or ""
        _, text, ground = self.open[-1]
        found = re.search(r"background-color:(#\w{6})", style)
        ground = found[1] if found else ground
        if given.get("bgcolor"):
            assert given["bgcolor"] == ground, "bgcolor without the same colour in style"
        found = re.search(r"(?<!-)color:(#\w{6})", style)
        text = found[1] if found else text
        if tag in _VOID:
            self.seen.append((text, ground, given.get("alt") or ""))
        else:
            self.open.append((tag, text, ground))

    def handle_endtag(self, tag: str) -> None:
        while self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tag, text, ground = self.open[-1]
        if data.strip() and tag not in ("style", "title"):
            self.seen.append((text, ground, data.strip()))


def test_every_word_of_the_example_letter_stands_out_from_its_background() -> None:
    colours = Colours()
    colours.feed(re.sub(r"\{[%#].*?[%#]\}", "", LETTER.read_text(encoding="utf-8"), flags=re.DOTALL))
    assert ("#ffffff", "#3f5b3a", "{{ label }}") in colours.seen
    assert [seen for seen in colours.seen if contrast(seen[0], seen[1]) < 4.5] == []


def test_contrast_is_what_wcag_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
