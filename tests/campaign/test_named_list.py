from __future__ import annotations

import pytest

from bulkmail.campaign.named_list import NAMED_LIST, named_list
from bulkmail.yamlfile import ErrorAt


def read(name: str) -> str:
    if name == "none.csv":
        raise ValueError("none.csv does not exist")
    return name


def test_what_is_not_named_is_empty():
    found = named_list({"file": "a.xlsx", "sheet": "Members"}, read)
    assert (found, found.sheet, found.email) == ("a.xlsx", "Members", "")
    assert set(NAMED_LIST["properties"]) == {"file", "sheet", "email"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"file": "a", "emial": "x"}, "did you mean `email`?"),
        ({"file": "a", "foo": "x"}, "known here: file, sheet, email"),
        ({"sheet": "a"}, "`file` is missing"),
        ({"file": "a", "email": 3}, "must be text"),
        ({"file": "a", "sheet": " "}, "must be text"),
        ({"file": "a", "sheet": "a\nb"}, "line break"),
        ({"file": "none.csv"}, "does not exist"),
    ],
)
def test_what_is_wrong_is_told(given, words):
    with pytest.raises((ValueError, ErrorAt), match=r".") as refused:
        named_list(given, read)
    assert words in str(refused.value)
