from __future__ import annotations

from pathlib import Path

from bulkmail.settings import Settings
from bulkmail.settings.paths import contents, pattern, values


def test_every_key_with_a_value_has_a_path() -> None:
    found = dict(values(Settings.model_validate({"shaping": {"providers": {"smtp": {"mx": [".x.example"]}}}})))
    assert found["retry", "expire_after"] == 3 * 86400.0
    assert found["shaping", "providers", "smtp", "mx"] == (".x.example",)
    assert ("shaping", "providers", "smtp", "rate") not in found, "not given"
    assert ("hostname",) not in found


def test_what_people_name_is_a_star() -> None:
    assert pattern(("shaping", "providers", "smtp", "mx")) == "shaping.providers.*.mx"
    assert pattern(("dkim", 2, "key")) == "dkim.*.key"
    assert pattern(("smtp", "window")) == "smtp.window"


def test_files_are_compared_by_what_they_hold(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("one")
    relay = {"host": "relay.example", "username": "me", "password_file": str(secret)}
    settings = Settings.model_validate({"relay": relay})
    before = contents(settings)
    assert before.keys() == {("relay", "password_file")}
    assert contents(settings) == before == settings.contents
    secret.write_text("two")
    changed = contents(settings)
    assert changed != before
    secret.unlink()
    assert contents(settings) not in (before, changed)
