from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bulkmail.campaign import Campaign, canary_rules, changes, digests, load_campaign, schema, snapshot
from bulkmail.campaign.canary import plain_canary
from bulkmail.mail import Refused
from bulkmail.settings import load_settings
from bulkmail.shaping import StopRules
from bulkmail.spool.stored import restore, store


def test_without_a_word_it_is_on(read: Callable[..., Campaign]) -> None:
    keys = read("").canary
    assert keys is not None
    assert keys.rules == StopRules(200, 500, 10_000, 5_000, 300)


def test_all_keys(read: Callable[..., Campaign]) -> None:
    keys = read("canary: {per_provider: 100, of: 1000, stop: {bounced: 7.5%, blocked: 2 %, complained: none}}").canary
    assert keys is not None
    assert keys.rules == StopRules(100, 1000, 7_500, 2_000, None)
    assert canary_rules(restore(store({"canary": plain_canary(keys)}))) == keys.rules


def test_it_can_be_switched_off(read: Callable[..., Campaign]) -> None:
    assert read("canary: none").canary is None
    assert canary_rules({"canary": plain_canary(None)}) is None


def test_a_campaign_of_an_earlier_version_has_the_defaults() -> None:
    assert canary_rules({}) == StopRules()


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("off", "canary: must be none, or a mapping such as {per_provider: 200}"),
        ("", "canary: must be none, or a mapping such as {per_provider: 200}"),
        ("{per_provider: 5}", "canary.per_provider: must be at least 10, not 5"),
        ("{of: 100}", "canary.of: must be at least per_provider, which is 200"),
        ("{stop: {bounced: 0%}}", "canary.stop.bounced: must be a share of the messages, such as 5% (more than 0%"),
        ("{stop: {bounced: 0.1}}", "canary.stop.bounced: must be a share of the messages, such as 5%"),
        ("{stop: {complained: 101%}}", "canary.stop.complained: must be a share of the messages"),
        (
            "{stop: {blocked: 0.4%}}",
            "one that is blocked would stop it; write at least 0.5%, or none",
        ),
        ("{stop: {opened: 1%}}", "canary.stop: `opened` is not a known key; did you mean `complained`?"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(read: Callable[..., Campaign], value: str, sentence: str) -> None:
    with pytest.raises(Refused) as refused:
        read(f"canary: {value}")
    assert sentence in str(refused.value)


def test_a_change_of_it_is_taken_without_a_word(folder: Path, write: Callable[..., Path]) -> None:
    (folder / "bulkmail.yaml").write_text("log: {level: info}")
    settings = load_settings(str(folder / "bulkmail.yaml"))
    found = []
    for extra in ("", "canary: none", "canary: {of: 900}"):
        campaign = load_campaign(str(write(extra)))
        content = snapshot(campaign, settings, [["email", "first_name"]], bytes(32))
        found.append(digests(campaign, content))
    assert "canary" not in found[0]
    assert len({one.get("canary") for one in found}) == 3
    assert changes(found[0], found[1]) == changes(found[1], found[2]) == []


def test_the_schema_knows_it() -> None:
    assert {"const": "none"} in schema()["properties"]["canary"]["anyOf"]
