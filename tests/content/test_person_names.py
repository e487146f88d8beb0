"""Names as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.content.person_names import person

NAMES = [
    ("ann", "Ann"),
    ("ANN", "Ann"),
    ("McDonald", "McDonald"),
    ("MCDONALD", "McDonald"),
    ("mc", "Mc"),
    ("o'neil", "O'Neil"),
    ("O\u2019NEIL", "O\u2019Neil"),
    ("d'angelo", "D'Angelo"),
    ("charles d'artagnan", "Charles d'Artagnan"),
    ("VAN DER BERG", "van der Berg"),
    ("ludwig VAN beethoven", "ludwig VAN beethoven"),
    ("LUDWIG VAN BEETHOVEN", "Ludwig van Beethoven"),
    ("maria de la cruz", "Maria de la Cruz"),
    ("DE", "De"),
    ("jean-luc", "Jean-Luc"),
    ("ANNE-MARIE O'NEIL-MCKAY", "Anne-Marie O'Neil-McKay"),
    ("charles iii", "Charles III"),
    ("MACDONALD", "Macdonald"),
    ("ünal öz", "Ünal Öz"),
    ("İSMAİL IŞIK", "İsmail Işık"),
    ("ZEYNEP YİĞİT", "Zeynep Yiğit"),
    ("ann's", "Ann's"),
    ("(BOB)", "(Bob)"),
    ("李明", "李明"),
    ("", ""),
    ("  ann   lee ", "  Ann   Lee "),
    ("deBoer", "deBoer"),
]


@pytest.mark.parametrize(("given", "written"), NAMES, ids=[str(at) for at in range(len(NAMES))])
def test_names(given: str, written: str) -> None:
    assert person(given) == written


@given(st.text(alphabet="abMcCdD'-  o\u2019éÉ", max_size=20))
def test_only_the_case_of_letters_changes_and_twice_is_once(text: str) -> None:
    once = person(text)
    assert once.lower() == text.lower()
    if once != once.lower() and once != once.upper():
        assert person(once) == once
