from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.campaign.differences import changes, digests, picks
from bulkmail.campaign.jobs import reading_options
from bulkmail.campaign.model import Campaign
from bulkmail.campaign.reading import snapshot
from bulkmail.campaign.variants import Variant, shares
from bulkmail.mail import WHOLE, Refused
from bulkmail.settings import Settings

COLUMNS = [["email", "first_name", "language"]]


def taken(campaign: Campaign) -> dict[str, Any]:
    return snapshot(campaign, Settings(), COLUMNS, bytes(32))


def key(text: str) -> str:
    return f"variants: {{{text}}}\n"


TWO = key("a: {share: 10%}, b: {share: 0.1, subject: 'Last chance'}, none: {share: 5%, hold_out: true}")


def test_what_a_variant_does_not_say_is_the_campaigns(read: Callable[..., Campaign]) -> None:
    content = taken(read(TWO))
    assert content["variants"]["shares"] == [("a", 100_000, False), ("b", 100_000, False), ("none", 50_000, True)]
    letters = content["variants"]["letters"]
    assert {name: letter["subject"] for name, letter in letters.items()} == {
        "a": "{{ first_name }}, spring is here",
        "b": "Last chance",
    }
    assert {letter["html"] for letter in letters.values()} == {content["html"]}
    assert content["same_for_all"] is False


def test_a_variant_may_have_a_template_and_a_name_of_its_own(read: Callable[..., Campaign], folder: Path) -> None:
    (folder / "short.txt").write_text("Hi {% include 'foot.txt' %}")
    (folder / "foot.txt").write_text("Bye")
    content = taken(read(key("a: {}, b: {template: {text: short.txt}, from: 'Ann <news@example.com>'}")))
    assert content["variants"]["letters"]["b"] == {
        "locales": None,
        "subject": "{{ first_name }}, spring is here",
        "html": None,
        "html_name": "",
        "text": "Hi {% include 'foot.txt' %}",
        "text_name": "short.txt",
        "from": "Ann <news@example.com>",
        "from_key": "variants.b.from",
    }
    assert content["includes"] == {"foot.txt": "Bye"}
    assert content["variants"]["shares"] == [("a", 500_000, False), ("b", 500_000, False)]


def test_a_variant_may_have_a_letter_of_each_locale(read: Callable[..., Campaign]) -> None:
    locale = "locale: {column: language, fallback: [en]}\n"
    content = taken(read(locale + key("a: {}, b: {subject: {en: 'Last chance', de: 'Zuletzt'}}")))
    assert content["variants"]["letters"]["a"]["locales"] is None
    letters = content["variants"]["letters"]["b"]["locales"]["letters"]
    assert {tag: (one["subject"], one["subject_key"]) for tag, one in letters.items()} == {
        "en": ("Last chance", "variants.b.subject.en"),
        "de": ("Zuletzt", "variants.b.subject.de"),
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "variants: must have at least one variant"),
        ("a: {share: 60%}, b: {share: 41%}", "variants: the shares are 101% together, more than 100%"),
        ("a: {share: 100%}, b: {}", "variants.b: there is no share left for it"),
        ("a: {share: 0.00001%}", "variants.a.share: must be at least 0.0001%"),
        ("a: {share: ten}", "variants.a.share: must be a share, such as 10%"),
        ("rest: {}", "variants.rest: a variant is called by 1 to 40 letters"),
        ("'a b': {}", "a variant is called by 1 to 40 letters"),
        ("a: {hold_out: true, subject: x}", "variants.a: a group with `hold_out` gets no message"),
        (
            "a: {from: 'X <other@example.com>'}",
            "variants.a.from: must have the address of the campaign's `from`",
        ),
        ("a: {template: {text: none.txt}}", "variants.a.template.text: none.txt does not exist"),
        ("a: {subject: {en: x}}", "variants.a.subject: stands for one of each locale"),
        ("a: {html: x}", "variants.a: `html` is not a known key"),
    ],
)
def test_what_is_no_set_of_variants_is_told(refusal: Callable[..., list[str]], text: str, words: str) -> None:
    assert any(words in told for told in refusal(key(text))), refusal(key(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: {}, b: {subject: '{{ nope }}'}", "variants.b.subject: "),
        ("a: {}, b: {from: 'Ä@Ö <news@example.com>'}", "variants.b.from: "),
    ],
)
def test_a_mistake_in_a_variants_letter_has_its_place(read: Callable[..., Campaign], text: str, words: str) -> None:
    with pytest.raises(Refused) as caught:
        taken(read(key(text)))
    assert [words in str(problem) for problem in caught.value.problems] == [True]
    assert caught.value.problems[0].line == 6


@given(st.lists(st.one_of(st.none(), st.integers(1, 200_000)), min_size=1, max_size=5))
def test_those_without_a_share_divide_what_is_left(given: list[int | None]) -> None:
    variants = {
        f"v{at}": Variant.model_construct(share=share, hold_out=False, subject=None, sender=None, template=None)
        for at, share in enumerate(given)
    }
    found = [share for _, share, _ in shares(variants)]
    assert [share for share, asked in zip(found, given, strict=True) if asked is not None] == [*filter(None, given)]
    if None in given:
        equal = [share for share, asked in zip(found, given, strict=True) if asked is None]
        assert (sum(found), max(equal) - min(equal) <= 1) == (WHOLE, True)


def test_the_shares_cannot_change_once_rows_were_read_and_the_letters_can(read: Callable[..., Campaign]) -> None:
    def marks(extra: str) -> dict[str, str]:
        campaign = read(extra)
        return digests(campaign, taken(campaign))

    before = marks(key("a: {share: 10%}, b: {subject: x}"))
    assert changes(before, marks(key("a: {share: 10%}, b: {subject: x}"))) == []
    assert [picks(change) for change in changes(before, marks(key("a: {share: 20%}, b: {subject: x}")))] == [True]
    assert changes(before, marks(key("a: {share: 10%}, b: {subject: y}"))) == ["variants.b.subject changed"]
    assert changes(before, marks(key("a: {share: 10%}, b: {from: 'A <news@example.com>'}"))) == [
        "variants.b.subject was removed",
        "variants.b.from was added",
    ]
    assert changes(before, marks("")) == ["variants.b.subject was removed", "`variants` was removed"]


def test_the_lists_are_read_with_the_groups_that_are_held_out(read: Callable[..., Campaign]) -> None:
    assert reading_options(read(TWO))["pick"]["hold_out"][2] == ("none", 50_000, True)
    assert "hold_out" not in reading_options(read(key("a: {}")))["pick"]
