from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from bulkmail.campaign.selection import ConsentKey, SampleKey

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


@pytest.mark.parametrize(("given", "share"), [("10%", 0.1), ("0.5 %", 0.005), (0.25, 0.25), (1, 1.0), ("100%", 1.0)])
def test_a_share(given, share):
    assert TypeAdapter(SampleKey).validate_python(given) == pytest.approx(share)


@pytest.mark.parametrize("given", ["0%", "101%", "ten", 0, 2, True, None, [1]])
def test_what_is_no_share(given):
    with pytest.raises(ValidationError, match=r"must be (a share|more than 0%)"):
        TypeAdapter(SampleKey).validate_python(given)


def test_the_other_keys_are_checked_at_their_place(refusal):
    (problem,) = refusal("where: plan ==")
    assert problem.startswith("campaign.yaml:6:8: where: is not a condition (unexpected 'end of template'); write it")
    assert "limit" in refusal("limit: 0")[0]
    assert "must be the name of a column" in refusal("order_by: '-'")[0]
