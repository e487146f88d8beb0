"""The whole preflight with its real processes, on small lists."""

from __future__ import annotations

import csv

import pytest

from bulkmail.mail import Problem
from tests.preflight.conftest import CSV, HTML, codes

pytestmark = pytest.mark.process

MANY = "email,first_name,city\n" + "".join(f"u{n}@d{n % 7}.example,Name{n},Town\n" for n in range(3000))


def lines(folder):
    with (folder.path / "check.csv").open(encoding="utf-8-sig", newline="") as file:
        return [(row["row"], row["email"], row["code"]) for row in csv.DictReader(file)]


def test_a_small_list_with_one_of_each(folder):
    folder.write(
        csv=CSV
        + "foo,Dave,Hull\n"
        + "Ann@example.org,Again,Leeds\n"
        + "eve@gmial.com,Eve,\n"
        + "info@example.org,*|FNAME|*,York\n"
        + "no@example.org,No,York\n",
        yaml=(folder.path / "campaign.yaml").read_text() + "suppress: [no.txt]\n",
    )
    (folder.path / "no.txt").write_text("no@example.org\n")
    found = folder.look()
    assert (found.rows, found.mailed, found.repeated, found.suppressed, found.unusable) == (8, 5, 1, 1, 1)
    assert found.unusable_rows == (4,)
    assert found.mistyped_as == ("gmial.com",)
    assert found.subject == "Ann, spring is here"
    assert found.composed == 6
    assert {name: domain.count for name, domain in found.domains.items()} == {
        "example.org": 3,
        "example.net": 1,
        "gmial.com": 1,
    }
    assert ("warning", "leftover") in codes(found), "it stands so in the row"
    assert {code for _, code in codes(found)} == {
        "leftover",
        "invalid-address",
        "mistyped-domain",
        "empty-value",
        "role-address",
        "unsubscribe-not-signed",
    }
    (unsigned,) = (one for one in found.findings if one.code == "unsubscribe-not-signed")
    assert (unsigned.count, unsigned.rows) == (found.mailed, ())
    told = lines(folder)
    assert ("5", "Ann@example.org", "duplicate") in told
    assert ("6", "eve@gmial.com", "mistyped-domain") in told
    assert ("6", "eve@gmial.com", "empty-value") in told
    assert ("4", "foo", "invalid-address") in told
    assert ("8", "no@example.org", "suppressed") in told


def test_domains_are_looked_up_while_the_rows_are_composed(folder, server):
    server.zone = {f"d{n}.example": {"MX": ["10 mx.example."]} for n in range(5)} | {"mx.example": {"A": ["127.0.0.1"]}}
    server.zone["d5.example"] = {"MX": ["0 ."]}
    folder.settings_text = (
        f'dns: {{nameservers: ["{server.address}"], must_exist: []}}\nrouting: {{allow_networks: [127.0.0.0/8]}}\n'
    )
    progress = []
    found = folder.write(csv=MANY).look(dns=True, told=lambda *told: progress.append(told))
    told = {one.where: (one.code, one.count) for one in found.findings if one.code.startswith("domain")}
    assert told == {"d5.example": ("domain-takes-no-mail", 428), "d6.example": ("domain-does-not-exist", 428)}
    assert found.domains["d0.example"].route.hosts[0].name == "mx.example"
    written = [row for row in lines(folder) if row[2] == "domain-takes-no-mail"]
    assert written[0][:2] == ("6", "u5@d5.example")
    assert len(written) == 428
    rows = [told for told in progress if told[0] == "rows"]
    assert rows[-1][1] == 3000
    assert 2000 < rows[0][2] < 4000
    assert ("domains", 7, 7) in progress


def test_nothing_wrong(folder):
    (folder.place / "k.pem").write_bytes(__import__("bulkmail.content").content.new_pem("rsa"))
    (folder.place / "k.pem").chmod(0o600)
    folder.settings_text = "dkim: [{domain: example.com, selector: s1, key: k.pem}]\n"
    found = folder.look()
    assert found.findings == ()
    assert found.signed_by == ("example.com",)
    assert lines(folder) == []


def test_no_row_that_can_be_mailed_is_an_error_and_no_row_is_a_warning(folder):
    found = folder.write(csv="email,first_name,city\nfoo,a,b\nbar,c,d\n").look()
    assert ("error", "no-recipient") in codes(found)
    assert found.mailed == 0
    found = folder.write(csv="email,first_name,city\n").look()
    assert codes(found) == [("warning", "empty-list")]
    assert found.rate == 0.0


def test_a_template_that_fails_everywhere(folder):
    found = folder.write(html=HTML + "{{ 1 // (city|length - city|length) }}").look()
    assert [code for _, code in codes(found)][:2] == ["no-message", "template-error"]
    (error,) = [one for one in found.errors if one.code == "template-error"]
    assert error.where == "body.html.j2:4"
    assert error.count == 3
    assert (found.mailed, found.not_composed) == (0, 3)


def test_what_the_lists_say_of_consent_is_told_for_all_rows(folder):
    rows = "".join(f"u{n}@example.org,N{n},Bath,{'no' if n % 2 else 'yes'}\n" for n in range(300))
    folder.write(csv="email,first_name,city,Accepts Email Marketing\n" + rows)
    (notice,) = [one for one in folder.look().findings if one.code == "notice"]
    assert "150 of 300 rows say in column `Accepts Email Marketing`" in notice.message
    assert notice.where.endswith("recipients.csv:1:23")


def test_of_what_is_known_already_only_that_is_left_out_which_is_told_anew(folder):
    folder.write(csv="email,first_name,city,unsubscribed\na@example.org,Ann,Bath,yes\nb@example.org,Bob,Bath,no\n")
    recipients = str(folder.path / "recipients.csv")
    known = [
        Problem(recipients, 1, 23, "1 of the first 1 rows say in column `unsubscribed` that they may not be mailed"),
        Problem("campaign.yaml", 0, 0, "mail is not signed"),
        Problem("campaign.yaml", 0, 0, "the host name is not a full one"),
    ]
    told = [one.message for one in folder.look(notices=known).findings if one.code == "notice"]
    assert told[:2] == ["mail is not signed", "the host name is not a full one"]
    assert len(told) == 3
    assert told[2].startswith("1 of 2 rows say in column `unsubscribed`")
