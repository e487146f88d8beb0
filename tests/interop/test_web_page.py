"""The operator's page in a real browser: every page, with hostile words in every place, in both themes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bulkmail.web import Role, User, hash_password, write_users
from bulkmail.web.pages import address
from tests.ports import free_port
from tests.web.known import HOSTILE, NAME

pytestmark = [pytest.mark.loopback, pytest.mark.process, pytest.mark.interop, pytest.mark.slow]

HERE = Path(__file__).parent
FETCHED = HERE.parent.parent / ".venv" / "browser"
PASSWORD = "correct horse"
SHOTS = os.environ.get("BULKMAIL_TEST_SHOTS")  # a folder for pictures of the pages
PAGES = (
    "/campaigns/spring",
    address("campaigns", NAME),
    "/campaigns/spring/rows/bounced",
    address("campaigns", NAME, "rows", "deferred") + "?before=1",
    address("campaigns", NAME, "rows", "bounced", HOSTILE[:40]),
    address("campaigns", NAME, "replies", "google", "0123456789abcdef"),
    "/campaigns/waiting/approve",
    "/campaigns/spring/pause",
    "/campaigns/spring/try-now",
    "/campaigns/spring?done=tried+now&rows=59&doubtful=1",
    "/holds",
    "/providers",
    "/providers/google",
    address("sites", f"mx.{HOSTILE[:40]}~1"),
    "/sites/gmail.example",
    "/sites/gone.example",
    "/providers/google/forget",
    "/records",
    "/campaigns/autumn/plots",
    "/compare?1=autumn&2=spring",
    "/recipients?email=a@b.example",
    "/nowhere",
)


@pytest.fixture
def base(tmp_path: Path, end: Any) -> Any:
    """The address of a page that answers by rote."""
    (tmp_path / "preview").mkdir()
    (tmp_path / "preview" / "index.html").write_text(f"<!doctype html><title>x</title><p>A letter {HOSTILE}")
    kept = hash_password(PASSWORD, b"s" * 16)
    write_users(str(tmp_path / "users"), {"ann": User("ann", Role.APPROVE, kept)})
    port = free_port()
    words = [sys.executable, "-m", "tests.web.serve", str(port), str(tmp_path / "users"), str(tmp_path)]
    served = subprocess.Popen(words, cwd=HERE.parent.parent, stdout=subprocess.PIPE, text=True)
    try:
        assert served.stdout is not None
        assert served.stdout.readline() == "listening\n"
        yield f"http://127.0.0.1:{port}"
    finally:
        end(served)


def test_every_page_is_harmless_fits_and_can_be_read(base: str, missing: Callable[[str], None]) -> None:
    chromium = shutil.which("chromium") or missing("chromium is not installed (Debian: chromium)")
    if shutil.which("node") is None or not (FETCHED / ".fetched").exists():
        missing("node or the browser's driver is not there (scripts/browser)")
    steps = [{"fill": {"name": "ann", "password": PASSWORD}, "press": "Sign in"}, *[{"go": page} for page in PAGES]]
    looks = [("light", 1100), ("dark", 400)]
    visits = [
        {
            "path": "/",
            "steps": steps,
            "options": {"colorScheme": theme, "viewport": {"width": width, "height": 800}},
            **({"shots": f"{SHOTS}/{theme}{width}"} if SHOTS else {}),
        }
        for theme, width in looks
    ]
    first = "main li a"
    rates = [{"see": "4321.0/s"}, {"see": "1234.0/s"}, {"see": "4321.0/s"}]
    renewed = [{"see": "This page renews itself."}, {"focus": first}, *rates, {"look": True}]
    visits.append({"path": "/", "steps": [steps[0], *renewed], "options": {}})
    done = subprocess.run(
        ["node", str(HERE / "browser" / "browser.cjs")],
        input=json.dumps({"chromium": chromium, "base": base, "visits": visits}),
        capture_output=True,
        env={**os.environ, "NODE_PATH": str(FETCHED / "node_modules")},
        timeout=300,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    *looked, renewing = json.loads(done.stdout)
    assert renewing["complaints"] == []
    assert renewing["seen"][-1]["focused"].startswith("<a ")  # what has the focus keeps it
    for found in looked:
        # what a page of ours was refused would stand here; the letter in its frame is refused script and picture
        letter = ("sandboxed", '"img-src data:"')
        assert [one for one in found["complaints"] if "404" not in one and not any(map(one.count, letter))] == []
        assert all(any(word in one for one in found["complaints"]) for word in letter)
        assert all(request.split()[1].startswith(f"{base}/") for request in found["requests"])
        assert [cookie["httpOnly"] for cookie in found["cookies"]] == [True]
        pages = found["seen"]
        assert [seen["status"] for seen in pages] == [200] * (len(PAGES) + 1) + [404]
        assert [seen["heading"] for seen in pages[:2]] == ["Sign in", "Campaigns"]
        assert NAME in pages[3]["heading"]
        compared = [seen["regions"]["By variant"] for seen in pages if "By variant" in seen["regions"]]
        assert len(compared) == 3
        assert all("<script>document.title='x'</script>" in text for text in compared)
        assert all(seen["title"].endswith("– bulkmail") for seen in pages)
        assert not [seen["url"] for seen in pages if seen["wider"] > 0]
        faults = [one for seen in pages for one in seen["faults"]]
        assert all(one.startswith("frame-tested: ") for one in faults), faults  # no script gets into that frame
