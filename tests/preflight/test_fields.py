from __future__ import annotations

import dkim as dkimpy
import pytest

from bulkmail.content import Composer, new_pem
from bulkmail.preflight.fields import signature_kinds, signing_domains, subject_kinds, unsubscribe_kinds
from bulkmail.preflight.letter import Letter, all_fields
from tests.preflight.conftest import HTML, NOW, YAML

EMAIL = "ann@example.org"
CELLS = (EMAIL, "Ann", "Leeds")


@pytest.mark.parametrize(
    ("subject", "codes"),
    [
        ("Spring is here", []),
        ("", ["empty-subject"]),
        (" \t", ["empty-subject"]),
        ("x" * 78, []),
        ("x" * 79, ["long-subject"]),
    ],
)
def test_subjects(subject, codes):
    assert [kind[1] for kind in subject_kinds(subject)] == codes


def unsubscribe(letter, own_token, **changes):
    return [kind[:2] for kind in unsubscribe_kinds(letter(**changes), own_token, EMAIL, CELLS)]


def test_a_letter_with_its_own_link(letter, own_token):
    assert unsubscribe(letter, own_token) == []


@pytest.mark.parametrize(
    ("yaml", "html", "codes"),
    [
        ("", "<p>Hello</p>", [("warning", "no-unsubscribe")]),
        ("", "<p><a href='https://x.example'>Abmelden</a></p>", [("warning", "no-unsubscribe-header")]),
        ("unsubscribe: {mailto: u@example.com}", HTML, [("warning", "unsubscribe-no-one-click")]),
        ('unsubscribe: {url: "https://example.com/u/{{ token }}"}', "<p>x</p>", [("warning", "no-unsubscribe-link")]),
        ('unsubscribe: {url: "https://example.com/u"}', HTML, [("error", "unsubscribe-not-own")]),
        ('unsubscribe: {url: "https://example.com/u?e={{ email|urlencode }}"}', HTML, []),
        ('unsubscribe: {url: "https://example.com/u/{{ city }}"}', HTML, []),
        ('unsubscribe: {url: "https://example.com/u/{{ token }}", mailto: u@example.com}', HTML, []),
    ],
)
def test_ways_out(letter, own_token, yaml, html, codes):
    before = YAML[: YAML.index("unsubscribe:")]
    assert unsubscribe(letter, own_token, yaml=before + yaml + "\n", html=html) == codes


def test_another_token_than_ones_own(letter):
    found = unsubscribe_kinds(letter(number=2), "a" * 26, "x@y.example", ["x@y.example", "Li"])
    assert [kind[1] for kind in found] == ["unsubscribe-not-own"]


EMPTY = (0, 0, 0, frozenset())  # sizes, attachments, pictures


def test_a_field_that_is_not_https_or_whose_post_is_another():
    fields = {b"list-unsubscribe": b"<http://x.example/tok>", b"list-unsubscribe-post": b"x"}
    found = unsubscribe_kinds(Letter(fields, "", None, "http://x.example/tok", *EMPTY), "tok", EMAIL, CELLS)
    assert [kind[1] for kind in found] == ["unsubscribe-not-https", "unsubscribe-no-one-click"]
    fields[b"list-unsubscribe"] = b"<https://x.example/tok>"
    found = unsubscribe_kinds(Letter(fields, "", None, "https://x.example/tok", *EMPTY), "tok", EMAIL, CELLS)
    assert [kind[1] for kind in found] == ["unsubscribe-no-one-click"]


def test_the_production_signature_covers_what_it_must(folder):
    _, content = folder.prepared()
    keys = [{"domain": "example.com", "selector": "s1", "pem": new_pem("rsa")}]
    composer = Composer()
    composer.handle(("load", 0, {**content, "dkim": keys}))
    ((_, wire, _, _),) = composer.handle(("compose", 0, [(1, 1, EMAIL, NOW, 0, '["ann@example.org","Ann","Leeds"]')]))
    fields = all_fields(wire)
    assert signature_kinds(fields, unsubscribe=True) == []
    assert signing_domains(fields) == ["example.com"]
    (value,) = [value for name, value in fields if name == b"dkim-signature"]
    tags = dkimpy.util.parse_tag_value(value)
    assert b"List-Unsubscribe-Post".lower() in {name.strip().lower() for name in tags[b"h"].split(b":")}


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        ([(b"dkim-signature", b"v=1; d=a; h=from:list-unsubscribe; b=x")], ["unsubscribe-not-signed"]),
        ([(b"dkim-signature", b"v=1; d=a; h=From : List-Unsubscribe : List-Unsubscribe-Post; b=x")], []),
        ([(b"dkim-signature", b"v=1; bh=h=; h=list-unsubscribe:list-unsubscribe-post")], ["from-not-signed"]),
        ([], ["unsubscribe-not-signed"]),
    ],
)
def test_signatures_that_leave_fields_out(fields, codes):
    fields = [*fields, (b"from", b"x"), (b"list-unsubscribe", b"<https://x>"), (b"list-unsubscribe-post", b"y")]
    assert [kind[1] for kind in signature_kinds(fields, unsubscribe=True)] == codes


def test_without_unsubscribe_no_signature_is_asked_for():
    assert signature_kinds([(b"from", b"x")], unsubscribe=False) == []
    assert signing_domains([(b"from", b"x")]) == []
