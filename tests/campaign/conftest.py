from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bulkmail.campaign import Campaign, load_campaign
from bulkmail.mail import Refused

REQUIRED = {
    "name": "spring-sale",
    "from": '"Example Shop <news@example.com>"',
    "subject": '"{{ first_name }}, spring is here"',
    "template": "{html: body.html.j2, text: body.txt.j2}",
    "recipients": "recipients.csv",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A campaign's folder with all the files that an example names, but no campaign.yaml."""
    folder = tmp_path / "spring"
    folder.mkdir()
    (folder / "body.html.j2").write_text("<p>Hello {{ first_name }}</p>\n")
    (folder / "body.txt.j2").write_text("Hello {{ first_name }}\n")
    (folder / "recipients.csv").write_text("email,first_name\na@example.org,Ann\n")
    (folder / "unsubscribed.csv").write_text("email\n")
    (folder / "terms.pdf").write_bytes(b"%PDF-1.4")
    return folder


@pytest.fixture
def write(folder: Path) -> Callable[..., Path]:
    """Write campaign.yaml: the required keys, changed or extended (None leaves one out)."""

    def write(extra: str = "", **keys: str | None) -> Path:
        lines = [f"{key}: {value}" for key, value in (REQUIRED | keys).items() if value is not None]
        path = folder / "campaign.yaml"
        path.write_text("\n".join([*lines, extra]) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def read(write: Callable[..., Path]) -> Callable[..., Campaign]:
    return lambda extra="", **keys: load_campaign(str(write(extra, **keys)))


@pytest.fixture
def refusal(folder: Path, write: Callable[..., Path]) -> Callable[..., list[str]]:
    """The problems of a campaign.yaml, without the folder's path in front."""

    def refusal(extra: str = "", **keys: str | None) -> list[str]:
        with pytest.raises(Refused) as caught:
            load_campaign(str(write(extra, **keys)))
        return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]

    return refusal
