from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bulkmail.settings import Settings, changes, without_restart
from bulkmail.settings.changes import ANEW, LIVE, RESTART, SECTIONS_ANEW, effect_of
from tests.schema import keys

Read = Callable[[str], Settings]
KEYS = [key.replace("[]", ".*").replace("<name>", "*") for key, _ in keys(Settings)]


@pytest.mark.parametrize("key", KEYS)
def test_it_is_decided_for_each_key_when_a_change_is_used(key: str) -> None:
    assert effect_of(key) is not None, (
        f"{key} is not classified: decide in bulkmail/settings/changes.py when a reload uses a change of it: LIVE "
        "where every part that holds it is told by its `apply`, RESTART where state lies there, else ANEW, "
        "which is right for all that is read while the service opens; a LIVE one stands in docs/operating.md"
    )


def test_every_classified_key_is_one() -> None:
    there = set(KEYS)
    there |= {".".join(key.split(".")[:count]) for key in KEYS for count in range(1, key.count(".") + 1)}
    assert there >= LIVE | ANEW | SECTIONS_ANEW | RESTART
    assert not LIVE & ANEW


def test_what_is_used_at_once_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs/operating.md").read_text(encoding="utf-8")
    _, _, told = page.partition("## Changing the settings")
    row = next(line for line in told.splitlines() if line.startswith("| at once"))
    sections = ("smtp.timeouts", "shaping.default", "retry", "log")
    named = {next((name for name in sections if key.startswith(f"{name}.")), key) for key in LIVE}
    assert {key for key in named if f"`{key.replace('*', 'NAME')}`" not in row} == set()


def test_nothing_has_changed(read: Read) -> None:
    text = "shaping: {default: {rate: 10/s}}\n"
    found = changes(read(text), read(f"# a comment\n{text}"))
    assert (found.live, found.anew, found.restart) == ((), (), ())
    assert found.sentences == ["nothing has changed"]


def test_a_changed_suppress_list_says_for_which_rows_it_counts(site: Path, read: Read) -> None:
    path = site / "left.csv"
    path.write_text("email\na@example.com\n")
    old = read("suppress: [left.csv]\n")
    path.write_text("email\na@example.com\nb@example.com\n")
    found = changes(old, read("suppress: [left.csv]\n"))
    assert found.sentences == [
        "used from now on: suppress",
        "suppress counts for rows that are read from now on; for those read before use bulkmail suppress import",
    ]


def test_a_password_of_a_routes_relay_counts_as_changed_when_the_file_holds_another(site: Path, read: Read) -> None:
    text = (
        "routing: {routes: [{domains: [b.example], relay: "
        "{host: in.b.example, username: anna, password_file: b.secret}}]}\n"
    )
    secret = site / "b.secret"
    secret.write_text("one")
    secret.chmod(0o600)
    old = read(text)
    secret.write_text("two")
    found = changes(old, read(text))
    assert (found.live, found.anew) == ((), ("routing.routes[0].relay.password_file",))


def test_each_change_is_named_by_its_key_and_when_it_is_used(site: Path, read: Read) -> None:
    old = read("hostname: a.example.com\nshaping: {providers: {google: {rate: 10/s}}}\nretry: {schedule: [1m]}\n")
    new = read("spool: elsewhere\nshaping: {providers: {google: {rate: 20/s}, big: {mx: [.big.example]}}}\n")
    found = changes(old, new)
    assert found.live == ("retry.schedule", "shaping.providers.google.rate")
    assert set(found.anew) == {"hostname", "shaping.providers.big.mx"}
    assert found.restart == ("spool",)
    assert found.sentences == [
        "used from now on: retry.schedule, shaping.providers.google.rate",
        f"used as soon as what is in flight has finished: {', '.join(found.anew)}",
        f"{site}/bulkmail.yaml:1:8: spool: this needs a restart, and stays as it was until then",
    ]
    kept = without_restart(old, new)
    assert (kept.spool, kept.hostname, kept.retry, kept.file) == (old.spool, None, new.retry, new.file)


def test_a_key_that_was_exchanged_in_its_file_is_a_change(site: Path, read: Read) -> None:
    text = "dkim: [{domain: example.com, selector: s1, key: keys/example.com.pem}]\n"
    old = read(text)
    assert not changes(old, read(text)).anew
    (site / "keys/example.com.pem").write_bytes(b"another PEM")
    assert changes(old, read(text)).anew == ("dkim[0].key",)
    assert "dkim[0].domain" in changes(old, read("{}\n")).anew


def test_texts_of_the_page_are_a_change(site: Path, read: Read) -> None:
    (site / "texts").mkdir()
    text = "public: {url: 'https://mail.example.com', texts: texts}\n"
    old = read(text)
    (site / "texts/en.yaml").write_text("x: y\n")
    assert changes(old, read(text)).anew == ("public.texts",)


def test_what_machines_agree_on_is_taken_when_nothing_is_in_flight(read: Read) -> None:
    shared = "spool: postgresql://localhost/x\nmachine: {name: a}\n"
    found = changes(read(shared), read(shared + "shaping: {default: {rate: 1/s}}\nlog: {level: debug}\n"))
    assert (found.live, found.anew) == (("log.level",), ("shaping.default.rate",))
