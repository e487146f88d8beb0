from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bulkmail import __version__, cli
from bulkmail.content import key_in_words, record, zone_lines
from bulkmail.settings import load_settings
from bulkmail.shaping import RetryPlan
from bulkmail.spool import Attempt, Journalled, Settlement, SiteFact, SqliteStore
from bulkmail.spool.place import Lock

YAML = """\
name: spring
from: "Example Shop <news@example.com>"
subject: "Hi {{ first_name }}"
template: {text: body.txt.j2}
recipients: recipients.csv
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    folder = tmp_path / "spring"
    folder.mkdir()
    (folder / "campaign.yaml").write_text(YAML)
    (folder / "body.txt.j2").write_text("Hello {{ first_name }}\n")
    (folder / "recipients.csv").write_text("email,first_name\na@example.org,Ann\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def spool(place):
    """A spool with one running campaign of three rows, one of them delivered."""
    folder = place / "spool"
    folder.mkdir(mode=0o700)
    store = SqliteStore(str(folder / "spool.sqlite3"))
    store.recover(Journalled(found=True), "boot", RetryPlan(), 1000.0)
    for name in ("spring", "summer"):
        store.create_campaign(
            name, f"/c/{name}", key=b"k" * 32, content={}, digests={}, files=[("r.csv", ["email"])], now=1.0
        )
    rows = [(n, 0, n, f"u{n}@a.example", "a.example", json.dumps([f"u{n}@a.example"]), "ok", "") for n in (1, 2, 3)]
    store.add_rows(1, rows, {}, False, 1000.0)
    store.set_state(1, "running", 1000.0)
    (claimed,) = store.claim([(1, 1)], 1001.0)[1]
    store.settle([Settlement(claimed.id, 1, "delivered", attempt=Attempt(1002.0, 1, "delivered"), completed_at=1002.0)])
    store.close()
    return folder


def test_check_says_that_all_is_well(place, capsys):
    assert cli.main(["check", "spring"]) == 0
    assert capsys.readouterr().out == "spring: nothing wrong was found\n"
    assert not (place / "spool").exists()


def test_check_refuses_what_a_start_would_refuse(place, capsys):
    (place / "spring" / "campaign.yaml").write_text(YAML + "colour: red\nfrom_: x\n")
    assert cli.main(["check", "spring/campaign.yaml"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "campaign.yaml:6:1: `colour`" in err
    assert "campaign.yaml:7:1: `from_`" in err
    assert "Traceback" not in err


def test_check_with_settings_that_are_wrong(place, capsys):
    (place / "other.yaml").write_text("retry: {schedule: [soon]}\n")
    assert cli.main(["check", "spring", "--settings", "other.yaml"]) == 1
    assert "other.yaml:1:" in capsys.readouterr().err


def test_status_for_people(spool, capsys):
    assert cli.main(["status"]) == 0
    assert capsys.readouterr().out == (
        "spring: running, 3 rows so far: delivered 1, pending 2\nsummer: ready, 0 rows so far: none yet\n"
    )


def test_status_of_one_campaign_for_programs(spool, capsys):
    assert cli.main(["status", "spring", "--json"]) == 0
    ((figures),) = json.loads(capsys.readouterr().out)
    assert (figures["campaign"], figures["state"], figures["input_rows"]) == ("spring", "running", 3)
    assert sum(figures["by_status"].values()) == 3
    assert figures["by_status"]["delivered"] == 1
    assert (figures["input_complete"], figures["exit_status"], figures["possibly_doubled"]) == (False, None, 0)


def test_status_of_a_campaign_that_is_not_there(spool, capsys):
    assert cli.main(["status", "winter"]) == 1
    assert "has no campaign 'winter'" in capsys.readouterr().err


def test_status_where_there_is_no_spool(place, capsys):
    assert cli.main(["status"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "spool" in err
    assert not (place / "spool").exists(), "looking makes nothing"


@pytest.mark.parametrize("which", [[], ["campaign"], ["settings"]])
def test_schema(which, capsys):
    assert cli.main(["schema", *which]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert ("hostname" in schema["properties"]) == (which == ["settings"])


@pytest.mark.parametrize(
    "arguments", [[], ["sing"], ["schema", "nothing"], ["check"], ["status", "--colour"], ["forget"]]
)
def test_wrong_usage_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 2
    assert "usage: bulkmail" in capsys.readouterr().err


def test_version_and_help(capsys):
    for argument, said in (("--version", f"bulkmail {__version__}\n"), ("--help", "usage: bulkmail")):
        with pytest.raises(SystemExit) as left:
            cli.main([argument])
        assert left.value.code == 0
        assert said in capsys.readouterr().out


def test_a_reader_that_goes_away_is_no_error(place):
    """``bulkmail schema | head -1``."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "bulkmail.cli", "schema"], stdout=writing, stderr=subprocess.PIPE, timeout=60
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.fixture
def taught(spool):
    """The same spool; two sites have taught something, one of them something that has expired."""
    now = time.time()
    store = SqliteStore(str(spool / "spool.sqlite3"))
    store.remember(
        [
            SiteFact("mx.a.example~12ab", "messages", 20.0, 1764000000.25, now + 3600),
            SiteFact("mx.a.example~12ab", "follow", 0.0, 1764000000.0, now - 1),
            SiteFact("192.0.2.1", "tls", 0.0, 1764000000.0, 4102444800.0),
            SiteFact("mx.a.example.net~12ab", "learnt-by-a-later-version", 1.0, 1764000000.0, now + 3600),
        ]
    )
    store.close()
    return spool


