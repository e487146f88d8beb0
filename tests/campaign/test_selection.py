from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from bulkmail.campaign.selection import ConsentKey

consent = TypeAdapter(ConsentKey).validate_python


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ({"column": " opted in ", "yes": "y"}, {"column": "opted in", "yes": ["y"]}),
        ({"column": "ok", "yes": [True, 1, "ja"]}, {"column": "ok", "yes": ["true", "1", "ja"]}),
    ],
)
def test_consent_becomes_plain_data(given, rule):
    assert consent(given) == rule


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("yes", "must be auto, none, or a column"),
        (True, "must be auto, none, or a column"),
        ({"colum": "a", "yes": ["b"]}, "did you mean `column`"),
        ({"other": "a"}, "known here: column, yes"),
        ({"column": "a"}, "`yes` is missing"),
        ({"yes": "a"}, "`column` is missing"),
        ({"column": " ", "yes": "a"}, "must be the name of a column"),
        ({"column": "a", "yes": []}, "none empty"),
        ({"column": "a", "yes": ["x", ""]}, "none empty"),
        ({"column": "a", "yes": [{"x": 1}]}, "none empty"),
    ],
)
def test_other_values_are_refused_with_what_would_be_right(given, words):
    with pytest.raises(ValidationError, match="1 validation error") as refused:
        consent(given)
    assert words in str(refused.value)
