from __future__ import annotations

import pytest
from jinja2 import Environment

from bulkmail.content.shield import Tags, balanced, bare, ending_of, inert, plain, shielded, word_of


def test_tags_become_signs_and_come_back():
    source = "{# no #}a{{ x }}{%- if y -%} b {% endif %}{% raw %}{{ z }}{% endraw %}{{ x }}"
    hidden, tags = shielded(Environment(), source)
    assert hidden == "a\ufdd00\ufdd1\ufdd01\ufdd1b \ufdd02\ufdd1{{ z }}\ufdd00\ufdd1"
    assert tags == ["{{ x }}", "{% if y %}", "{% endif %}"]
    found = Tags(tags)
    assert found.restored(hidden) == "a{{ x }}{% if y %}b {% endif %}{{ '{' }}{{ '{' }} z }}{{ x }}"
    assert found.blocks(hidden) == ["{% if y %}", "{% endif %}"]
    assert list(found.pieces("p\ufdd01\ufdd1q\ufdd09\ufdd1")) == [("p", "{% if y %}"), ("q", ""), ("", "")]


def test_a_text_cannot_forge_a_sign_or_a_tag():
    assert bare("a\ufdd00\ufdd1\ufdd2b\ufdd3") == "a0b"
    assert Environment().from_string(inert("{{ x }}{%")).render() == "{{ x }}{%"
    assert plain(inert("{{ x")) == "{{ x"


@pytest.mark.parametrize(
    ("tag", "word", "ending"),
    [
        ("{{ if }}", "", ""),
        ("{% if x %}", "if", "endif"),
        ("{%set x = 1%}", "set", ""),
        ("{% set x %}", "block set", "endset"),
        ("{% set ns.x | upper %}", "block set", "endset"),
        ("{% call(x) m() %}", "call", "endcall"),
        ("{% include 'x' %}", "include", ""),
    ],
)
def test_words(tag, word, ending):
    assert word_of(tag) == word
    assert ending_of(word) == ending


@pytest.mark.parametrize(
    ("tags", "sound"),
    [
        ([], True),
        (["{% if x %}", "{% else %}", "{% endif %}"], True),
        (["{% if x %}", "{% for y in z %}", "{% endfor %}", "{% endif %}"], True),
        (["{% set x = 1 %}"], True),
        (["{% if x %}"], False),
        (["{% else %}"], False),
        (["{% if x %}", "{% endfor %}"], False),
        (["{% endif %}", "{% if x %}"], False),
    ],
)
def test_balance(tags, sound):
    assert balanced(tags) is sound
