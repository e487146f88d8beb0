from __future__ import annotations

import pytest

from bulkmail.returns import Kind
from bulkmail.returns.answers import answer
from bulkmail.returns.mime import Fields
from tests.returns.samples import PATH, TOKEN


def kind(fields, recipient="news@example.com", text="Hello"):
    return answer(Fields(fields.encode()), recipient, text)[0]


@pytest.mark.parametrize(
    "fields",
    [
        "Auto-Submitted: auto-replied (vacation)",
        "Auto-Submitted: auto-generated",
        "Precedence: auto_reply",
        "Precedence: bulk",
        "X-Auto-Response-Suppress: All",
        "X-Autoreply: yes",
        "X-Autorespond: 1",
        "Preference: auto_reply",
        "Delivered-To: Autoresponder",
        "Subject: Automatic reply: spring",
        "Subject: =?utf-8?Q?Automatische_Antwort=3A_Fr=C3=BChling?=",
        "Subject: Re: spring (Out of Office)",
    ],
)
def test_programs(fields):
    assert kind(fields) is Kind.AUTO_REPLY


@pytest.mark.parametrize("fields", ["Subject: Re: spring", "Auto-Submitted: no", "Subject: thank you", ""])
def test_people(fields):
    assert kind(fields) is Kind.OTHER


def test_what_answers_to_a_return_path_is_a_program_unless_it_is_a_reply():
    """vacation(1) carries no mark at all."""
    assert kind("Subject: gone fishing", PATH) is Kind.AUTO_REPLY
    assert kind("Subject: Re: spring\nIn-Reply-To: <x@y>", PATH) is Kind.OTHER
    assert kind("Subject: gone fishing", "bounces@in.example.com") is Kind.OTHER
    assert kind("Subject: gone fishing", "bounces+a_shared_one@in.example.com") is Kind.AUTO_REPLY


@pytest.mark.parametrize(
    ("fields", "recipient"),
    [
        ("Subject: unsubscribe", f"unsubscribe+{TOKEN}@in.example.com"),
        ("Subject: whatever", f"Unsubscribe+{TOKEN}@in.example.com"),
        ("Auto-Submitted: auto-generated", f"unsubscribe+{TOKEN}@in.example.com"),
        (f"Subject: unsubscribe {TOKEN}", "news@example.com"),
        ("Subject: Abmelden", "news@example.com"),
        ("Subject: x", "unsubscribe@in.example.com"),
    ],
)
def test_the_wish_to_be_taken_off(fields, recipient):
    assert kind(fields, recipient) is Kind.UNSUBSCRIBE


def test_an_auto_reply_unsubscribes_nobody():
    assert kind("Auto-Submitted: auto-replied", f"unsubscribe+{TOKEN}@in.example.com") is Kind.AUTO_REPLY
    assert kind("Auto-Submitted: auto-replied\nSubject: unsubscribe") is Kind.AUTO_REPLY


def test_challenges():
    assert kind("Subject: Please confirm your message", text="Click here to confirm.") is Kind.CHALLENGE
    assert kind("Subject: Please confirm your message", text="Thanks.") is Kind.OTHER
    assert kind("X-Boxbe: 1") is Kind.CHALLENGE


@pytest.mark.parametrize(
    "fields",
    [
        "Auto-Submitted: auto-replied",
        "Subject: Automatic reply: spring\nAuto-Submitted: auto-generated\nX-Auto-Response-Suppress: All",
        "Subject: Out of Office",
    ],
)
def test_a_program_that_replies_does_not_unsubscribe_anybody(fields):
    assert kind(fields, f"unsubscribe+{TOKEN}@in.example.com") is Kind.AUTO_REPLY


@pytest.mark.parametrize(
    "subject",
    [
        "Automatic reply: spring",
        "Automatische Antwort: Frühling",
        "Réponse automatique : printemps",
        "Respuesta automática: primavera",
        "Risposta automatica: primavera",
        "Resposta automática: primavera",
        "Automatisch antwoord: lente",
        "Automatiskt svar: vår",
        "Frånvaromeddelande: vår",
        "Automatisk svar: forår",
        "Fraværsmelding: vår",
        "Automaattinen vastaus: kevät",
        "Odpowiedź automatyczna: wiosna",
        "Automatická odpověď: jaro",
        "Automatická odpoveď: jar",
        "Automatikus válasz: tavasz",
        "Răspuns automat: primăvară",
        "Otomatik yanıt: bahar",
        "Автоматический ответ: весна",
        "Автоматична відповідь: весна",
        "Автоматичен отговор: пролет",
        "Αυτόματη απάντηση: άνοιξη",
        "תשובה אוטומטית: אביב",
        "رد تلقائي: الربيع",
        "پاسخ خودکار: بهار",
        "自動応答: 春",
        "自動返信: 春",
        "自动答复: 春天",
        "自动回复:春天",
        "自動回覆: 春天",
        "자동 회신: 봄",
        "ตอบกลับอัตโนมัติ: ฤดูใบไม้ผลิ",
        "Trả lời tự động: mùa xuân",
        "Automatski odgovor: proljeće",
        "Аутоматски одговор: пролеће",
        "Samodejni odgovor: pomlad",
        "Automatinis atsakymas: pavasaris",
        "Automātiskā atbilde: pavasaris",
        "Automaatvastus: kevad",
        "Resposta automàtica: primavera",
        "Balasan otomatis: musim semi",
        "स्वचालित उत्तर: वसंत",
        "AUTO: Ann Lee is out of the office (returning 12/07/2026)",
        "AUTO: Ann Lee ist außer Haus (Rückkehr am 07.12.2026)",
        "Yahoo! Auto Response",
        "Abwesenheitsnotiz: Frühling",
        "Re: spring - Out of Office",
        "I'm out of the office Re: spring",
        "Annual leave Re: spring",
        "Afwezigheidsbericht: lente",
        "En congé : printemps",
        "Assente: primavera",
        "Нет на месте: весна",
        "Poza biurem: wiosna",
    ],
)
def test_programs_are_told_by_their_subjects_in_many_languages(subject):
    assert kind(f"Subject: {subject}") is Kind.AUTO_REPLY


@pytest.mark.parametrize(
    "subject",
    [
        "Re: spring",
        "Away with these letters!",
        "Automobile spring offers?",
        "Urlaubsanfrage: Zimmer im Mai",
        "AW: Frühling",
        "Absence of prices in your letter",
        "Question about automatic irrigation",
        "Ferie a maggio, avete posto?",
        "Vacances en mai ?",
    ],
)
def test_people_write_such_words_too(subject):
    assert kind(f"Subject: {subject}") is Kind.OTHER


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Re: spring", "I now allow incoming messages only from senders I have approved beforehand."),
        ("Re: spring (verification required)", "Please click on the link below."),
        ("Veuillez vous authentifier", "Cliquez sur le lien ci-dessous."),
    ],
)
def test_challenges_are_told_by_their_words(subject, text):
    assert kind(f"Subject: {subject}", PATH, text) is Kind.CHALLENGE
