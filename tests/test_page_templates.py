from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from bulkmail.page_templates import page_environment, page_template


def test_every_value_is_escaped_and_none_is_missing(tmp_path):
    (tmp_path / "page.txt.j2").write_text("<p>{{ word }}</p>\n  {% if word %}\n!\n  {% endif %}\n")
    template = page_template(str(tmp_path), "page.txt.j2")
    assert template.render(word="<b>") == "<p>&lt;b&gt;</p>\n!\n"
    with pytest.raises(UndefinedError, match="'word' is undefined"):
        template.render()
    assert page_template(str(tmp_path), "page.txt.j2") is template
    loud = page_environment(str(tmp_path), finalize=lambda value: f"{value}<!")
    assert loud.get_template("page.txt.j2").render(word="x").startswith("<p>x&lt;!</p>")
