"""The form of `findings/`, as its README states it. Nothing here runs a finding: that needs a registry."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "findings"
FINDINGS = sorted(FOLDER.glob("*.sh"))
FIELDS = ("Version", "Behaviour", "Guess", "Seen")
PINNED = re.compile(r"[\w.-]+(?:\[\w+\])?==\d[\w.]*|(?:@[\w-]+/)?[\w.-]+@\d[\w.-]*|[a-z0-9.+-]+=\d[\w.:+~-]*")
INSTALLS = re.compile(r"(?:pip\"? install|npm install|apt-get download)([^&|;)\n]*)")
HOSTS = re.compile(r"https?://(?!\w+\.example\b|example\.(?:com|net|org)\b)|pypi\.org|pythonhosted|npmjs|debian\.org")
OPTIONS_WITH_VALUES = ("--prefix",)


def packages(arguments: str) -> list[str]:
    """The packages among the arguments of an installer: what is no option and no value of one."""
    words = arguments.split()
    behind = {at + 1 for at, word in enumerate(words) if word in OPTIONS_WITH_VALUES}
    return [word for at, word in enumerate(words) if not word.startswith("-") and at not in behind]


def head(text: str) -> str:
    """The comment at the top, behind the line that names the shell."""
    return text.partition("\n")[2].partition("\nset -eu\n")[0]


def test_there_are_findings_and_nothing_else() -> None:
    assert FINDINGS
    assert {path.name for path in FOLDER.iterdir()} == {"README.md", *(path.name for path in FINDINGS)}


def test_the_readme_lists_each_finding_with_its_first_sentence() -> None:
    listed = re.findall(r"^\| \[(\S+)\]\((\S+)\) \| (.+) \|$", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE)
    known = [(path.stem, path.name, head(path.read_text("utf-8")).partition("\n")[0][2:]) for path in FINDINGS]
    assert listed == known


def test_ci_runs_no_finding() -> None:
    root = FOLDER.parent
    for place in (*(root / "scripts").iterdir(), *(root / ".ci").iterdir()):
        assert "findings/" not in place.read_text(encoding="utf-8"), place


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.stem)
class TestEveryFinding:
    def test_is_an_executable_script_that_the_shell_can_read(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        assert os.access(path, os.X_OK)
        assert text.startswith("#!/bin/sh\n# ")
        assert "\nset -eu\n" in text
        read = subprocess.run(["bash", "-n", path], capture_output=True, text=True, check=False)
        assert (read.returncode, read.stderr) == (0, "")

    def test_says_at_the_top_what_was_seen_and_where(self, path: Path) -> None:
        top = head(path.read_text(encoding="utf-8"))
        assert all(line.startswith("#") for line in top.splitlines())
        assert tuple(re.findall(r"^# ([A-Z]\w+): *", top, re.MULTILINE)) == FIELDS
        assert re.search(r"^# Version: .*\d+\.\d+", top, re.MULTILINE)
        assert re.search(r"^# Seen:\n(#     \S.*\n?)+\Z", top, re.MULTILINE)

    def test_works_in_a_folder_that_is_removed_at_the_end(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        assert "folder=$(mktemp -d)" in text
        assert re.search(r"^trap '.*rm -rf \"\$folder\"' EXIT$", text, re.MULTILINE)

    def test_takes_no_module_from_where_it_was_called(self, path: Path) -> None:
        """Python reads the finding from its input, and would look for modules in the current folder without `-I`."""
        runs = re.findall(r"python3?\"? (?!-m venv)(.*)-(?: .*)?>", path.read_text(encoding="utf-8"))
        assert not [options for options in runs if options.split() != ["-I"]]

    def test_installs_pinned_packages_only(self, path: Path) -> None:
        wanted = [name for found in INSTALLS.findall(path.read_text("utf-8")) for name in packages(found)]
        assert wanted
        assert not [name for name in wanted if not PINNED.fullmatch(name)]

    def test_tells_a_change_from_a_failed_try(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        assert "exit 2; }" in text
        assert text.endswith('diff "$folder/expected" "$folder/seen" || exit 1\n')

    def test_speaks_of_neither_a_registry_nor_this_project(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        assert not HOSTS.findall(text)
        assert "bulkmail" not in text
