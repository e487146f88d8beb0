"""A folder as a hostile campaign could look: files called like modules that every program imports."""

from __future__ import annotations

from pathlib import Path

NAMES = ("csv", "json", "marshal", "struct", "gc", "inspect", "hashlib", "sqlite3", "asyncio", "jinja2", "dns", "yaml")


def set_in(folder: Path) -> None:
    """Put the modules there; each writes its name into the folder when it is imported."""
    for name in NAMES:
        text = f"open({str(folder / 'sprung')!r}, 'a').write('{name} ')\nraise ImportError('a trap')\n"
        (folder / f"{name}.py").write_text(text, encoding="utf-8")


def sprung_in(folder: Path) -> list[str]:
    """The modules that something imported."""
    note = folder / "sprung"
    return note.read_text(encoding="utf-8").split() if note.exists() else []
