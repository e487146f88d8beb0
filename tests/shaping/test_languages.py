from __future__ import annotations

import re

import pytest

from bulkmail.shaping.languages import INACTIVE, NO_SUCH_MAILBOX, QUOTA, REFUSED, SENDER
from bulkmail.shaping.phrase import plain_words


def says(patterns, text):
    return any(re.search(pattern, plain_words(text), re.ASCII) for pattern in patterns)


@pytest.mark.parametrize("patterns", [NO_SUCH_MAILBOX, INACTIVE, QUOTA, SENDER, REFUSED])
def test_the_patterns_are_written_as_plain_words_are(patterns):
    for pattern in patterns:
        words = re.sub(r"\\[A-Z]", "", pattern)
        assert words == plain_words(words).replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("patterns", "text"),
    [
        (NO_SUCH_MAILBOX, "Empfänger ist unbekannt"),
        (NO_SUCH_MAILBOX, "Empfaenger ist unbekannt"),
        (NO_SUCH_MAILBOX, "Такой ящик не существует"),
        (NO_SUCH_MAILBOX, "Brak takiego użytkownika"),
        (NO_SUCH_MAILBOX, "Nie ma takiej skrzynki"),
        (NO_SUCH_MAILBOX, "bo\ufffdte inexistante"),
        (INACTIVE, "Учётная запись отключена"),
        (QUOTA, "boîte pleine"),
        (SENDER, "EXPÉDITEUR inconnu"),
        (REFUSED, "Annahme verweigert"),
    ],
)
def test_accents_and_case_make_no_difference(patterns, text):
    assert says(patterns, text)


@pytest.mark.parametrize(
    "text", ["Nachricht unbekannt", "le message est inconnu", "mensaje no encontrado", "не найден"]
)
def test_what_names_no_mailbox_says_nothing_about_one(text):
    assert not says(NO_SUCH_MAILBOX, text)
