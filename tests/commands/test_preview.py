from __future__ import annotations

import json
import re
import webbrowser
from email import policy
from email.parser import BytesParser

import dkim
import pytest

from bulkmail import cli
from bulkmail.content import new_pem, record

LIST = """\
email,first_name
ann@example.org,Ann
bob,Bob
carol@example.org,Carolina Maximiliane
ANN@example.org,Ann
dave@example.org,
"""


@pytest.fixture
def spring(place):
    (place / "spring" / "recipients.csv").write_text(LIST)
    return place / "spring"


def test_three_rows_are_shown_and_written(spring, capsys):
    assert cli.main(["preview", "spring"]) == 0
    out = capsys.readouterr().out
    assert "== row 1: ann@example.org (the first row)\nMAIL FROM:<news@example.com>\nSubject: Hi Ann\n" in out
    assert "\nHello Carolina Maximiliane\n" in out
    assert "== row 5: dave@example.org (the emptiest row)" in out
    assert out.endswith("the page for the browser: spring/preview/index.html\n")
    names = ["index.html", "row-1.eml", "row-3.eml", "row-5.eml"]
    assert sorted(path.name for path in (spring / "preview").iterdir()) == names
    message = BytesParser(policy=policy.default).parsebytes((spring / "preview" / "row-3.eml").read_bytes())
    assert message["Subject"] == "Hi Carolina Maximiliane"
    assert not (spring.parent / "spool").exists()


def test_the_return_path_is_that_of_the_row(spring, capsys):
    (spring.parent / "bulkmail.yaml").write_text("inbound: {domains: [bounces.example.com]}\n")
    assert cli.main(["preview", "spring", "--row", "1", "--row", "3", "--json"]) == 0
    paths = [one["envelope_from"] for one in json.loads(capsys.readouterr().out)]
    assert len(set(paths)) == 2
    assert all(re.fullmatch(r"bounces\+[a-z2-7]{26}@bounces\.example\.com", path) for path in paths)
    assert f"<dt>Return path</dt><dd>{paths[0]}</dd>" in (spring / "preview" / "index.html").read_text()


def test_it_is_made_anew_each_time(spring):
    assert cli.main(["preview", "spring"]) == 0
    assert cli.main(["preview", "spring", "--row", "3", "--email", "dave@example.org"]) == 0
    assert {path.name for path in (spring / "preview").iterdir()} == {"index.html", "row-3.eml", "row-5.eml"}


def test_the_signature_is_the_real_one(spring, capsys):
    key = spring.parent / "s1.pem"
    pem = new_pem("rsa")
    key.write_bytes(pem)
    key.chmod(0o600)
    (spring.parent / "bulkmail.yaml").write_text("dkim: [{domain: example.com, selector: s1, key: s1.pem}]\n")
    assert cli.main(["preview", "spring", "--row", "1"]) == 0
    wire = (spring / "preview" / "row-1.eml").read_bytes()
    assert dkim.verify(wire, dnsfunc=lambda *_, **__: record(pem).encode())


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("2", "spring/recipients.csv:3: 'bob' has no @; correct the address"),
        ("4", "spring/recipients.csv: row 4: the same address as row 1"),
    ],
)
def test_a_row_that_cannot_be_sent_is_told_as_check_tells_it(spring, capsys, row, words):
    assert cli.main(["preview", "spring", "--row", row, "--row", "1"]) == 1
    out, err = capsys.readouterr()
    assert err.strip().endswith(words)
    assert "\nHello Ann\n" in out


def test_a_row_whose_template_fails(spring, capsys):
    (spring / "body.txt.j2").write_text("{{ 10 // (first_name|length - 3) }}")
    assert cli.main(["preview", "spring", "--row", "1"]) == 1
    assert "recipients.csv: row 1: text body.txt.j2 line 1: " in capsys.readouterr().err
    assert "division" in (spring / "preview" / "index.html").read_text()


def test_a_row_that_is_not_there(spring, capsys):
    assert cli.main(["preview", "spring", "--row", "6"]) == 1
    assert capsys.readouterr().err == "bulkmail: there is no row 6; recipients.csv has fewer rows\n"


def test_no_row_can_be_sent_to(spring, capsys):
    (spring / "recipients.csv").write_text("email,first_name\n")
    assert cli.main(["preview", "spring"]) == 1
    assert "no row of the list can be sent to" in capsys.readouterr().err


def test_for_programs(spring, capsys):
    assert cli.main(["preview", "spring", "--row", "3", "--row", "2", "--json"]) == 1
    bad, good = json.loads(capsys.readouterr().out)
    assert (bad["row"], bad["error"]) == (2, "line 3: 'bob' has no @; correct the address")
    assert good["subject"] == "Hi Carolina Maximiliane"
    assert good["eml"] == str(spring / "preview" / "row-3.eml")
    assert good["html"] is None
    assert good["text"].strip() == "Hello Carolina Maximiliane"


def test_nothing_that_a_list_holds_moves_the_terminal(spring, capsys):
    (spring / "body.txt.j2").write_text("Hello {{ first_name }}\n")
    (spring / "recipients.csv").write_text("email,first_name\na@example.org,\u202eevil\u009b2J\n")
    cli.main(["preview", "spring", "--row", "1"])
    assert not {"\u202e", "\u009b", "\x1b"} & set(capsys.readouterr().out)


def test_open_hands_the_page_to_the_browser(spring, capsys, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda uri: opened.append(uri) or False)
    assert cli.main(["preview", "spring", "--open"]) == 0
    assert opened == [(spring / "preview" / "index.html").as_uri()]
    assert "no browser could be started" in capsys.readouterr().err


def test_a_link_in_the_place_of_the_folder_is_not_followed(spring, capsys):
    (spring.parent / "elsewhere").mkdir()
    (spring.parent / "elsewhere" / "mine").write_text("mine")
    (spring / "preview").symlink_to(spring.parent / "elsewhere")
    assert cli.main(["preview", "spring"]) == 1
    assert "nothing can be written here: it is a link or a file" in capsys.readouterr().err
    assert (spring.parent / "elsewhere" / "mine").read_text() == "mine"


def test_each_variant_is_shown(spring, capsys):
    with (spring / "campaign.yaml").open("a") as file:
        file.write("variants: {a: {}, b: {subject: 'Bye {{ first_name }}'}, c: {share: 1%, hold_out: true}}\n")
    assert cli.main(["preview", "spring", "--row", "1", "--row", "2", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [(one["row"], one["variant"], one.get("subject")) for one in told] == [
        (1, "a", "Hi Ann"),
        (1, "b", "Bye Ann"),
        (2, None, None),
    ]
    names = {path.name for path in (spring / "preview").iterdir()}
    assert names == {"index.html", "row-1.a.eml", "row-1.b.eml"}
    assert cli.main(["preview", "spring", "--variant", "b", "--row", "3"]) == 0
    assert "== row 3: carol@example.org, variant b\n" in capsys.readouterr().out
    assert cli.main(["preview", "spring", "--variant", "c"]) == 1
    assert "has no variant 'c' that gets a letter; there are: a, b" in capsys.readouterr().err
