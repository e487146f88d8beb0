"""The page for unsubscribing in a real browser: with keys alone, without scripts, on small screens, in both themes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.public.known import GONE, HOSTILE, RIGHT, WRONG

pytestmark = [pytest.mark.loopback, pytest.mark.process, pytest.mark.interop, pytest.mark.slow]

HERE = Path(__file__).parent
FETCHED = HERE.parent.parent / ".venv" / "browser"
LANGUAGES = {
    "en-GB": "Unsubscribe from “Spring newsletter”?",
    "de-AT": "Von „Spring newsletter“ abmelden?",
    "fr-CA": "Se désabonner de « Spring newsletter » ?",
    "es-MX": "¿Cancelar la suscripción a «Spring newsletter»?",
    "it-IT": "Annullare l’iscrizione a «Spring newsletter»?",
    "nl-BE": "Afmelden voor ‘Spring newsletter’?",
    "pt-BR": "Cancelar a subscrição de «Spring newsletter»?",
    "pl-PL": "Zrezygnować z listy „Spring newsletter”?",
    "ja-JP": "Unsubscribe from “Spring newsletter”?",
}


@pytest.fixture
def browse(serving: Callable[..., Any], missing: Callable[[str], None]) -> Callable[..., Any]:
    """``browse(visit...)``: what a browser finds at the page, visit by visit. ``browse.page``: the page itself."""
    chromium = shutil.which("chromium") or missing("chromium is not installed (Debian: chromium)")
    if shutil.which("node") is None or not (FETCHED / ".fetched").exists():
        missing("node or the browser's driver is not there (scripts/browser)")
    page = serving(name="Example Shop", client_rate="1000/s")

    def browse(*visits: dict[str, Any]) -> list[dict[str, Any]]:
        told = {"chromium": chromium, "base": f"http://127.0.0.1:{page.port}", "visits": list(visits)}
        done = subprocess.run(
            ["node", str(HERE / "browser" / "browser.cjs")],
            input=json.dumps(told),
            capture_output=True,
            env={**os.environ, "NODE_PATH": str(FETCHED / "node_modules")},
            timeout=300,
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        for one in found:
            assert not one["complaints"]  # the page's policy would be named here
            assert not one["cookies"]
            assert all(request.split()[1].startswith(told["base"] + "/u/") for request in one["requests"])
            assert not [seen["faults"] for seen in one["seen"] if seen["faults"]]
        return found

    browse.page = page  # type: ignore[attr-defined]
    return browse


def visit(token: str, *steps: dict[str, str], **options: Any) -> dict[str, Any]:
    return {"path": f"/u/{token}", "steps": list(steps), "options": {"locale": "en-GB", **options}}


def test_a_person_with_a_keyboard_and_without_scripts_leaves_and_comes_back(browse: Any) -> None:
    (found,) = browse(
        visit(
            RIGHT,
            {"key": "Tab"},
            {"enter": "yes"},
            {"key": "Tab"},
            {"enter": "yes"},
            {"press": "Unsubscribe"},
            javaScriptEnabled=False,
        )
    )
    assert [(seen["status"], seen["heading"], seen["buttons"]) for seen in found["seen"]] == [
        (200, "Unsubscribe from “Spring newsletter”?", ["Unsubscribe"]),
        (200, "You are unsubscribed from “Spring newsletter”", ["Take it back"]),
        (200, "You are on the list “Spring newsletter” again", ["Unsubscribe"]),
        (200, "You are unsubscribed from “Spring newsletter”", ["Take it back"]),
    ]
    assert len({seen["url"] for seen in found["seen"]}) == 1
    assert [call for call in browse.page.asked() if call[0] != "find"] == [
        ["unsubscribe", RIGHT, "page"],
        ["resubscribe", RIGHT, "page"],
        ["unsubscribe", RIGHT, "page"],
    ]


def test_a_scanner_that_opens_the_link_in_a_browser_changes_nothing(browse: Any) -> None:
    browse(visit(RIGHT), visit(RIGHT, isMobile=True, viewport={"width": 400, "height": 800}))
    assert {call[0] for call in browse.page.asked()} == {"find"}


def test_every_page_fits_and_can_be_read(browse: Any) -> None:
    looks = list(product(["light", "dark"], [320, 600]))
    visits = []
    for theme, width in looks:
        options = {"viewport": {"width": width, "height": 800}, "colorScheme": theme}
        visits.append(visit(RIGHT, {"press": "Unsubscribe"}, {"press": "Take it back"}, **options))
        visits += [visit(token, **options) for token in (GONE, HOSTILE, WRONG, "test-x")]
    found = browse(*visits)
    for n, (theme, width) in enumerate(looks):
        pages = [seen for one in found[5 * n : 5 * n + 5] for seen in one["seen"]]
        assert [seen["status"] for seen in pages] == [200] * 7, (theme, width)
        assert not [seen["heading"] for seen in pages if seen["wider"] > 0], (theme, width)
        assert all(seen["passes"] >= 10 for seen in pages), (theme, width)
        assert len({seen["ground"] for seen in pages}) == 1, (theme, width)
        bright = sum(map(int, pages[0]["ground"].removeprefix("rgb(").removesuffix(")").split(",")))
        assert (bright > 600) is (theme == "light"), (theme, width)


def test_the_page_speaks_the_browsers_language(browse: Any) -> None:
    found = browse(*[visit(RIGHT, locale=locale) for locale in LANGUAGES])
    headings = dict(zip(LANGUAGES, [one["seen"][0]["heading"] for one in found], strict=True))
    assert headings == LANGUAGES
    languages = [one["seen"][0]["lang"] for one in found]
    assert languages == [*[locale[:2] for locale in LANGUAGES][:-1], "en"]
