from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bulkmail import cli
from bulkmail.content import key_in_words, record, zone_lines
from bulkmail.settings import load_settings


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
