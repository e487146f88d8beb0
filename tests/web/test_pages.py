from __future__ import annotations

import base64
import hashlib
import re

import pytest

from bulkmail.web import pages
from bulkmail.web.pages import address, harmless, headers, see_other, told

FRAME = {"who": "ann", "role": "look", "token": "t", "can": []}


@pytest.mark.parametrize("text", ["a\x00b", "a\x1b[31m", "a\u202eb", "a\nb", "a\u200bb"])
def test_what_cannot_be_seen_is_replaced(text):
    assert "\N{REPLACEMENT CHARACTER}" in harmless(text)
    assert harmless(text).isprintable()


def test_what_can_be_seen_stays():
    assert harmless("Ünïcode 漢字 <b>") == "Ünïcode 漢字 <b>"
    assert harmless(7) == 7
    assert len(harmless("x" * 5000)) == 2001


def test_a_sentence_is_escaped_and_the_policy_names_the_style():
    answer = told(409, "<script>alert(1)</script>", FRAME)
    text = answer.body.decode()
    assert (answer.status, "<script" in text) == (409, False)
    assert "&lt;script&gt;" in text
    style = re.search(r"<style>(.*)</style>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = headers()[b"Content-Security-Policy"].decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "script-src" not in policy
    assert "script-src 'self';" in headers(scripts=True)[b"Content-Security-Policy"].decode()
    assert policy.startswith("default-src 'none'")


def test_no_page_has_a_style_of_its_own_or_a_script():
    for name in pages._environment().list_templates():
        source = pages._environment().loader.get_source(pages._environment(), name)[0]
        assert not re.search(r"\sstyle=|\son\w+=|<script(?! defer src=)|javascript:|\|\s*safe", source), name


def test_an_address_is_one_part_whatever_is_in_it():
    assert address("campaigns", "a/b?c#d é") == "/campaigns/a%2Fb%3Fc%23d%20%C3%A9"
    assert see_other("/", {b"Set-Cookie": b"x"}).headers[b"Location"] == b"/"
