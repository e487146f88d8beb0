"""``locale`` of campaign.yaml, and the letters of its locales: templates and subjects, one for each language tag."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, Field, ValidatorFunctionWrapHandler, WithJsonSchema, WrapValidator

from bulkmail.campaign.unsubscribing import Text
from bulkmail.files import Folder
from bulkmail.yamlfile import ErrorAt, Line, Many, Section, one_line

PLACE = "{locale}"
_TAG = r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,4}"
_MOST = 200


def is_each_locale(name: str | None) -> bool:
    """Return whether this file name stands for one file of each locale."""
    return name is not None and PLACE in name


def plain(tag: str) -> str:
    """Return a language tag in the form in which tags are compared."""
    return tag.replace("_", "-").lower()


def _tag(text: str) -> str:
    if re.fullmatch(_TAG, text, re.ASCII) is None:
        raise ValueError(f"{text[:40]!r} is not a language tag; write one such as en, pt-BR or zh-Hant (BCP 47)")
    return text


def _some(tags: tuple[str, ...]) -> tuple[str, ...]:
    if not tags:
        raise ValueError("must name at least one locale, such as [en]")
    return tags


class LocaleKeys(Section):
    """Which column says a row's locale, and which locale it is where that says nothing or one without a letter."""

    column: Annotated[
        Line | None, Field(description="the column with each row's language tag", examples=["language"])
    ] = None
    fallback: Annotated[
        Many[Annotated[Line, AfterValidator(_tag)]],
        AfterValidator(_some),
        Field(description="the locale of the other rows, the first for which there is a letter", examples=[["en"]]),
    ]


LocaleKey = Annotated[
    LocaleKeys | None, Field(description="each row's language, and how dates and numbers are written")
]


def _by_locale(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    """Read a text, or one for each locale."""
    if not isinstance(value, Mapping):
        return read(value)
    texts: dict[str, str] = {}
    for tag, text in value.items():
        try:
            texts[_tag(one_line(str(tag)))] = read(text)
        except ValueError as error:
            told = error.errors()[0]["msg"] if hasattr(error, "errors") else str(error)
            raise ErrorAt((tag,), told.removeprefix("Value error, ")) from None
    if not texts:
        raise ValueError("must give a subject for at least one locale")
    return texts


_SUBJECT = {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}]}
Subject = Annotated[
    Text,
    WrapValidator(_by_locale),
    WithJsonSchema(_SUBJECT),
    Field(
        description="the subject line",
        examples=["{{ first_name }}, spring is here"],
    ),
]


def check_needed(
    locale: LocaleKeys | None, names: Mapping[str, str | None], subject: Any, inside: tuple[str, ...] = ()
) -> None:
    """Raise ErrorAt where something stands for one of each locale, and nothing says which rows have which.

    ``inside``: the key that they stand under.
    """
    words = "stands for one of each locale; say which column tells it: locale: {column: language, fallback: [en]}"
    for part, name in names.items():
        if locale is None and is_each_locale(name):
            raise ErrorAt((*inside, "template", part), words)
    if locale is None and not isinstance(subject, str):
        raise ErrorAt((*inside, "subject"), words)


class Wrong(NamedTuple):
    """What is wrong, at which key of campaign.yaml."""

    key: tuple[str, ...]
    words: str


def files_by_locale(folder: Folder, name: str) -> dict[str, str]:
    """Return the files that ``name`` stands for, by their tags. Raises ValueError with a sentence."""
    if name.count(PLACE) != 1:
        raise ValueError(f"{name}: write {PLACE} once")
    parts = name.split("/")
    at = next(place for place, part in enumerate(parts) if PLACE in part)
    before, behind = parts[at].split(PLACE)
    pattern = re.compile(f"{re.escape(before)}({_TAG}){re.escape(behind)}", re.ASCII)
    where, rest = "/".join(parts[:at]), parts[at + 1 :]
    try:
        inner = folder.enter(where or ".")
        with os.scandir(inner.descriptor) as listing:
            names = sorted(entry.name for entry in listing)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"the folder {where or '.'} cannot be read ({why})") from None
    found = {}
    for one in names:
        matched = pattern.fullmatch(one)
        path = "/".join([*parts[:at], one, *rest])
        if matched is not None and (not rest or _there(folder, path)):
            found[matched[1]] = path
    if not found:
        raise ValueError(f"there is no file {name}, such as {name.replace(PLACE, 'en')}")
    if len(found) > _MOST:
        raise ValueError(f"{name} stands for {len(found)} files; {_MOST} locales are the most")
    return found


