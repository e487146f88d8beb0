from __future__ import annotations

import json
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.campaign.contacts import COLUMNS, _entries, _vcards
from bulkmail.campaign.intake import Intake

CARDS = """\
BEGIN:VCARD
VERSION:3.0
PRODID:-//Apple Inc.//macOS 15.1//EN
N:Vogt;Ada;;;
FN:Ada Vogt
ORG:Acorn\\, Ltd.;Workshop
item1.EMAIL;type=INTERNET:ada.home@acorn.example
EMAIL;type=INTERNET;type=WORK;type=pref:ada@acorn.example
ADR;type=HOME;type=pref:;;Mühlweg 7;Kö
 ln;;50667;Germany
PHOTO;ENCODING=b;TYPE=JPEG:AAAA
 BBBB
BDAY:1990-01-05
NOTE:two\\nlines
CATEGORIES:VIP,Blog
END:VCARD

BEGIN:VCARD
VERSION:2.1
N;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:B=E4r;Cleo
FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Cleo =
B=C3=A4r=3B
EMAIL;INTERNET:first@acorn.example
EMAIL;PREF;INTERNET:cleo@acorn.example
PHOTO;JPEG;ENCODING=BASE64:
 AAAA

END:VCARD
begin:vcard
version:4.0
fn:Ben: "the" Oak
email;PREF=2:ben2@acorn.example
email;PREF=1;X="a:b;c":mailto:ben@acorn.example
end:vcard
BEGIN:VCARD
N:Nobody;;;;
END:VCARD
"""
ENTRIES = """\
# an extended LDIF
version: 1

dn: cn=Ada Vogt,mail=ada@acorn.example
objectClass: person
cn: Ada Vo
 gt
givenName:: QWTDoQ==
mail: ada@acorn.example
Mail: other@acorn.example
telephoneNumber: 1
telephoneNumber: 2
jpegPhoto:: AAAA
description:< file:///etc/passwd

dn: cn=Ben
# a remark
 that goes on
cn: Ben
mail: ben@acorn.example

dn: cn=Cleo
changetype: modify
replace: mail
mail: cleo@acorn.example
"""


@pytest.fixture
def rows(tmp_path):
    def rows(text, name):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        intake = Intake([str(path)])
        columns = intake.opened[1][0]
        _, found, _, done = intake.next(1000)
        intake.close()
        assert done
        return columns, [(json.loads(row[5] or "[]"), row[6], row[7]) for row in found]

    return rows


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_card_is_a_row_with_its_preferred_address(rows, ends):
    columns, found = rows(CARDS.replace("\n", ends), "contacts.vcf")
    assert columns == list(COLUMNS)
    ada, cleo, ben, nobody = found
    assert ada[0] == [
        "ada@acorn.example", "Ada Vogt", "Ada", "Vogt", "Acorn, Ltd.", "", "Köln", "Germany", "1990-01-05", "VIP,Blog",
        "",
    ]  # fmt: skip
    assert cleo[0][:4] == ["cleo@acorn.example", "Cleo Bär;", "Cleo", "Bär"]
    assert ben[0][:2] == ["ben@acorn.example", 'Ben: "the" Oak']
    assert [row[1] for row in found] == ["ok", "ok", "ok", "invalid"]
    assert nobody[2].startswith("line 4: ")


def test_a_card_that_cannot_be_read_costs_itself(rows):
    text = (
        b"BEGIN:VCARD\nFN:\xff\nEMAIL:a@b.example\nEND:VCARD\nBEGIN:VCARD\nEMAIL:c@d.example\nEND:VCARD\nBEGIN:VCARD\n"
    )
    _, found = rows(text, "x.vcf")
    assert [row[1] for row in found] == ["bad-row", "ok", "bad-row"]
    assert "its FN cannot be read" in found[0][2]
    assert "ends within a card" in found[2][2]


@pytest.mark.parametrize("charset", ["unicode_escape", "rot13", "iso-8859-99", "x" * 99])
def test_an_unknown_character_set_costs_its_card(rows, charset):
    _, found = rows(f"BEGIN:VCARD\nFN;CHARSET={charset}:\\ud800\nEMAIL:a@b.example\nEND:VCARD\n", "x.vcf")
    assert "its FN cannot be read (unknown encoding: " in found[0][2]


def test_a_card_within_a_card_is_no_row(rows):
    text = "BEGIN:VCARD\nEMAIL:a@b.example\nAGENT:\nBEGIN:VCARD\nEMAIL:no@b.example\nEND:VCARD\nFN:A\nEND:VCARD\n"
    _, found = rows(text, "x.vcf")
    assert [row[0][:2] for row in found] == [["a@b.example", "A"]]


def test_a_long_photograph_is_not_held(rows):
    photo = "PHOTO;ENCODING=b:" + "\n ".join(["A" * 75] * 20_000)
    _, found = rows(f"BEGIN:VCARD\n{photo}\nEMAIL:a@b.example\nEND:VCARD\n", "x.vcf")
    assert found[0][1] == "ok"


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_an_entry_is_a_row_with_its_attributes(rows, ends):
    columns, found = rows(ENTRIES.replace("\n", ends), "people.ldif")
    assert columns == ["cn", "givenname", "email", "telephonenumber"]
    assert found[0] == (["Ada Vogt", "Adá", "ada@acorn.example", "1; 2"], "ok", "")
    assert found[1] == (["Ben", "", "ben@acorn.example", ""], "ok", "")
    assert (found[2][1], len(found)) == ("bad-row", 3)
    assert "is a change of another one" in found[2][2]


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_rows_or_bad_rows(data, of_cards):
    lines = (b"BEGIN:VCARD\n" + data + b"\nEND:VCARD" if of_cards else b"dn: x\n" + data).split(b"\n")
    for line in list(_vcards(iter(lines))) if of_cards else list(_entries(iter(lines))):
        assert isinstance(line, bytes | dict | str)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1), min_size=1))
def test_what_was_encoded_is_read(values):
    lines = [b"dn: x"]
    for number, value in enumerate(values):
        whole = f"a{number}:: ".encode() + b64encode(value.encode())
        lines += [whole[:20], *(b" " + whole[at : at + 19] for at in range(20, len(whole), 19))]
    (entry,) = _entries(iter(lines))
    assert entry == {f"a{number}": value.strip() for number, value in enumerate(values)}
