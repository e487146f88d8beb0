from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.public.page import Kind, Subject, headers, masked, page
from bulkmail.public.texts import shipped
from tests.public.known import HOSTILE_ADDRESS, HOSTILE_NAME

ENGLISH = shipped()["en"]
SUBJECT = Subject("Spring newsletter", "adrian@example.org")


def shown(kind=Kind.ASK, subject=SUBJECT, name="", language="en"):
    return page(kind, language, shipped().get(language, ENGLISH), subject, name).decode()


class Tags(HTMLParser):
    """Each tag with its attributes, and the text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] != "style":
            self.text += data


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("adrian@example.org", "a…n@example.org"),
        ("bob@example.org", "b…b@example.org"),
        ("jo@example.org", "j…@example.org"),
        ("j@example.org", "j…@example.org"),
        ('"a b"@example.org', '"…"@example.org'),
        ('"a@b"@example.org', '"…"@example.org'),
        ("jörg@example.org", "j…g@example.org"),
        ("", ""),
        ("nobody", ""),
    ],
)
def test_an_address_is_masked(address, words):
    assert masked(address) == words


def test_the_page_shows_the_list_and_a_masked_address_and_nothing_else_of_anybody():
    text = shown(name="Example Shop")
    assert "<h1>Unsubscribe from “<bdi>Spring newsletter</bdi>”?</h1>" in text
    assert "Address: <bdi>a…n@example.org</bdi>" in text
    assert "adrian" not in text
    assert "<title>Unsubscribe – Example Shop</title>" in text
    assert '<button name="action" value="leave">Unsubscribe</button>' in text


def test_what_each_kind_says_and_offers():
    assert 'value="return">Take it back' in shown(Kind.LEFT)
    assert "You are unsubscribed from “<bdi>Spring newsletter</bdi>”" in shown(Kind.LEFT)
    assert 'value="leave"' in shown(Kind.BACK)
    for kind in (Kind.UNKNOWN, Kind.LATER, Kind.NOTHING):
        text = shown(kind, None)
        assert f"<h1>{ENGLISH[kind.value]}</h1>" in text
        assert "<button" not in text
    assert "This link is from a test message" in shown(Kind.ASK, Subject("", test=True))
    assert "<bdi>Test message</bdi>" in shown(Kind.LEFT, Subject("", test=True))
    assert "Address" not in shown(Kind.ASK, Subject("Spring newsletter"))


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("language", sorted(shipped()))
def test_every_page_is_one_document_with_one_heading_and_its_language(kind, language):
    subject = SUBJECT if kind in (Kind.ASK, Kind.LEFT, Kind.BACK) else None
    found = Tags(shown(kind, subject, language=language))
    tags = [tag for tag, _ in found.tags]
    assert found.tags[0] == ("html", {"lang": language, "dir": "ltr"})
    assert tags.count("h1") == tags.count("title") == tags.count("main") == 1
    assert not {"script", "img", "link", "a", "iframe", "object"} & set(tags)
    assert not [attribute for _, given in found.tags for attribute in given if attribute.startswith("on")]
    assert "{list}" not in found.text


def test_a_language_that_is_written_leftwards_says_so():
    assert '<html lang="he" dir="rtl">' in shown(language="he")


def test_hostile_names_are_text():
    text = shown(Kind.LEFT, Subject(HOSTILE_NAME, HOSTILE_ADDRESS), '</title><script>"')
    found = Tags(text)
    assert {tag for tag, _ in found.tags} == {
        *("html", "head", "meta", "title", "style", "body", "main", "p", "h1", "bdi", "form", "button")
    }
    assert "<script>alert(1)</script>" in found.text
    assert "{{ 7*7 }}" in found.text
    assert not re.search("[\u202e\u2066\x00\r]", text)
    assert len(text) < 6000


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_no_name_adds_a_tag_or_an_attribute(list_name, address, name):
    plain = Tags(shown(Kind.LEFT, Subject("n", "aaaa@b.example"), "n")).tags
    with_it = Tags(shown(Kind.LEFT, Subject(list_name, address), name)).tags
    optional = {("p", "address"), ("p", "sender"), ("bdi", None)}

    def fixed(tags):
        return [(tag, given) for tag, given in tags if (tag, given.get("class")) not in optional]

    assert fixed(with_it) == fixed(plain)


def test_the_policy_allows_the_pages_own_style_by_its_hash_and_nothing_else():
    policy = headers()[b"Content-Security-Policy"].decode()
    style = re.search(r"<style>(.*)</style>", shown(), re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    assert headers()[b"Referrer-Policy"] == b"no-referrer"
    assert headers()[b"Cache-Control"] == b"no-store"
    assert headers()[b"X-Content-Type-Options"] == b"nosniff"
    assert b"noindex" in headers()[b"X-Robots-Tag"]
    assert "url(" not in style


def luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "ground", "least"),
    [
        ("ink", "sheet", 7.0),
        ("soft", "sheet", 4.5),
        ("on-press", "press", 4.5),
        ("press", "sheet", 4.5),  # the words of the second button
        ("edge", "sheet", 3.0),
    ],
)
def test_the_contrast_of_the_colours(theme, ink, ground, least):
    found = re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", shown())
    colours = dict(found[theme * len(found) // 2 : (theme + 1) * len(found) // 2])
    bright, dark = sorted((luminance(colours[ink]), luminance(colours[ground])), reverse=True)
    assert (bright + 0.05) / (dark + 0.05) >= least