def _there(folder: Folder, path: str) -> bool:
    try:
        os.close(folder.open_file(path))
    except ValueError:
        return False
    return True


def letters(
    folder: Folder,
    subject: str | Mapping[str, str],
    names: Mapping[str, str | None],
    fallback: Sequence[str],
    read: Callable[[str, str], str | None],
) -> tuple[dict[str, dict[str, Any]], list[Wrong]]:
    """Return the letter of each locale by its tag, and what is wrong; no letters where there is one for all.

    ``names``: of the templates, by part. ``read(part, name)`` gives a template's text.
    """
    wrong: list[Wrong] = []
    files: dict[str, dict[str, str]] = {}
    for part, name in names.items():
        if name is not None and is_each_locale(name):
            try:
                files[part] = files_by_locale(folder, name)
            except ValueError as error:
                wrong.append(Wrong(("template", part), f"template.{part}: {error}"))
    sources: dict[tuple[str, ...], list[str]] = {("template", part): [*found] for part, found in files.items()}
    if not isinstance(subject, str):
        sources["subject",] = [*subject]
    if wrong or not sources:
        return {}, wrong
    tags = {plain(tag): tag for found in sources.values() for tag in reversed(found)}
    for key, found in sources.items():
        lacking = sorted(set(tags) - {plain(tag) for tag in found})
        if lacking:
            what = "a subject" if key == ("subject",) else f"the file {names[key[1]]}"
            words = f"{'.'.join(key)}: {what} is missing for {', '.join(tags[tag] for tag in lacking)}"
            wrong.append(Wrong(key, f"{words}; write it, or take the other files of that locale away"))
    if not any(plain(tag) in tags for tag in fallback):
        there = ", ".join(sorted(tags.values()))
        wrong.append(Wrong(("locale", "fallback"), f"locale.fallback: there is no letter for it; there is {there}"))
    return ({} if wrong else {tag: _letter(tag, subject, names, files, read) for tag in tags.values()}), wrong


def _letter(
    tag: str,
    subject: str | Mapping[str, str],
    names: Mapping[str, str | None],
    files: Mapping[str, Mapping[str, str]],
    read: Callable[[str, str], str | None],
) -> dict[str, Any]:
    key = "subject"
    if not isinstance(subject, str):
        written = next(one for one in subject if plain(one) == plain(tag))
        key, subject = f"subject.{written}", subject[written]
    letter: dict[str, Any] = {"subject": subject, "subject_key": key}
    for part, name in names.items():
        own = name
        if part in files:
            own = next(path for one, path in files[part].items() if plain(one) == plain(tag))
        letter[part] = None if own is None else read(part, own)
        letter[f"{part}_name"] = own or ""
    return letter


def letters_of(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the letters of a content's variants and locales; none where there is one letter for all."""
    variants = content.get("variants")
    if variants is None:
        return _of_locales(content)
    return [one for letter in (content, *variants["letters"].values()) for one in _of_locales(letter) or [letter]]


def _of_locales(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = content.get("locales")
    return [] if found is None else [*found["letters"].values()]


def of_fallback(found: Mapping[str, dict[str, Any]], fallback: Sequence[str]) -> dict[str, Any]:
    """Return the letter for those who have none of their own, with its ``locale``."""
    tags = {plain(tag): tag for tag in found}
    tag = next(tags[plain(one)] for one in fallback if plain(one) in tags)
    return {**found[tag], "locale": tag}
