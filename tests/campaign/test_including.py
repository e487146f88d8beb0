"""Files that templates include: of the folder, and of the operator's library."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bulkmail.campaign import Campaign
from bulkmail.campaign.including import Including
from bulkmail.mail import Problem

Read = Callable[..., Campaign]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    library = tmp_path / "library"
    (library / "blocks").mkdir(parents=True)
    (library / "footer.html.j2").write_text("shared {% include 'blocks/imprint.html.j2' %}")
    (library / "blocks" / "imprint.html.j2").write_text("imprint")
    (tmp_path / "secret.html.j2").write_text("secret")
    return library


@pytest.fixture
def included(read: Read, library: Path) -> Callable[..., tuple[dict[str, Any], list[str]]]:
    """``included(html)``: what is included of it, and what is wrong."""

    def included(html: str, place: Path | None = library) -> tuple[dict[str, Any], list[str]]:
        problems: list[Problem] = []
        content = {"html": html, "text": None, "html_name": "body.html.j2", "text_name": "", "subject": "s"}
        content |= {"headers": {}, "unsubscribe": None}
        reader = Including(read(), None if place is None else str(place), lambda _, data: data.decode(), problems)
        return reader.included(content), [str(problem) for problem in problems]

    return included


def test_a_shared_block_is_read_with_what_it_includes(included: Any, library: Path) -> None:
    found, problems = included("{% include 'footer.html.j2' %}")
    assert problems == []
    assert found["includes"] == {
        "footer.html.j2": "shared {% include 'blocks/imprint.html.j2' %}",
        "blocks/imprint.html.j2": "imprint",
    }
    assert found["library"] == {name: str(library / name) for name in found["includes"]}


def test_a_file_of_the_folder_goes_first(included: Any, folder: Path, library: Path) -> None:
    (folder / "blocks").mkdir()
    (folder / "blocks" / "imprint.html.j2").write_text("own")
    found, _ = included("{% include 'footer.html.j2' %}")
    assert found["includes"]["blocks/imprint.html.j2"] == "own"
    assert found["library"] == {"footer.html.j2": str(library / "footer.html.j2")}


def test_without_a_library_nothing_is_looked_for(included: Any) -> None:
    assert included("{% include 'footer.html.j2' %}", None) == ({"includes": {}}, [])
    assert included("{% include 'nowhere.html.j2' %}") == ({"includes": {}}, [])


@pytest.mark.parametrize("name", ["../secret.html.j2", "link.html.j2", "/etc/passwd"], ids=["dots", "link", "root"])
def test_nothing_outside_is_read(included: Any, library: Path, name: str) -> None:
    (library / "link.html.j2").symlink_to("../secret.html.j2")
    found, problems = included(f"{{% include '{name}' %}}")
    assert found["includes"] == {}
    assert "secret" not in str(found)
    assert len(problems) == 1


def test_a_library_that_has_gone_is_told(included: Any, tmp_path: Path) -> None:
    _, (problem,) = included("{% include 'footer.html.j2' %}", tmp_path / "gone")
    assert "the library" in problem
    assert "cannot be read" in problem
