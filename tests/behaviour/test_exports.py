"""Lists as the common programs export them: the column of the addresses, and who may not be mailed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from bulkmail.campaign.intake import Intake

EXPORTS = Path(__file__).parent / "exports.txt"


class Export(NamedTuple):
    """``invalid``: how many rows have no address."""

    program: str
    name: str
    encoding: str
    invalid: int
    text: str


def exports() -> list[Export]:
    found = []
    for section in EXPORTS.read_text("utf-8").split("\n== ")[1:]:
        head, _, text = section.partition("\n")
        program, name, encoding, invalid = head.split(" | ")
        found.append(Export(program, name, encoding, int(invalid), text.rstrip("\n").replace("{CR}", "\r") + "\n"))
    return found


@pytest.mark.parametrize("export", exports(), ids=lambda export: export.program)
def test_who_may_be_mailed_is_and_nobody_else(tmp_path: Path, export: Export) -> None:
    path = tmp_path / export.name
    path.write_bytes(export.text.encode(export.encoding))
    known = export.encoding.startswith("utf")  # by its mark
    intake = Intake([str(path)], encoding=None if known else export.encoding)
    try:
        _, rows, state, done = intake.next(100)
    finally:
        intake.close()
    assert (done, state["rows"]) == (True, len(rows))
    of = {verdict: [row[3].partition("@")[0] for row in rows if row[6] == verdict] for verdict in ("ok", "no-consent")}
    assert of["ok"] == [word for word in dict.fromkeys(re.findall(r"in-\d(?=@)", export.text)) if word]
    assert of["no-consent"] == list(dict.fromkeys(re.findall(r"out-\d(?=@)", export.text)))
    assert [row[6] for row in rows].count("invalid") == export.invalid
    assert len(rows) == len(of["ok"]) + len(of["no-consent"]) + export.invalid


def test_a_file_of_each_program_that_the_page_names_is_here() -> None:
    page = (Path(__file__).parents[2] / "docs" / "campaign.md").read_text("utf-8")
    table = page.partition("### Where a list comes from")[2].partition("\n### ")[0]
    named = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines() if line.startswith("| ")][2:]
    here = {export.program.partition(" (")[0] for export in exports()} | {
        "Apple Contacts",
        "A database",
        "Excel, LibreOffice",
    }
    assert set(named) <= here
    assert len(named) > 15
