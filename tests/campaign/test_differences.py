from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bulkmail.campaign import Campaign, changes, content_hash, digests, load_campaign, picks, snapshot
from bulkmail.settings import Settings, load_settings

EVERYTHING = (
    "reply_to: help@example.com\nenvelope_from: b@example.com\nheaders: {X-A: b}\nattachments: [terms.pdf, more.pdf]\n"
    "unsubscribe: {url: 'https://example.com/u', mailto: u@example.com}\ndefaults: {first_name: there}\n"
)


@pytest.fixture
def look(folder: Path, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """The digests of a campaign.yaml with these keys."""
    monkeypatch.setattr("bulkmail.content.check_content", lambda _: [], raising=False)
    (folder / "more.pdf").write_bytes(b"%PDF-2")
    (folder / "k.pem").write_bytes(b"PEM")
    (folder / "k.pem").chmod(0o600)

    def look(extra: str = "", dkim: str = "[]", **keys: str | None) -> dict[str, str]:
        (folder / "bulkmail.yaml").write_text(f"dkim: {dkim}\n")
        campaign: Campaign = load_campaign(str(write(extra, **keys)))
        content: dict[str, Any] = snapshot(
            campaign, load_settings(str(folder / "bulkmail.yaml")), [["email"]], bytes(32)
        )
        return digests(campaign, content)

    return look


def test_everything_has_its_digest(folder: Path, look: Callable[..., dict[str, str]]) -> None:
    (folder / "body.html.j2").write_text('{% include "foot.j2" %}')
    (folder / "foot.j2").write_text("x")
    found = look(
        EVERYTHING,
        dkim="[{domain: example.com, selector: s1, key: k.pem}, {domain: other.example, selector: s, key: k.pem}]",
    )
    assert list(found) == [
        "body.html.j2",
        "body.txt.j2",
        "foot.j2",
        "attachment terms.pdf",
        "attachment more.pdf",
        "the order of the attachments",
        "from",
        "subject",
        "reply_to",
        "envelope_from",
        "header X-A",
        "unsubscribe url",
        "unsubscribe mailto",
        "default first_name",
        "dkim example.com s1",
    ]
    assert all(len(digest) == 64 for digest in found.values())


def test_nothing_changed(look: Callable[..., dict[str, str]]) -> None:
    assert changes(look(EVERYTHING), look(EVERYTHING)) == []


def test_what_is_in_no_message_does_not_count(folder: Path, look: Callable[..., dict[str, str]]) -> None:
    old = look(EVERYTHING)
    (folder / "recipients.csv").write_text("email\nb@example.org\n")
    (folder / "unused.html.j2").write_text("x")
    extra = EVERYTHING + "on_unknown: keep\nencoding: cp1252\nsuppress: [unsubscribed.csv]\n"
    assert changes(old, look(extra, dkim="[{domain: other.example, selector: s, key: k.pem}]")) == []


@pytest.mark.parametrize(
    ("find", "replace", "words"),
    [
        ("reply_to: help@", "reply_to: me@", ["reply_to changed"]),
        ("reply_to: help@example.com\n", "", ["reply_to was removed"]),
        ("b@example.com", "c@example.com", ["envelope_from changed"]),
        ("X-A: b", "X-A: c", ["header X-A changed"]),
        ("X-A: b", "X-B: b", ["header X-A was removed", "header X-B was added"]),
        ("example.com/u", "example.com/v", ["unsubscribe url changed"]),
        (", mailto: u@example.com", "", ["unsubscribe mailto was removed"]),
        ("there", "friend", ["default first_name changed"]),
        (", more.pdf", "", ["attachment more.pdf was removed"]),
        ("terms.pdf, more.pdf", "more.pdf, terms.pdf", ["the order of the attachments changed"]),
    ],
)
def test_each_change_is_a_sentence(
    look: Callable[..., dict[str, str]], find: str, replace: str, words: list[str]
) -> None:
    assert find in EVERYTHING
    assert changes(look(EVERYTHING), look(EVERYTHING.replace(find, replace))) == words


def test_the_rule_that_picks_the_rows_is_told_apart(look: Callable[..., dict[str, str]]) -> None:
    same = look(EVERYTHING)
    named = look(EVERYTHING + "consent: {column: ok, yes: [1]}\n")
    assert changes(same, look(EVERYTHING + "consent: auto\n")) == []
    assert changes(same, named) == ["`consent` was added"]
    assert changes(named, look(EVERYTHING + "consent: none\n")) == ["`consent` changed"]
    assert all(map(picks, changes(named, same)))
    assert not picks("header consent changed")


def test_changed_files_and_required_keys(folder: Path, look: Callable[..., dict[str, str]]) -> None:
    (folder / "body.html.j2").write_text('{% include "foot.j2" %}')
    (folder / "foot.j2").write_text("x")
    old = look(EVERYTHING)
    (folder / "foot.j2").write_text("y")
    (folder / "terms.pdf").write_bytes(b"new")
    (folder / "body.txt.j2").write_text("new")
    new = look(
        EVERYTHING, subject="new", dkim="[{domain: example.com, selector: s2, key: k.pem}]", **{"from": "n@example.com"}
    )
    assert changes(old, new) == [
        "body.txt.j2 changed",
        "foot.j2 changed",
        "attachment terms.pdf changed",
        "from changed",
        "subject changed",
    ], "the key that signs is the operator's to change"


def test_one_file_for_both_forms_counts_for_both(look: Callable[..., dict[str, str]]) -> None:
    both = look(template="{html: body.txt.j2, text: body.txt.j2}")
    assert changes(both, look(template="{text: body.txt.j2}")) == ["body.txt.j2 changed"]
    assert changes(look(template="{html: body.txt.j2}"), look(template="{text: body.txt.j2}")) == [
        "body.txt.j2 changed"
    ]


def test_a_removed_and_an_added_attachment_is_not_also_an_order(look: Callable[..., dict[str, str]]) -> None:
    assert changes(look("attachments: [terms.pdf]"), look("attachments: [more.pdf]")) == [
        "attachment terms.pdf was removed",
        "attachment more.pdf was added",
    ]


def test_what_a_person_approves_is_everything_but_remarks(folder: Path, look: Callable[..., dict[str, str]]) -> None:
    def hashed() -> str:
        campaign = load_campaign(str(folder))
        return content_hash(campaign, snapshot(campaign, Settings(), [["email"]], b"k" * 32))

    look(EVERYTHING)
    before = hashed()
    assert len(before) == 64
    yaml = folder / "campaign.yaml"
    yaml.write_text("# a remark\n" + yaml.read_text())
    assert hashed() == before
    seen = {before}
    for file, more in (
        ("campaign.yaml", "test_to: me@example.com\n"),
        ("body.txt.j2", "more"),
        ("recipients.csv", "new@example.org\n"),
    ):
        (folder / file).write_text((folder / file).read_text() + more)
        seen.add(hashed())
    assert len(seen) == 4


def test_of_a_file_for_each_row_the_name_counts_and_not_what_it_holds(look: Callable[..., dict[str, str]]) -> None:
    one = look('attachments: [terms.pdf, "{{ email }}.pdf"]')
    assert one.keys() >= {"attachment terms.pdf", "attachment {{ email }}.pdf", "the order of the attachments"}
    assert changes(one, look('attachments: [terms.pdf, "{{ email }}.txt"]')) == [
        "attachment {{ email }}.pdf was removed",
        "attachment {{ email }}.txt was added",
    ]
