from __future__ import annotations

import re
from pathlib import Path

import pytest

import bulkmail.web
from bulkmail.web.assets import place, script, script_answer

VENDORED = Path(bulkmail.web.__file__).parent / "vendored"


@pytest.mark.parametrize("name", ["htmx.js", "sse.js", "idiomorph.js", "uplot.js", "page.js", "plots.js"])
def test_a_script_is_got_where_its_content_says(name):
    assert re.fullmatch(rf"/assets/[0-9a-f]{{16}}/{re.escape(name)}", place(name))
    answer = script_answer(name, {b"X-Content-Type-Options": b"nosniff", b"Cache-Control": b"no-store"})
    assert (answer.status, answer.body) == (200, script(name))
    assert answer.headers[b"Content-Type"] == b"text/javascript; charset=utf-8"
    assert b"immutable" in answer.headers[b"Cache-Control"]


def test_nothing_else_is_got():
    assert script_answer("../pages.py", {}) is None


def test_each_script_of_others_has_its_licence():
    said = (VENDORED / "README.md").read_text(encoding="utf-8")
    for file in VENDORED.glob("*.js"):
        assert f"`{file.name}`" in said
        licence = VENDORED / f"{file.name.split('.')[0].split('-')[0]}.LICENSE"
        assert "Permission to use" in (words := licence.read_text(encoding="utf-8")) or "MIT License" in words
