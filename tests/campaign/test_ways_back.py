from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bulkmail.campaign import Campaign, changes, digests, load_campaign, snapshot
from bulkmail.mail import Refused
from bulkmail.settings import load_settings

PUBLIC = "public: {url: https://mail.example.com}\n"
INBOUND = "inbound: {domains: [Bounces.example.com]}\n"


@pytest.fixture
def content(folder: Path, write: Callable[..., Path]) -> Callable[..., dict[str, object]]:
    """The content of a campaign.yaml with these keys, under settings with these."""

    def content(extra: str = "", settings: str = "log: {level: info}") -> dict[str, object]:
        (folder / "bulkmail.yaml").write_text(settings)
        campaign = load_campaign(str(write(extra)))
        known = load_settings(str(folder / "bulkmail.yaml"))
        return snapshot(campaign, known, [["email", "first_name"]], bytes(32))

    return content


def test_without_a_word_it_is_a_list_of_its_own(content: Callable[..., dict[str, object]]) -> None:
    found = content()
    assert [found[key] for key in ("list", "kind", "bounces", "inbound")] == ["spring-sale", "marketing", "each", ""]


def test_what_is_written_enters_the_messages(content: Callable[..., dict[str, object]]) -> None:
    found = content(
        "list: newsletter\nkind: transactional\nbounces: shared",
        "inbound: {domains: [Bounces.example.com, other.example]}",
    )
    assert [found[key] for key in ("list", "kind", "bounces", "inbound")] == [
        "newsletter", "transactional", "shared", "bounces.example.com"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "url", "mailto"),
    [
        (PUBLIC, "https://mail.example.com/u/{{ token }}", None),
        (INBOUND, None, "unsubscribe+{{ token }}@bounces.example.com"),
        (
            PUBLIC + INBOUND,
            "https://mail.example.com/u/{{ token }}",
            "unsubscribe+{{ token }}@bounces.example.com",
        ),
    ],
)
def test_the_services_own_ways_out(
    content: Callable[..., dict[str, object]], settings: str, url: str | None, mailto: str | None
) -> None:
    found = content('unsubscribe: built-in\nto: "Readers <r@example.com>"', settings)
    assert found["unsubscribe"] == {"url": url, "mailto": mailto}
    assert found["same_for_all"] is False


def test_without_any_they_are_refused(content: Callable[..., dict[str, object]]) -> None:
    with pytest.raises(
        Refused, match=r"campaign\.yaml:6:14: unsubscribe: `built-in` needs `public` or `inbound` in the "
    ):
        content("unsubscribe: built-in")


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (
            "list: Our readers",
            "list: must be 1 to 100 letters, digits and . _ - and not start with . or -",
        ),
        ("kind: newsletter", 'kind: must be marketing or transactional, not "newsletter"'),
        ("bounces: none", 'bounces: must be each or shared, not "none"'),
    ],
)
def test_what_is_refused(refusal: Callable[..., list[str]], extra: str, words: str) -> None:
    (problem,) = refusal(extra)
    assert words in problem


def test_a_change_of_them_is_a_change_of_the_messages(
    content: Callable[..., dict[str, object]], read: Callable[..., Campaign]
) -> None:
    def of(*given: str) -> dict[str, str]:
        found = content(*given)
        return digests(read(given[0] if given else ""), found)

    plain = of()
    assert changes(plain, of("list: spring-sale\nkind: marketing\nbounces: each")) == []
    assert changes(plain, of("list: newsletter")) == ["list was added"]
    assert changes(of("list: newsletter"), of("list: members")) == ["list changed"]
    assert changes(of("kind: transactional"), plain) == ["kind was removed"]
    inbound = "inbound: {domains: [bounces.example.com]}"
    assert changes(plain, of("", inbound)) == ["inbound domain was added"]
    assert changes(of("", inbound), of("bounces: shared", inbound)) == ["bounces was added"]


def test_a_transactional_campaign_has_that_priority_unless_another_is_written(
    content: Callable[..., dict[str, object]],
) -> None:
    found = [content(text)["priority"] for text in ("", "kind: transactional", "kind: transactional\npriority: low")]
    assert found == ["normal", "transactional", "low"]


def test_another_priority_is_no_change_of_the_messages(folder: Path, write: Callable[..., Path]) -> None:
    known = load_settings(None)

    def told(extra: str) -> dict[str, str]:
        campaign = load_campaign(str(write(extra)))
        return digests(campaign, snapshot(campaign, known, [["email", "first_name"]], bytes(32)))

    before, after = told(""), told("priority: high")
    assert before != after, "so that the spool, and other machines, learn of it"
    assert changes(before, after) == []


def test_a_priority_that_there_is_not_is_refused(write: Callable[..., Path]) -> None:
    with pytest.raises(Refused, match="priority"):
        load_campaign(str(write("priority: urgent")))
