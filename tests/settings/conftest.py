from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bulkmail.mail import Refused
from bulkmail.settings import Settings, load_settings


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a signing key and a suppression list."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/example.com.pem").write_bytes(b"PEM")
    (tmp_path / "keys/example.com.pem").chmod(0o600)
    (tmp_path / "never.csv").write_text("email\n")
    return tmp_path


@pytest.fixture
def read(site: Path) -> Callable[[str], Settings]:
    """Settings from a text."""

    def read(text: str) -> Settings:
        (site / "bulkmail.yaml").write_text(text, encoding="utf-8")
        return load_settings(str(site / "bulkmail.yaml"))

    return read


@pytest.fixture
def refusal(site: Path, read: Callable[[str], Settings]) -> Callable[[str], list[str]]:
    """The problems of a text, without the folder's path in front."""

    def refusal(text: str) -> list[str]:
        with pytest.raises(Refused) as caught:
            read(text)
        return [str(problem).replace(f"{site}/", "") for problem in caught.value.problems]

    return refusal
