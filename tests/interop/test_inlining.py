"""Other people's letters with their style sheets in their elements: in a browser they look as before, to the pixel."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkmail.content.inlining import inlined, inlined_letter
from bulkmail.content.templates import TemplateSet
from tests.interop.test_letters import FETCHED as LETTERS
from tests.interop.test_letters import fetched

pytestmark = [pytest.mark.process, pytest.mark.interop, pytest.mark.slow]

HERE = Path(__file__).parent
BROWSER = HERE.parent.parent / ".venv" / "browser"
CELL = re.compile(r"(<(p|td|h1|h4|span)\b[^>]*>)([^<>{}]+)(</\2>)")
ENVIRONMENT = TemplateSet({}, html=True).environment
LOOKED_AT = re.compile("foundation/|mjml|mailgen/.*/receipt")
MOST = 0.001  # of the pixels


def with_tags(letter: str) -> str:
    """The letter as a template: each text in a condition of its own, with a value in front; styles as they are."""
    raw = re.split(r"(<style.*?</style>)", letter, flags=re.DOTALL)
    for n in range(0, len(raw), 2):
        raw[n] = CELL.sub(r"\1{% if shown %}{{ word }} \3{% endif %}\4", raw[n])
    return "".join(raw)


def letters() -> dict[str, str]:
    """By name. Those made with Foundation for Emails have its style sheet, as its own build puts it there."""
    found = {name: html for name, html, _read in fetched() if LOOKED_AT.match(name)}
    sheet = (LETTERS / "node_modules" / "foundation-emails" / "dist" / "foundation-emails.css").read_text("utf-8")
    return {
        name: html.replace("<style>p{margin:0}</style>", f"<style>{sheet}</style>", 1) for name, html in found.items()
    }


@pytest.fixture
def differences(missing: Callable[[str], None]) -> Callable[..., list[tuple[str, float]]]:
    """``differences(pairs)``: the share of the pixels that differ, for each (name, one letter, the other)."""
    chromium = shutil.which("chromium") or missing("chromium is not installed (Debian: chromium)")
    for needed in (BROWSER / ".fetched", LETTERS / ".fetched", LETTERS / "mjml"):
        if shutil.which("node") is None or not needed.exists():
            missing("node, the letters or the browser's driver are not there (scripts/letters, scripts/browser)")

    def differences(pairs: list[tuple[str, str, str]]) -> list[tuple[str, float]]:
        done = subprocess.run(
            ["node", str(HERE / "browser" / "pictures.cjs")],
            input=json.dumps({"chromium": chromium, "pairs": pairs}),
            capture_output=True,
            env={**os.environ, "NODE_PATH": str(BROWSER / "node_modules")},
            timeout=300,
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stderr
        found = [(name, share) for name, share, size in json.loads(done.stdout) if size > 2000]  # no empty pictures
        assert len(found) == len(pairs)
        return found

    return differences


def test_letters_look_as_before(differences: Callable[..., list[tuple[str, float]]]) -> None:
    pairs = []
    others = letters()
    row = {"shown": True, "word": "Ann & Co"}
    for name, letter in others.items():
        source = with_tags(letter)
        made_of = inlined(ENVIRONMENT, source)
        before = ENVIRONMENT.from_string(source).render(row)
        after = ENVIRONMENT.from_string(made_of.source).render(row)
        if made_of.reason:
            after = inlined_letter(after)
        assert after.count(" style=") > before.count(" style=") or not name.startswith("foundation/")
        pairs.append((name, before, after))
        if not name.startswith("mjml-example/"):
            pairs.append((f"{name} as a letter", before, inlined_letter(before)))
    for kind, least in (("foundation/", 11), ("mjml-example/", 10)):
        assert sum(name.startswith(kind) for name in others) >= least
    found = differences(pairs)
    assert not [(name, share) for name, share in found if share > MOST]
