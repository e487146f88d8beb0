from __future__ import annotations

from email import message_from_bytes, policy

import pytest

from bulkmail.preflight.letter import all_fields, decoded_words, read_letter
from tests.preflight.conftest import YAML

UMLAUTS = ("jörg@example.org", "Jörg Müßig", "Köln € " + "ő" * 300)
GREEK = ("ann@example.org", "Αθηνά", "Αθήνα " * 400)


@pytest.mark.parametrize("cells", [("ann@example.org", "Ann", "Leeds"), UMLAUTS, GREEK])
@pytest.mark.parametrize("attached", [False, True])
def test_it_reads_what_the_standard_library_reads(letter, folder, own_token, cells, attached):
    (folder.path / "terms.txt").write_text("<html>not a part</html>")
    yaml = YAML + ("attachments: [terms.txt]\n" if attached else "")
    wire = letter(cells=cells, yaml=yaml, raw=True)
    found = read_letter(wire)
    other = message_from_bytes(wire, policy=policy.default)
    html, text = other.get_body(("html",)), other.get_body(("plain",))
    assert found.html.splitlines() == html.get_content().splitlines()
    assert found.text.splitlines() == text.get_content().splitlines()
    assert found.html_size == len(html.get_payload(decode=True))
    assert found.size == len(wire)
    assert found.attachments == (1 if attached else 0)
    assert found.token == own_token
    assert found.subject == str(other["Subject"])
    for name in ("List-Unsubscribe", "Message-ID"):
        assert found.fields[name.lower().encode()].decode() == str(other[name])
    assert [name.decode() for name, _ in all_fields(wire)] == [name.lower() for name in other]


def test_a_letter_of_one_part(letter):
    yaml = YAML.replace("html: body.html.j2", "text: body.html.j2")
    found = letter(yaml=yaml, html="Hello {{ first_name }}\n")
    assert (found.html, found.text, found.html_size) == (None, "Hello Ann\r\n", 0)


def test_what_is_no_letter_of_ours_is_read_as_far_as_it_goes():
    assert read_letter(b"").text == ""
    assert read_letter(b"Content-Type: multipart/mixed\r\n\r\nx").text is None
    assert read_letter(b"Subject: =?x-unknown?q?a?=\r\n\r\nx").subject == "=?x-unknown?q?a?="


def test_encoded_words():
    assert decoded_words(b"=?utf-8?q?Gr=C3=BC=C3=9Fe_?= =?UTF-8?B?YXVz?= Bath =?x") == "Grüße aus Bath =?x"
    assert decoded_words(b"plain") == "plain"
