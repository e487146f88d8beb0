"""The text made from letters that others wrote, against what html-to-text reads in them: each word and each link."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from bulkmail.content.plaintext import adapt, plain_text
from bulkmail.content.templates import TemplateSet
from bulkmail.content.tidying import tidy_text

HERE = Path(__file__).parent
FETCHED = HERE.parent.parent / ".venv" / "letters"
LINK = re.compile("\ue000(.*?)\ue001")
ROW = {
    "title": "Three things",
    "content": "A & B",
    "content_above": "First of all,",
    "content_below": "that is all.",
    "action_link": "https://x.example/?a=1&region=eu",
    "action_button_text": "Go there",
    "unsub_link": "https://x.example/leave?section=2",
    "address": "Street 1",
    "sender": "Shop",
    "links": {"Home": "https://x.example/", "Help": "https://x.example/help"},
}


@pytest.fixture
def letters(missing: Callable[[str], None]) -> list[tuple[str, str, str]]:
    """Name, our text and html-to-text's, each link of which stands between two private characters."""
    if shutil.which("node") is None or not all((FETCHED / name).exists() for name in (".fetched", "mjml")):
        missing("node or the letters are not there (scripts/letters)")
    return made()


@cache
def fetched(rendered: str = "{}") -> list[tuple[str, str, str]]:
    """Name, HTML and html-to-text's text of each letter; ``rendered``: further ones, a JSON object."""
    done = subprocess.run(
        ["node", str(HERE / "letters" / "letters.cjs")],
        input=rendered,
        stdout=subprocess.PIPE,
        env={**os.environ, "NODE_PATH": str(FETCHED / "node_modules")},
        timeout=120,
        check=True,
        encoding="utf-8",
    )
    return [(name, html, read) for name, html, read in json.loads(done.stdout)]


@cache
def made() -> list[tuple[str, str, str]]:
    rendered, texts = {}, {}
    place = FETCHED / "cc_email_templates" / "templates"
    files = {path.name: path.read_text(encoding="utf-8") for path in place.iterdir() if path.suffix in (".j2", ".css")}
    for name in ("simple-call-to-action.html.j2", "table-email.html.j2", "call-to-action.html.j2"):
        rendered[name] = TemplateSet(files, html=True).file(name, name).render({**ROW})
        texts[name] = text_of(files, name, ROW)
    return [
        (name, texts.get(name) or text_of({name: "{% raw %}" + html + "{% endraw %}"}, name, {}), read)
        for name, html, read in fetched(json.dumps(rendered))
    ]


def text_of(files: dict[str, str], name: str, row: dict[str, object]) -> str:
    library = TemplateSet(files, html=False, convert=plain_text)
    adapt(library.environment)
    return tidy_text(library.file(name, name).render({**library.globals, **row}))


def words(text: str) -> list[str]:
    return re.findall(r"\w+", re.sub(r"(?m)^ *-( |-+$)", "", text))


def without_doubled(read: str) -> str:
    """html-to-text's text without the links whose text is their address."""

    def link(found: re.Match[str]) -> str:
        address = found[1].removeprefix("mailto:").removeprefix("tel:")
        return "" if read[: found.start()].rstrip().endswith(address) else found[0]

    return LINK.sub(link, read)


def test_there_are_enough(letters: list[tuple[str, str, str]]) -> None:
    assert len(letters) >= 30
    assert sum(len(LINK.findall(read)) for _name, _text, read in letters) >= 100


def test_each_word_and_each_link_of_a_letter_is_in_its_text_in_order(letters: list[tuple[str, str, str]]) -> None:
    for name, text, read in letters:
        expected = without_doubled(read)
        at = 0
        for address in LINK.findall(expected):
            found = re.compile(rf"(?<![^\s(]){re.escape(address)}(?![^\s)])").search(text, at)
            assert found is not None, (name, address, text)
            at = found.end()
        assert words(text) == words(expected), (name, text)


def test_their_texts_have_no_needless_lines(letters: list[tuple[str, str, str]]) -> None:
    for name, text, _read in letters:
        assert "\n\n\n" not in text, name
        assert not [line for line in text.splitlines() if line and not re.search(r"[^\W_]|[-|·•]", line)], name
