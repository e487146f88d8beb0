from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from bulkmail.campaign import xls
from bulkmail.mail import Refused

OLD = Path(__file__).parent / "old.xls"
"""By xlwt: a hidden sheet, one with a cell of each kind, and another one."""

LINES = (
    "E-Mail,Vorname,PLZ,Seit,Quote,Betrag,Aktiv,Notiz,Uhrzeit\n"
    'ada@acorn.example,Köln ő,00123,05.01.2026,12.50%,"1,234.50",TRUE,"two\rlines",9:05\n'
    "\n"
    "ben@acorn.example,,00123,,,1234567890123456\n"
)


def test_cells_are_what_people_see(csv_of):
    assert csv_of(str(OLD)) == LINES
    assert csv_of(str(OLD), "Other") == "email\ncleo@acorn.example\n"
    with pytest.raises(Refused, match="has no sheet 'Nope'; it has Notes, Members, Other"):
        csv_of(str(OLD), "Nope")


def test_what_is_broken_is_refused_whatever_it_raises(tmp_path, csv_of):
    whole, rng, path = OLD.read_bytes(), random.Random(7), tmp_path / "list.xls"
    seen = set()
    for _ in range(150):
        data = bytearray(whole)
        data[rng.randrange(1536, 4000)] = rng.choice((0, 255))
        path.write_bytes(data)
        try:
            seen.add(str(csv_of(str(path)) == LINES))
        except Refused as refused:
            seen.add(str(refused).partition(" workbook (")[0].partition(": ")[2])
    assert seen == {"is a broken", "True", "False"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xd0\xcf\x11\xe0rest", "is a broken workbook"),
        (
            OLD.read_bytes().replace(*(one.encode("utf-16-le") for one in ("Workbook", "Document"))),
            "with a password, or",
        ),
    ],
)
def test_what_is_no_workbook_is_refused(tmp_path, csv_of, data, words):
    (tmp_path / "list.xls").write_bytes(data)
    with pytest.raises(Refused, match=words):
        csv_of(str(tmp_path / "list.xls"))


def test_what_is_larger_than_any_list_is_not_read(tmp_path, csv_of):
    path = tmp_path / "list.xls"
    path.write_bytes(OLD.read_bytes())
    os.truncate(path, xls.MOST + 1)
    with pytest.raises(Refused, match=r"of more than 32 MB; save it as \.xlsx or \.csv"):
        csv_of(str(path))


def test_without_its_extra_it_says_what_to_install(csv_of, monkeypatch):
    def missing(_: str) -> None:
        raise ImportError

    monkeypatch.setattr(xls, "import_module", missing)
    with pytest.raises(Refused, match=r"needs the extra bulkmail\[xls\]; install it, or save it as \.xlsx or \.csv"):
        csv_of(str(OLD))
