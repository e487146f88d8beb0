from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkmail.campaign import Campaign, load_campaign
from bulkmail.campaign.encoding import open_bytes
from bulkmail.campaign.files import ListPath
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


def xlsx(
    rows: str,
    *,
    shared: list[str] | None = None,
    codes: list[str] | None = None,
    more: dict[str, str] | None = None,
    sheets: str = '<sheet name="One" sheetId="1" r:id="rId1"/>',
    properties: str = "",
) -> dict[str, str]:
    """The parts of a small workbook: ``rows`` is the XML of its rows, ``codes`` the number formats of styles 1, 2, …"""
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    formats = "".join(f'<numFmt numFmtId="{164 + at}" formatCode="{code}"/>' for at, code in enumerate(codes or []))
    styles = "".join(f'<xf numFmtId="{164 + at}"/>' for at in range(len(codes or [])))
    relation = "".join(
        f'<Relationship Id="{key}" Type="{office}/{kind}" Target="{target}"/>'
        for key, kind, target in (
            ("rId1", "worksheet", "worksheets/sheet1.xml"),
            ("rId2", "worksheet", "/xl/worksheets/sheet2.xml"),
            ("rId3", "styles", "styles.xml"),
            ("rId4", "sharedStrings", "sharedStrings.xml"),
        )
    )
    texts = "".join(f"<si>{text if text.startswith('<') else f'<t>{text}</t>'}</si>" for text in shared or [])
    return {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": f'<Relationships><Relationship Id="a" Type="{office}/officeDocument" Target="xl/workbook.xml"/>'
        "</Relationships>",
        "xl/workbook.xml": f'<workbook xmlns:r="x">{properties}<sheets>{sheets}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f"<Relationships>{relation}</Relationships>",
        "xl/styles.xml": f'<styleSheet><numFmts>{formats}</numFmts><cellStyleXfs><xf numFmtId="9"/></cellStyleXfs>'
        f'<cellXfs><xf numFmtId="0"/>{styles}</cellXfs></styleSheet>',
        "xl/sharedStrings.xml": f"<sst>{texts}</sst>",
        "xl/worksheets/sheet1.xml": f"<worksheet><sheetData>{rows}</sheetData></worksheet>",
        **(more or {}),
    }


def ods(tables: str, styles: str = "") -> dict[str, str]:
    """The parts of a small OpenDocument spreadsheet."""
    spaces = " ".join(f'xmlns:{name}="urn:{name}"' for name in ("office", "table", "text", "style", "draw"))
    return {
        "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
        "content.xml": f"<office:document-content {spaces}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body></office:document-content>",
    }


@pytest.fixture
def book(tmp_path: Path) -> Callable[..., str]:
    """Write a workbook of these parts; its path."""

    def book(parts: dict[str, str], name: str = "list.xlsx") -> str:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for part, text in parts.items():
                archive.writestr(part, text)
        return str(path)

    return book


@pytest.fixture
def csv_of() -> Callable[..., str]:
    """The lines that a list's file is read as."""

    def csv_of(path: str, sheet: str | None = None) -> str:
        given = ListPath.of(path)
        given.sheet = sheet
        source = open_bytes(given, "utf-8")
        try:
            return b"".join(iter(lambda: source.read(100), b"")).decode("utf-8", "surrogatepass")
        finally:
            source.close()

    return csv_of
