"""``html:`` of campaign.yaml in the messages: a preheader, pictures of the folder, style sheets."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any, cast

import pytest

pytest.importorskip("css_inline", reason="the extra `html` is not installed")

from bulkmail.content import check_content, content_notices, pictures_in, same_for_all
from bulkmail.content.letter import reason_for_letters
from bulkmail.content.message import MessageTemplate

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
PICTURES = '<img src="pics/logo%20a.png" alt="a"><img src=\'b.gif?x=1\'><img src=b.gif><img src="https://x.example/y">'


Letters = Callable[..., dict[str, Any]]


@pytest.fixture
def letter(make: Callable[..., dict[str, Any]]) -> Letters:
    """``letter(html, **wanted)``: a campaign's content with these keys of ``html:``."""

    def letter(html: str, **wanted: Any) -> dict[str, Any]:
        return make(html=html, text=None, letter={"inline_css": False, "preheader": "", "pictures": [], **wanted})

    return letter


def composed(content: dict[str, Any]) -> EmailMessage:
    assert check_content(content) == []
    cells = ["Ann & Co" for _ in content["columns"][0]]
    message = MessageTemplate(content).compose(1, "ann@shop.example", 1_795_424_400.0, 0, cells)
    return cast("EmailMessage", email.message_from_bytes(message, policy=email.policy.default))


def html_of(message: EmailMessage) -> str:
    part = message.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def test_pictures_of_the_folder_are_parts_that_the_html_names(letter: Letters) -> None:
    content = letter(f"<body>{PICTURES}</body>")
    assert pictures_in(content) == ["pics/logo a.png", "b.gif"]
    content["letter"]["pictures"] = [("pics/logo a.png", PNG), ("b.gif", b"GIF89a")]
    message = composed(content)
    related = [part for part in message.walk() if part.get_content_type() == "multipart/related"]
    assert len(related) == 1
    assert related[0].get_param("type") == "text/html"
    html, *pictures = related[0].iter_parts()  # type: ignore[attr-defined]
    assert html.get_content_type() == "text/html"
    assert [part.get_content_type() for part in pictures] == ["image/png", "image/gif"]
    assert pictures[0].get_content() == PNG
    assert pictures[0].get_filename() == "logo a.png"
    assert pictures[0]["Content-Disposition"].startswith("inline")
    text = html_of(message)
    for part, times in zip(pictures, (1, 2), strict=True):
        assert text.count(f"cid:{part['Content-ID'].strip('<>')}") == times
    assert "https://x.example/y" in text


def test_a_picture_that_is_not_there_is_told(letter: Letters) -> None:
    content = letter(f"<body>{PICTURES}</body>", pictures=[("b.gif", b"GIF89a")])
    assert [problem.message.partition("`")[2].partition("`")[0] for problem in check_content(content)] == [
        "pics/logo%20a.png"
    ]


def test_the_preheader_is_the_bodys_first_text_and_in_no_plain_text(letter: Letters) -> None:
    message = composed(
        letter("<html><body class=x><p>Hello</p></body></html>", preheader="{{ first_name }} < 3 & more")
    )
    html = html_of(message)
    assert html.startswith('<html><body class=x><div style="display:none;')
    assert "Ann &amp; Co &lt; 3 &amp; more" in html
    text = message.get_body(("plain",))
    assert text is not None
    assert text.get_content().strip() == "Hello"


def test_a_mistake_in_the_preheader_is_told_by_its_key(letter: Letters) -> None:
    (problem,) = check_content(letter("<p>x</p>", preheader="{{ frist_name }}"))
    assert problem.message.startswith("html.preheader: ")


def test_a_preheader_makes_messages_different(letter: Letters) -> None:
    content = letter("<p>x</p>", preheader="x")
    content.update(to="Readers <readers@example.com>", subject="x", unsubscribe=None, headers={})
    assert same_for_all(content)
    content["letter"]["preheader"] = "{{ first_name }}"
    assert not same_for_all(content)


def test_style_sheets_are_inlined_once_or_in_each_letter(letter: Letters) -> None:
    sheet = "<style>p{color:red}</style>"
    once = letter(f"{sheet}<p>{{{{ first_name }}}}</p>", inline_css=True)
    assert reason_for_letters(once) == ""
    assert not [one for one in content_notices(once) if "inline_css" in one.message]
    each = letter(f"{sheet}<p class='{{{{ first_name }}}}'>{{{{ first_name }}}}</p>", inline_css=True)
    assert "`class`" in reason_for_letters(each)
    assert [one.message for one in content_notices(each) if one.message.startswith("html.inline_css: each letter")]
    assert 'style="color: red' in html_of(composed(once))
    assert 'style="color: red' in html_of(composed(each))


def test_without_the_key_the_html_is_the_authors(make: Letters) -> None:
    source = "<style>p{color:red}</style><p>x</p>"
    assert html_of(composed(make(html=source, text=None))).strip() == source
