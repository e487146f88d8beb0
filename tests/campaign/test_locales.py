from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bulkmail.campaign.differences import changes, digests
from bulkmail.campaign.locales import files_by_locale
from bulkmail.campaign.model import Campaign
from bulkmail.campaign.reading import snapshot
from bulkmail.files import Folder
from bulkmail.mail import Refused
from bulkmail.settings import Settings

LOCALE = "locale: {column: language, fallback: [en]}\n"
COLUMNS = [["email", "first_name", "language"]]


@pytest.fixture
def letters(folder: Path) -> Path:
    for tag in ("en", "de"):
        (folder / f"body.{tag}.html.j2").write_text(f"<p>{tag} {{{{ locale }}}}</p>")
    (folder / "body.notes.txt").write_text("x")
    return folder


def taken(campaign: Campaign) -> dict[str, Any]:
    return snapshot(campaign, Settings(), COLUMNS, bytes(32))


def refused(campaign: Campaign, folder: Path) -> list[str]:
    with pytest.raises(Refused) as caught:
        taken(campaign)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


TEMPLATE = "{html: 'body.{locale}.html.j2'}"


def test_a_letter_for_each_locale(letters: Path, read: Callable[..., Campaign]) -> None:
    content = taken(read(LOCALE, template=TEMPLATE, subject="{de: Hallo, en: Hello}"))
    found = content["locales"]["letters"]
    assert {tag: (one["subject"], one["html"], one["html_name"]) for tag, one in found.items()} == {
        "de": ("Hallo", "<p>de {{ locale }}</p>", "body.de.html.j2"),
        "en": ("Hello", "<p>en {{ locale }}</p>", "body.en.html.j2"),
    }
    assert (content["locales"]["column"], content["locales"]["fallback"]) == ("language", ["en"])
    assert (content["locale"], content["subject"], content["html_name"]) == ("en", "Hello", "body.en.html.j2")


def test_one_template_and_a_subject_for_each_locale(letters: Path, read: Callable[..., Campaign]) -> None:
    content = taken(read(LOCALE, subject="{de: Hallo, en: Hello}"))
    assert {one["html_name"] for one in content["locales"]["letters"].values()} == {"body.html.j2"}
    content = taken(read(LOCALE, template=TEMPLATE))
    assert {one["subject_key"] for one in content["locales"]["letters"].values()} == {"subject"}


def test_without_letters_of_their_own_all_rows_have_the_forms_of_the_fallback(read: Callable[..., Campaign]) -> None:
    content = taken(read("locale: {fallback: [de, en]}\n"))
    assert (content["locale"], "locales" in content) == ("de", False)


def test_folders_may_be_named_by_locale(folder: Path) -> None:
    for tag in ("en", "pt-BR"):
        (folder / "mail" / tag).mkdir(parents=True)
        (folder / "mail" / tag / "body.html").write_text("x")
    (folder / "mail" / "fr").mkdir()
    found = files_by_locale(Folder.open(str(folder)), "mail/{locale}/body.html")
    assert found == {"en": "mail/en/body.html", "pt-BR": "mail/pt-BR/body.html"}


@pytest.mark.parametrize(
    ("extra", "keys", "words"),
    [
        (
            LOCALE,
            {"template": "{html: 'letter.{locale}.j2'}"},
            "there is no file letter.{locale}.j2, such as letter.en.j2",
        ),
        (LOCALE, {"template": TEMPLATE, "subject": "{en: Hello}"}, "subject: a subject is missing for de; write it"),
        (LOCALE, {"subject": "{it: Ciao}"}, "locale.fallback: there is no letter for it; there is it"),
        ("locale: {column: tongue, fallback: [en]}\n", {"template": TEMPLATE}, "tongue"),
        ("locale: {fallback: [en]}\n", {"template": TEMPLATE}, "locale: `column` is missing: which says it?"),
        (
            LOCALE,
            {"template": "{html: 'body.{locale}.html.j2', text: '{locale}.txt'}"},
            "there is no file {locale}.txt",
        ),
        (LOCALE, {"template": "{html: '{locale}/{locale}.j2'}"}, "write {locale} once"),
    ],
)
def test_what_does_not_fit(
    letters: Path, read: Callable[..., Campaign], extra: str, keys: dict[str, str], words: str
) -> None:
    told = refused(read(extra, **keys), letters)
    assert any(words in line for line in told), told
    assert all(line.startswith("campaign.yaml:") for line in told), told


@pytest.mark.parametrize(
    ("extra", "keys", "words"),
    [
        ("", {"template": TEMPLATE}, "template.html: stands for one of each locale; say which column tells it"),
        ("", {"subject": "{en: Hello}"}, "subject: stands for one of each locale"),
        ("locale: {column: language, fallback: []}\n", {}, "locale.fallback: must name at least one locale"),
        ("locale: {column: language, fallback: [german]}\n", {}, "'german' is not a language tag"),
        ("locale: {column: language}\n", {}, "locale: `fallback` is missing"),
        (LOCALE, {"subject": "{en: ''}"}, "must not be empty"),
        (LOCALE, {"subject": "{English: Hello}"}, "'English' is not a language tag"),
        (LOCALE, {"subject": "[Hello]"}, "subject: must be text, not a list"),
    ],
)
def test_what_campaign_yaml_cannot_say(
    letters: Path, refusal: Callable[..., list[str]], extra: str, keys: dict[str, str], words: str
) -> None:
    told = refusal(extra, **keys)
    assert any(words in line for line in told), told


def test_a_change_of_any_letter_is_a_change(letters: Path, read: Callable[..., Campaign]) -> None:
    def look(**keys: str) -> dict[str, str]:
        campaign = read(LOCALE, template=TEMPLATE, **keys)
        return digests(campaign, taken(campaign))

    old = look(subject="{de: Hallo, en: Hello}")
    assert changes(old, look(subject="{de: Servus, en: Hello}")) == ["subject.de changed"]
    (letters / "body.de.html.j2").write_text("other")
    assert changes(old, look(subject="{de: Hallo, en: Hello}")) == ["body.de.html.j2 changed"]
