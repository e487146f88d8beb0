from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.public.reading import MOST_TOKEN, Wish, language_in, token_in, wish_in

FORM = b"application/x-www-form-urlencoded"
TOKEN = "abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    ("path", "token"),
    [
        (f"/u/{TOKEN}", TOKEN),
        (f"/u/{TOKEN.upper()}", TOKEN),
        (f"/u/{TOKEN}?utm_source=x&token=other", TOKEN),
        (f"/u/{TOKEN}/", TOKEN),
        (f"/u/{TOKEN}%3E", TOKEN),
        (f"/u/{TOKEN}).", TOKEN),
        ("/u/test-abc", "test-abc"),
        ("/u/%61bc", "abc"),
        ("/u/a", "a"),
        ("/u/%zz", "%zz"),
        ("/u/" + "a" * MOST_TOKEN, "a" * MOST_TOKEN),
    ],
)
def test_a_token_is_what_stands_behind_the_prefix(path, token):
    assert token_in(path.encode()) == token


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/u",
        "/u/",
        "/u//",
        "/U/abc",
        "u/abc",
        "//u/abc",
        "/u/a/b",
        "/u/../u/abc",
        "/u/a%2Fb",
        "/u/%00",
        "/u/a%0d%0aX: y",
        "/u/a%20b%7f",
        "/u/%ff",
        "/u/%c3%bc",
        "/u/" + "a" * (MOST_TOKEN + 1),
        "/u/" + "a" * 100_000,
        "https://mail.example.com/u/abc",
        "*",
    ],
)
def test_every_other_path_has_none(path):
    assert token_in(path.encode()) is None


@given(st.binary(max_size=300))
def test_no_path_is_an_error(path):
    for one in (path, b"/u/" + path):
        token = token_in(one)
        assert token is None or (token.isprintable() and token.isascii() and 0 < len(token) <= MOST_TOKEN)


def parts(*fields, boundary=b"x"):
    body = b""
    for head, value in fields:
        body += b"--" + boundary + b"\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + value + b"\r\n"
    return body + b"--" + boundary + b"--\r\n"


ONE_CLICK = parts((b'name="List-Unsubscribe"', b"One-Click"))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FORM, b"List-Unsubscribe=One-Click"),
        (FORM, b"List-Unsubscribe=One-Click\r\n"),
        (FORM, b"list-unsubscribe=one-click"),
        (FORM, b"a=b&List-Unsubscribe=One-Click&action=return"),
        (FORM, b"List%2DUnsubscribe=One%2dClick"),
        (b"Application/X-WWW-Form-URLEncoded; charset=UTF-8", b"List-Unsubscribe=One-Click"),
        (b"application/x-www-form-urlencoded;charset=iso-8859-1", b"List-Unsubscribe=One-Click "),
        (b"", b"List-Unsubscribe=One-Click"),
        (b"text/plain", b"List-Unsubscribe=One-Click"),
        (b"multipart/form-data; boundary=x", ONE_CLICK),
        (b'Multipart/Form-Data; Charset=utf-8; Boundary="x"', ONE_CLICK),
        (b"multipart/form-data;boundary=x", parts((b"name=List-Unsubscribe", b"One-Click\r\n"))),
        (b"multipart/form-data; boundary=x", parts((b'name="list-unsubscribe"; filename="f"', b"one-click"))),
        (b"multipart/form-data; boundary=x", ONE_CLICK.removesuffix(b"--x--\r\n")),
        (b"multipart/form-data; boundary=x", parts((b'name="a"', b"1"), (b'name="List-Unsubscribe"', b"One-Click"))),
    ],
)
def test_one_click_is_read_in_every_form_it_is_sent_in(kind, body):
    assert wish_in(kind, body) is Wish.ONE_CLICK


@pytest.mark.parametrize(
    ("kind", "body", "wish"),
    [
        (FORM, b"action=leave", Wish.LEAVE),
        (FORM, b"action=return", Wish.RETURN),
        (FORM, b"action=return&action=leave", Wish.LEAVE),
        (b"multipart/form-data; boundary=x", parts((b'name="action"', b"return")), Wish.RETURN),
        (FORM, b"action=find", Wish.NOTHING),
        (FORM, b"List-Unsubscribe", Wish.NOTHING),
        (FORM, b"List-Unsubscribe=", Wish.NOTHING),
        (FORM, b"List-Unsubscribe=One-Clicks", Wish.NOTHING),
        (FORM, b"", Wish.NOTHING),
        (FORM, b"&".join([b"a=b"] * 100 + [b"List-Unsubscribe=One-Click"]), Wish.NOTHING),
        (b"application/json", b'{"List-Unsubscribe": "One-Click"}', Wish.NOTHING),
        (b"multipart/form-data", ONE_CLICK, Wish.NOTHING),
        (b"multipart/form-data; boundary=", ONE_CLICK, Wish.NOTHING),
        (b"multipart/form-data; boundary=other", ONE_CLICK, Wish.NOTHING),
        (b"multipart/form-data; boundary=x", b"", Wish.NOTHING),
        (b"multipart/form-data; boundary=x", b"--x" * 1000, Wish.NOTHING),
    ],
)
def test_what_else_a_form_asks_for(kind, body, wish):
    assert wish_in(kind, body) is wish


@given(st.binary(max_size=100), st.binary(max_size=500))
def test_no_form_is_an_error(kind, body):
    for one in (kind, FORM, b"multipart/form-data; boundary=x", b"multipart/form-data; boundary=x;" + kind):
        wish_in(one, body)
        wish_in(one, b"--x\r\n" + body)


@pytest.mark.parametrize(
    ("query", "language"),
    [
        ("?lang=de", "de"),
        ("?utm_source=x&lang=pt_BR&lang=fr", "pt-BR"),
        ("?lang=zh-Hant-HK", "zh-Hant-HK"),
        ("", ""),
        ("?", ""),
        ("?language=de", ""),
        ("?lang=German", ""),
        ("?lang=../../x", ""),
        ("?lang=%00", ""),
        ("?lang=de%0d%0aX-Y:1", ""),
        ("?" + "&".join(["x=y"] * 30), ""),
        ("?lang=" + "de-" * 300, ""),
    ],
)
def test_a_link_may_say_the_language(query, language):
    assert language_in(f"/u/{TOKEN}{query}".encode()) == language
