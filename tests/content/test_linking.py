"""``links:`` of campaign.yaml in the messages."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Callable
from typing import Any

import pytest

from bulkmail.content import check_content, content_notices, counted_links, links_in_words, same_for_all
from bulkmail.content.compose import message_template
from bulkmail.content.message import MessageTemplate
from bulkmail.mail import campaign_key, link_id, read_click

UTM = {"utm_source": "news", "utm_campaign": "{{ campaign }}"}
ADDED = "utm_source=news&amp;utm_campaign=spring-sale"
PLAIN = ADDED.replace("&amp;", "&")

Make = Callable[..., dict[str, Any]]


@pytest.fixture
def linked(make: Make) -> Make:
    """``linked(html, **changes)``: a content whose links get parameters."""

    def linked(html: str | None, **changes: Any) -> dict[str, Any]:
        given = {"html": html, "text": None, "links": {"utm": UTM}, "columns": [["email", "u", "p"]]}
        return make(**{**given, "subject": "s", **changes})

    return linked


def composed(content: dict[str, Any], *cells: str) -> dict[str, str]:
    """The parts of the message by their kind."""
    assert check_content(content) == []
    template = message_template(content)
    row = template.rendered(1, "ann@shop.example", 1_795_424_400.0, 0, ["ann@shop.example", *cells])
    message = template.draft(row).signed()
    read = email.message_from_bytes(message, policy=email.policy.default)
    return {part.get_content_subtype(): str(part.get_content()) for part in read.walk() if not part.is_multipart()}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<a href="https://x.example/a">', f'<a href="https://x.example/a?{ADDED}">'),
        ("<area HREF = 'https://x.example/'>", f"<area HREF = 'https://x.example/?{ADDED}'>"),
        ("<a href=https://x.example/a class=b>", f"<a href=https://x.example/a?{ADDED} class=b>"),
        ('<a href="https://x.example/{{ p }}">', f'<a href="https://x.example/q?r=1&amp;s&amp;{ADDED}#t">'),
        ('<a href="{{ u }}">', f'<a href="https://u.example/?v=1&amp;w&amp;{ADDED}#z">'),
        ('<a href="{% if p %}{{ u }}{% endif %}">', f'<a href="https://u.example/?v=1&amp;w&amp;{ADDED}#z">'),
        (
            '<!--[if mso]><v:roundrect href="https://x.example"><![endif]-->',
            f'<!--[if mso]><v:roundrect href="https://x.example?{ADDED}"><![endif]-->',
        ),
        ('<!-- <a href="https://x.example"> -->', '<!-- <a href="https://x.example"> -->'),
        ('<img src="https://x.example/a.png"><link href="https://x.example/">', None),
        ('<a href="mailto:{{ email }}"><a href="tel:1"><a href="#a"><a href="">', None),
        ('<a href="{{ unsubscribe_url }}"><a href="https://example.com/out/{{token}}">', None),
        ("<a href=\"https://example.com/{{ 'out/' ~ token }}\">", None),
        ('<a href="https://x.example/{# c #}b">', f'<a href="https://x.example/b?{ADDED}">'),
    ],
    ids=[
        "plain",
        "area",
        "bare",
        "path",
        "whole",
        "if",
        "outlook",
        "comment",
        "img",
        "mail",
        "out",
        "made",
        "note",
    ],
)
def test_links_of_html(linked: Make, before: str, after: str | None) -> None:
    content = linked(f"<p>x {before}", unsubscribe={"url": "https://example.com/out/{{ token }}", "mailto": None})
    html = composed(content, "https://u.example/?v=1&w#z", "q?r=1&s#t")["html"]
    if after is None:
        untouched = composed({**content, "links": None}, "https://u.example/?v=1&w#z", "q?r=1&s#t")["html"]
        assert html == untouched
    else:
        assert html.rstrip() == f"<p>x {after}"


def test_the_text_that_is_made_has_the_same_links(linked: Make) -> None:
    html = (
        '<a href="https://a.example/?b=1&amp;c">here</a><br><a href="https://x.example">https://x.example</a><br>'
        '<a href="{{ u }}">there</a><br><a href="mailto:a@x.example">a@x.example</a><br><a href="{{ p }}">up</a>'
    )
    assert composed(linked(html), "https://u.example/#z", "#top")["plain"].split("\r\n")[:5] == [
        f"here (https://a.example/?b=1&c&{PLAIN})",
        f"https://x.example?{PLAIN}",
        f"there (https://u.example/?{PLAIN}#z)",
        "a@x.example",
        "up (#top)",
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("see https://x.example/a, or", f"see https://x.example/a?{PLAIN}, or"),
        ("(https://x.example/a_(b)?c[0]=1).", f"(https://x.example/a_(b)?c[0]=1&{PLAIN})."),
        ("<https://x.example>", f"<https://x.example?{PLAIN}>"),
        ("https://x.example/{{ p }}!", f"https://x.example/q?{PLAIN}#t!"),
        ("{{ u }}.", f"https://u.example/?{PLAIN}."),
        ("{% if p %}https://x.example/{% endif %}", f"https://x.example/?{PLAIN}"),
        ("https://x.example/{% if p %}y{% else %}z{% endif %}", f"https://x.example/y?{PLAIN}"),
        ("https://x.example/{% if p %}y z{% endif %}", "https://x.example/y z"),
        ("{{ p }} {{ email }} a@http://x", "q#t ann@shop.example a@http://x"),
        ("https://example.com/unsubscribe/{{ token }}", None),
        ("„https://x.example/a“, “https://x.example”!", f"„https://x.example/a?{PLAIN}“, “https://x.example?{PLAIN}”!"),
        ("«https://x.example/a» …", f"«https://x.example/a?{PLAIN}» …"),
        (
            "：https://x.example/a。（https://x.example）、",
            f"：https://x.example/a?{PLAIN}。（https://x.example?{PLAIN}）、",
        ),
        ("https://x.example/a… now", f"https://x.example/a?{PLAIN}… now"),
        ("https://x.example/straße/東京.", f"https://x.example/straße/東京?{PLAIN}."),
        (
            "„{{ u }}“, {{ u }}! {{ u }}?",
            f"„https://u.example/?{PLAIN}“, https://u.example/?{PLAIN}! https://u.example/?{PLAIN}?",
        ),
        ("：{{ u }}。", f"：https://u.example/?{PLAIN}。"),
        ("{{ u }}?b=1 {{ u }}:8080", "https://u.example/?b=1 https://u.example/:8080"),
    ],
    ids=[
        *("comma", "brackets", "angles", "path", "whole", "if", "inside", "beyond", "others", "out"),
        *("quotes", "guillemets", "chinese", "ellipsis", "letters", "quoted", "east", "goes on"),
    ],
)
def test_links_of_a_text_template(linked: Make, before: str, after: str | None) -> None:
    content = linked(None, html_name="", text=before)
    text = composed(content, "https://u.example/", "q#t")["plain"].rstrip()
    assert text == (composed({**content, "links": None}, "", "")["plain"].rstrip() if after is None else after)


def test_a_value_of_the_row_is_encoded_in_included_and_imported_files_too(linked: Make) -> None:
    content = linked(
        '{% from "m.html" import link %}{{ link() }}{% include "i.html" %}',
        links={"utm": {"utm_term": "{{ p }}"}},
        includes={
            "m.html": '{% macro link() %}<a href="https://m.example">m</a>{% endmacro %}',
            "i.html": '<a href="https://i.example/?utm_term=own">i</a>',
        },
    )
    template = MessageTemplate(content)
    for value, expected in (("R&D", "R%26D"), ("ü", "%C3%BC")):
        cells = ["ann@shop.example", "", value]
        html = template.compose(1, "ann@shop.example", 1_795_424_400.0, 0, cells).replace(b"=\r\n", b"")
        assert f'm.example?utm_term=3D{expected}"'.encode() in html
        assert b"utm_term=3Down" in html


def test_what_is_told_of_the_links(linked: Make) -> None:
    content = linked('<a href="https://x.example">\n<a {% if p %}href="{{ u }}{% endif %}">x</a>')
    assert links_in_words(content) == "1 link gets utm_source, utm_campaign"
    assert links_in_words(linked("", links=None)) == ""
    told = [str(one) for one in content_notices(linked('x\n<a href="{{ u }}{% if p %}">a</a>{% endif %}'))]
    assert any("body.html.j2:2:" in one and "tags that reach beyond it" in one for one in told), told


def test_a_wrong_value_is_told_by_its_key(linked: Make) -> None:
    problems = check_content(linked("x", links={"utm": {"utm_term": "{{ nope }}", "utm_source": "{{"}}))
    assert sorted(problem.message.partition(": ")[0] for problem in problems) == ["links.utm.source", "links.utm.term"]


def test_a_value_of_the_row_makes_each_message_its_own(linked: Make) -> None:
    content = linked("x", to="Readers <r@example.com>")
    assert same_for_all(content)
    assert not same_for_all({**content, "links": {"utm": {"utm_term": "{{ p }}"}}})


def test_counted_links_are_signed_and_lead_where_they_led(linked: Make) -> None:
    key = campaign_key(bytes(32), 5)
    html = (
        '<a href="https://x.example/a?b=1&amp;c#d">a</a> <a href="{{ u }}">b</a> <a href="mailto:{{ email }}">c</a>'
        '<a href="{{ unsubscribe_url }}">out</a> <a href="https://x.example/a?b=1&amp;c#d">again</a>'
    )
    unsubscribe = {"url": "https://m.example/u/{{ token }}", "mailto": None}
    wanted = {"utm": {"utm_source": "n"}, "clicks": "https://m.example/c/"}
    content = linked(html, key=key, links=wanted, unsubscribe=unsubscribe)
    assert counted_links(content) == {
        link_id("https://x.example/a?b=1&c#d"): "https://x.example/a?b=1&c#d",
        link_id("{{u}}"): "{{u}}",
    }
    assert links_in_words(content) == "3 links get utm_source and are counted"
    parts = composed(content, "https://u.example/?v&w=\u00fc")
    for part in parts.values():
        links = re.findall(r"https://m\.example/c/([^?]+)\?([^\s\"<>)]+)", part)
        clicks = [read_click(bytes(32), path.encode(), query.encode()) for path, query in links]
        found = [(click.campaign_id, click.number, click.target) for click in clicks if click]
        assert len(found) == len(clicks)
        assert list(dict.fromkeys(found)) == [
            (5, 1, "https://x.example/a?b=1&c&utm_source=n#d"),
            (5, 1, "https://u.example/?v&w=\u00fc&utm_source=n"),
        ]
        assert part.count("https://m.example/u/") == 1
        assert "ann@shop.example" in part
    assert "/c/" not in "".join(composed({**content, "token_mark": "test-"}, "").values())


def test_the_variant_stands_in_a_counted_link(linked: Make) -> None:
    key = campaign_key(bytes(32), 5)
    content = linked("x", html_name="", key=key, links={"clicks": "https://m.example/c/"})
    shares = [("B-2", 1_000_000, False)]
    letter = {"html": None, "text": "see https://x.example/."}
    content["variants"] = {"shares": shares, "letters": {"B-2": letter}, "winner": ""}
    assert link_id("https://x.example/") in counted_links(content)
    text = composed(content, "")["plain"]
    path, query = re.findall(r"/c/([^?]+)\?(\S+)", text)[0]
    click = read_click(bytes(32), path.encode(), query.encode())
    assert click is not None
    assert (click.variant, click.target) == ("B-2", "https://x.example/")
