from __future__ import annotations

import pytest

from bulkmail.returns import subjects
from bulkmail.returns.subjects import holds, plain, starts, unsubscribes

TABLES = ("AUTO_REPLY", "AUTO_REPLY_INSIDE", "FAILED", "DELAYED", "TRYING", "SUCCEEDED", "CHALLENGE", "CHALLENGE_WORDS")


@pytest.mark.parametrize("table", TABLES)
def test_phrases_are_as_they_are_compared(table):
    for phrase in getattr(subjects, table):
        assert phrase == plain(phrase)
        assert len(phrase) >= 2


def test_plain_text():
    assert plain("  Réponse   AUTOMATIQUE ") == "reponse automatique"


@pytest.mark.parametrize(
    "subject",
    [
        "Automatic reply: spring",
        "Automatische Antwort: Frühling",
        "Réponse automatique : printemps",
        "Respuesta automática: primavera",
        "Risposta automatica: x",
        "Resposta automática: x",
        "自动回复: x",
        "自動応答: x",
        "Автоответ: x",
        "Odpowiedź automatyczna: x",
        "Abwesenheitsnotiz: x",
        "자동 회신: x",
        "תשובה אוטומטית: x",
        "Otomatik yanıt: x",
        "Automatisch antwoord: x",
    ],
)
def test_what_programs_write_when_people_are_away(subject):
    assert starts(plain(subject), subjects.AUTO_REPLY)


@pytest.mark.parametrize("subject", ["Re: spring", "Question about your offer", "Danke!", "Automatic doors: an offer?"])
def test_what_people_write(subject):
    assert not starts(plain(subject), subjects.AUTO_REPLY)
    assert not holds(plain(subject), subjects.AUTO_REPLY_INSIDE)


@pytest.mark.parametrize(
    "subject", ["Unsubscribe", "unsubscribe " + "a" * 26, "Abmelden", "désinscription", "STOP", "退订"]
)
def test_the_wish_to_be_taken_off(subject):
    assert unsubscribes(plain(subject))


@pytest.mark.parametrize(
    "subject", ["How do I unsubscribe?", "unsubscribe me from the other list", "stop it " + "a" * 25, ""]
)
def test_what_is_more_than_that_wish(subject):
    assert not unsubscribes(plain(subject))
