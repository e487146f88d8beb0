from __future__ import annotations

import pytest

from bulkmail.content.pictures import lost_pictures
from bulkmail.content.templates import TemplateSet

ENVIRONMENT = TemplateSet({}, html=True).environment


def lost(source):
    return list(lost_pictures(ENVIRONMENT, source))


@pytest.mark.parametrize(
    ("source", "column", "words"),
    [
        ('<img alt="x" src="logo.png">', 19, "the picture `logo.png` is not sent along"),
        ("<IMG SRC=images/logo.png>", 10, "the picture `images/logo.png`"),
        ("<img src='cid:logo'>", 11, "the picture `cid:logo` would have to be a part of the message"),
        ('<img src="/img/{{ city }}.png">', 11, "write the whole of it: https://…/img/"),
        ('<img src="C:\\logo.png">', 11, "the picture `C:\\logo.png`"),
        ('<img src="file:///home/me/logo.png">', 11, "is not sent along"),
        ('<td background="bg.jpg">', 17, "the picture `bg.jpg`"),
        ('<img src="img_{{ city }}.png">', 11, "the picture `img_`"),
        ('<img {% if city %}src="a.png"{% endif %}>', 24, "the picture `a.png`"),
    ],
)
def test_a_picture_that_nobody_sees(source, column, words):
    ((line, at, told),) = lost(f"<p>\n{source}</p>")
    assert (line, at) == (2, column)
    assert words in told


@pytest.mark.parametrize(
    "source",
    [
        '<img src="https://example.com/logo.png">',
        '<img src=" http://example.com/logo.png">',
        '<img src="//example.com/logo.png">',
        '<img src="data:image/png;base64,AA==">',
        '<img src="{{ picture }}">',
        '<img src="{% if city %}https://a.test/{% endif %}x.png">',
        '<img alt="no source">',
        '<img src="">',
        '<!-- <img src="logo.png"> -->',
        '{# <img src="logo.png"> #}',
        '<a href="logo.png">x</a>',
    ],
)
def test_a_picture_that_can_be_fetched_or_is_none(source):
    assert lost(source) == []


def test_two_of_one_name_have_two_places():
    assert [found[:2] for found in lost('<img src="a.png">\n<img src="a.png">')] == [(1, 11), (2, 11)]