def test_what_is_remembered_of_sites_for_people(taught, capsys):
    assert cli.main(["status", "--sites"]) == 0
    tls, later, messages = capsys.readouterr().out.splitlines()
    assert tls == ("192.0.2.1: cannot do TLS, though it offers it; since 2025-11-24T16:00Z, until 2100-01-01T00:00Z")
    assert later.startswith("mx.a.example.net~12ab: learnt-by-a-later-version; since 2025-11-24T16:00Z")
    assert messages.startswith(
        "mx.a.example~12ab: takes 20 messages on a connection; since 2025-11-24T16:00Z, until 20"
    )


def test_what_is_remembered_of_sites_for_programs(taught, capsys):
    assert cli.main(["status", "--sites", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [(fact["site"], fact["fact"], fact["value"]) for fact in facts][::2] == [
        ("192.0.2.1", "tls", 0.0),
        ("mx.a.example~12ab", "messages", 20.0),
    ]
    assert (facts[2]["learned_at"], facts[0]["expires_at"]) == ("2025-11-24T16:00:00.250Z", "2100-01-01T00:00:00.000Z")


def test_why_and_until_when_a_site_is_suspended(spool, capsys):
    """The fact is kept for twice `retry.expire_after` more: 3 days by default."""
    began, until = time.time() - 600, 4102444800.0
    store = SqliteStore(str(spool / "spool.sqlite3"))
    store.remember([SiteFact("mx.a.example~12ab", "outage", 3.0, began, until + 6 * 86400)])
    store.close()
    assert cli.main(["status", "--sites"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(
        "mx.a.example~12ab: cannot be used (not reached, or it refuses us), 3 times in a row; since "
    )
    assert line.endswith("Z, suspended until 2100-01-01T00:00Z")
    assert cli.main(["status", "--sites", "--json"]) == 0
    assert [fact["suspended_until"] for fact in json.loads(capsys.readouterr().out)] == ["2100-01-01T00:00:00.000Z"]


def test_nothing_is_remembered(spool, capsys):
    assert cli.main(["status", "--sites"]) == 0
    assert capsys.readouterr().out == "nothing is remembered of any site\n"


@pytest.mark.parametrize("site", ["mx.a.example", "mx.a.example~12ab"])
def test_a_site_is_forgotten_by_its_key_or_its_host(taught, site, capsys):
    assert cli.main(["forget", site]) == 0
    assert capsys.readouterr().out == "2 facts are forgotten\n"
    assert cli.main(["status", "--sites"]) == 0
    assert [line.partition(": ")[0] for line in capsys.readouterr().out.splitlines()] == [
        "192.0.2.1",
        "mx.a.example.net~12ab",
    ]


def test_all_is_forgotten_and_what_is_not_there_is_said(taught, capsys):
    assert cli.main(["forget", "--all"]) == 0
    assert capsys.readouterr().out == "4 facts are forgotten\n"
    assert cli.main(["forget", "mx.a.example"]) == 1
    assert "remembers nothing of 'mx.a.example'" in capsys.readouterr().err


def test_nothing_is_forgotten_while_a_process_has_the_spool(taught, capsys):
    lock = Lock(str(taught))
    try:
        assert cli.main(["forget", "--all"]) == 1
    finally:
        lock.release()
    assert f"is in use by process {os.getpid()}; stop that one" in capsys.readouterr().err
    assert cli.main(["forget", "--all"]) == 0


def test_forget_where_there_is_no_spool(place, capsys):
    assert cli.main(["forget", "--all"]) == 1
    assert "is not there" in capsys.readouterr().err
    assert not (place / "spool").exists()


def test_a_spool_is_copied(spool, place, capsys):
    assert cli.main(["spool", "copy", "spool", "spool"]) == 1
    assert "onto itself" in capsys.readouterr().err
    assert cli.main(["spool", "copy", "spool", "new"]) == 0
    said = capsys.readouterr()
    assert said.out == "3 recipients are in new now; set `spool` to it\n"
    assert "recipient: 3 rows, done" in said.err
    assert (place / "new" / "spool.sqlite3").exists()


@pytest.mark.parametrize(("kind", "summary"), [("rsa", "RSA-2048"), ("ed25519", "Ed25519")])
def test_a_new_dkim_key_is_the_users_own_and_its_record_is_printed(place, kind, summary, capsys):
    assert cli.main(["dkim", "new", "Bücher.example", "s1", "--type", kind]) == 0
    said = capsys.readouterr().out
    path = place / "keys" / "xn--bcher-kva.example-s1.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    text = record(path.read_bytes())
    assert f"name:  s1._domainkey.xn--bcher-kva.example\nvalue: {text}\n" in said
    assert zone_lines("xn--bcher-kva.example", "s1", path.read_bytes()) in said
    (place / "bulkmail.yaml").write_text(said[said.rindex("dkim:") :])
    (key,) = load_settings(None, str(place)).dkim
    assert (key.domain, key.selector, key.pem) == ("xn--bcher-kva.example", "s1", path.read_bytes())
    assert key_in_words(load_pem_private_key(key.pem, None)).startswith(summary)
    assert cli.main(["dkim", "record"]) == 0
    assert capsys.readouterr().out == zone_lines(key.domain, "s1", key.pem) + "\n"
    assert cli.main(["dkim", "record", str(path)]) == 0
    assert capsys.readouterr().out == text + "\n"
    assert cli.main(["dkim", "record", str(path), "example.com", "s2"]) == 0
    assert capsys.readouterr().out == zone_lines("example.com", "s2", key.pem) + "\n"
    pem = path.read_bytes()
    assert cli.main(["dkim", "new", "bücher.example", "s1"]) == 1
    assert "a key is never written over" in capsys.readouterr().err
    assert path.read_bytes() == pem


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["new", "example", "s1"], "the domain 'example' has no dot"),
        (["new", "example.com", "s1._domainkey"], "the selector is what stands before it: s1"),
        (["new", "example.com", "s1", "--key", "/proc/x/key.pem"], "cannot be written"),
        (["record", "none.pem"], "none.pem cannot be read (No such file or directory)"),
        (["record", "spring/campaign.yaml"], "spring/campaign.yaml: the file is not a key in PEM form"),
        (["record", "none.pem", "example.com"], "give DOMAIN and SELECTOR"),
        (["record"], "the settings have no `dkim` keys"),
    ],
)
def test_a_dkim_command_that_cannot_be_done_says_why(place, arguments, words, capsys):
    assert cli.main(["dkim", *arguments]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert not (place / "keys").exists() or not list((place / "keys").iterdir())
