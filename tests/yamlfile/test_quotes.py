from __future__ import annotations

import pytest

from bulkmail.yamlfile import curly_quotes, load


@pytest.mark.parametrize("value", ["\u201cHello\u201d", "\u201eHallo\u201c", "\u2018Hi\u2019", "\u00abSalut\u00bb"])
def test_a_value_in_curly_quotes_is_told_with_its_place(tmp_path, value):
    path = tmp_path / "campaign.yaml"
    path.write_text(f"name: x\ntemplate:\n  subject: {value}\n")
    (problem,) = curly_quotes(load(str(path)))
    assert str(problem).startswith(f"{path}:3:12: template.subject: the quotes {value[0]} {value[-1]} are a part of")


@pytest.mark.parametrize(
    "value",
    [
        "Hello",
        '"Hello"',
        "\u201cYes\u201d, she said, \u201cno\u201d",
        "It\u2019s \u201cnew\u201d",
        "\u201c",
        "[\u201ca, b\u201d]",
    ],
)
def test_what_stands_so_in_a_text_is_no_mistake(tmp_path, value):
    path = tmp_path / "campaign.yaml"
    path.write_text(f"subject: {value}\n")
    assert curly_quotes(load(str(path))) == []
