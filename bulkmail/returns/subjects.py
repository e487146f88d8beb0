"""Subjects and openings by which programs tell what they are, in the languages of many mail programs. Data only.

All in lower case, as `plain` writes them: accents gone, blanks run together.
"""

from __future__ import annotations

import re
import unicodedata


def plain(text: str) -> str:
    """Return a text in lower case, without accents, with single blanks."""
    if not text.isascii():
        text = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    return " ".join(text.lower().split())


def _plain(*phrases: str) -> tuple[str, ...]:
    return tuple(plain(phrase) for phrase in phrases)


# Exchange, Outlook, Gmail, Lotus, GroupWise, vacation and web mailers: at the start of a subject
AUTO_REPLY = _plain(
    "automatic reply", "auto reply", "auto-reply", "autoreply", "autoresponse", "auto response", "auto-response",
    "automated reply", "automated response", "auto:", "automatic response", "autoresponder", "auto responder",
    "out of office", "out of the office", "out-of-office", "i am out of the office", "i am away", "i'm away",
    "away from", "away:", "on vacation", "on holiday", "vacation reply", "vacation:", "vacation message",
    "holiday reply", "not in the office", "on leave", "on annual leave", "on parental leave", "on maternity leave",
    "i am on leave", "i am on vacation", "i am on holiday", "i am out of office", "i am currently out",
    "automatische antwort", "autom. antwort", "automatische abwesenheit", "abwesenheit", "abwesend",
    "abwesenheitsnotiz", "abwesenheitsnachricht", "nicht im buro", "nicht im hause", "ich bin nicht im buro",
    "ich bin im urlaub", "im urlaub", "ausser haus", "eingangsbestatigung",
    "automatische eingangsbestatigung", "reponse automatique", "absence du bureau", "absent du bureau",
    "je suis absent", "message d'absence", "reponse d'absence", "en conges", "en vacances",
    "notification d'absence", "accuse de reception automatique", "respuesta automatica", "fuera de la oficina",
    "estoy fuera", "de vacaciones", "respuesta de vacaciones", "resposta automatica",
    "fora do escritorio", "ausencia temporaria", "de ferias", "em ferias", "estou ausente", "mensagem automatica",
    "risposta automatica", "fuori sede", "fuori ufficio", "assenza dall'ufficio", "in ferie", "sono assente",
    "messaggio automatico", "automatisch antwoord", "automatische beantwoording", "afwezigheidsassistent",
    "afwezig", "niet aanwezig", "niet op kantoor", "automatisk svar", "autosvar", "fravaer", "fraværende",
    "franvaro", "franvarande", "ikke til stede", "ikke pa kontoret", "automaattinen vastaus", "poissa", "lomalla",
    "olen lomalla", "odpowiedz automatyczna", "automatyczna odpowiedz", "autoodpowiedz", "nieobecnosc",
    "poza biurem", "automaticka odpoved", "mimo kancelar", "nepritomnost", "automatikus valasz",
    "hazon kivul", "szabadsagon", "raspuns automat", "automatski odgovor", "samodejni odgovor",
    "automatinis atsakymas", "automaatvastus", "otomatik yanit", "otomatik yanıt", "otomatik cevap",
    "ofis disinda", "ofis dısında",
    "автоответ", "автоматическии ответ", "вне офиса", "я в отпуске", "автоматична вiдповiдь",
    "автоматична відповідь", "автоматичен отговор", "αυτοματη απαντηση", "απουσια", "自动回复", "自動回覆",
    "自动答复", "自動回應", "不在通知", "自動応答", "自動返信", "不在", "부재중", "자동 회신", "자동회신",
    "자동 응답", "מענה אוטומטי", "תשובה אוטומטית", "رد تلقائي", "الرد التلقائي", "tra loi tu đong",
    "balasan otomatis", "jawapan automatik", "tu dong tra loi", "automatiskt svar", "fraværs", "automatiska atbilde",
    "аутоматски одговор", "нет на месте", "پاسخ خودکار", "ตอบกลับอัตโนมัติ", "स्वचालित उत्तर", "yahoo! auto response",
    "yahoo auto response",
)  # fmt: skip

# words that begin subjects of people, too: here they are the whole of one, or a mark, a date or "Re" follows
_AWAY = re.compile(
    r"(?:absence|absent|urlaub|urlop|ausencia|ausente|assente|(?:en )?conges?|annual leave)"
    r"(?:$|\s*[:(\[\u2013-]|,? (?:re|aw|tr|bis|vom|until|from|till|du|jusqu'au|dal|fino|hasta|del|do|od)\b)"
)

# these may stand anywhere in a subject
AUTO_REPLY_INSIDE = _plain(
    "(out of office)", "[out of office]", "out of office", "out of the office", "auto-reply", "autoreply",
    "automatic reply", "automatische antwort", "abwesenheitsnotiz", "reponse automatique", "respuesta automatica",
    "[auto-reply]", "(autoreply)", "vacation reply", "is out of the office", "ist ausser haus",
    "ist nicht im hause", "i am away", "am on vacation",
)  # fmt: skip

# a failure that a server tells in a subject, for reports without a status part
FAILED = _plain(
    "undelivered mail returned to sender", "not delivered", "mail error", "failed mail", "mail failed",
    "delivery problem", "failure delivery", "processing error", "undeliverable", "undeliverable mail", "undelivered",
    "mail delivery failed", "mail delivery failure", "delivery failure", "delivery failed", "failure notice",
    "returned mail", "mail returned", "delivery status notification", "delivery notification", "delivery report",
    "message not delivered", "message undeliverable", "message delivery failure", "mail could not be delivered",
    "could not be delivered", "mail system error", "mail status report", "undeliverable message", "non delivery",
    "non-delivery", "nondeliverable", "bounce", "notice: mail delivery status", "warning: could not send",
    "user unknown", "unzustellbar", "unzustellbare", "nicht zustellbar", "zustellung fehlgeschlagen",
    "zustellungsfehler", "mailzustellung", "rucklaufer", "non remis", "non distribuable", "echec de",
    "echec d'envoi", "message non distribue", "avis de non-remise", "notification d'etat de remise",
    "no se puede entregar", "no entregado", "no se ha podido entregar", "error de entrega", "correo devuelto",
    "devuelto", "notificacion de estado", "non recapitabile", "impossibile recapitare", "mancato recapito",
    "nao e possivel entregar", "nao entregue", "falha na entrega", "falha de entrega", "onbestelbaar",
    "niet bezorgd", "olevererbart", "kan inte levereras", "ikke levert", "kunne ikke leveres", "ei voitu toimittaa",
    "niedostarczalne", "nie mozna dostarczyc", "nedorucitelne", "kezbesithetetlen", "teslim edilemedi",
    "недоставленное", "недоставлено", "не доставлено", "无法送达", "未送达", "退信", "系统退信", "無法傳遞",
    "配信不能", "配信エラー", "未配信", "배달되지 않음", "배달 못함",
)  # fmt: skip

DELAYED = _plain(
    "delayed mail", "delayed", "(delay)", "warning: message", "warning: could not send", "still being retried",
    "verzogert", "verzogerung", "noch nicht zugestellt", "retarde", "differe", "retrasado", "demorado", "en retard",
    "in ritardo", "atrasad", "vertraagd", "forsinket", "forsenad", "opoznion", "отложен", "delivery-delayed",
    "delivery delayed", "zustellung verzogert", "retrasad", "ritardat", "zpozden", "viivastynyt", "gecikti", "keslelt",
    "задержк", "задерживается", "καθυστερ", "配信遅延", "配信が遅れ", "遅延", "延迟", "延遲", "지연",
)  # fmt: skip

# words of a text that say the server has not given up
TRYING = _plain(
    "will be retried", "delivery attempts will continue", "will continue to try", "will keep trying",
    "only a temporary failure", "temporary failure report", "still being retried", "not yet been delivered",
    "no action is required on your part", "do not need to resend", "not need to re-send", "warning message only",
    "will retry", "wird weiter versucht", "weitere zustellversuche", "nous continuerons", "se seguira intentando",
)  # fmt: skip

SUCCEEDED = _plain(
    "return receipt", "successful mail delivery report", "delivery status notification (success)",
    "delivery status notification (relay)", "delivered:", "relayed:", "delivery status notification: relayed",
    "delivery status notification: delivered", "zugestellt:", "remis :", "remis:", "entregado:", "expanded:",
)  # fmt: skip

CHALLENGE = _plain(
    "please confirm your message", "please confirm that you sent", "confirm your email to", "verify your email to",
    "sender verification", "message verification", "e-mail verification required", "verification required:",
    "anti-spam confirmation", "action required: verify", "please verify your e-mail", "your message to",
    "your email requires verification", "[spam arrest]", "spam arrest", "boxbe", "bluebottle", "spamcloud",
    "antispam uol", "(verification required)", "vous authentifier", "authentification requise",
    "demande d'authentification", "confirmacao de e-mail", "mailblocks", "bestatigen sie ihre e-mail an",
    "sie mussen ihre e-mail", "challenge:", "[challenge]", "whitelist request", "confirm receipt of your email",
)  # fmt: skip
# what the text of a challenge has beside one of these subjects
CHALLENGE_WORDS = _plain(
    "click", "confirm", "verify", "verification", "challenge", "approved senders", "white list", "whitelist",
    "klicken", "bestatig", "cliquez", "haga clic", "clique", "reply to this message",
)  # fmt: skip
# a text that says it by itself, whatever the subject is: that of the letter, as a rule
CHALLENGING = _plain(
    "incoming messages only from senders i have approved", "added to my list of approved senders",
    "is being held because the address", "to release your message for delivery",
)  # fmt: skip

UNSUBSCRIBE = frozenset(
    _plain(
        "unsubscribe", "unsubscribe me", "please unsubscribe", "please unsubscribe me", "list-unsubscribe",
        "opt out", "opt-out", "remove", "remove me", "stop", "abmelden", "abmeldung", "abbestellen",
        "newsletter abmelden", "austragen", "desinscription", "se desinscrire", "desabonner", "desabonnement",
        "me desabonner", "baja", "darse de baja", "cancelar suscripcion", "cancelar inscricao", "descadastrar",
        "disiscrizione", "cancellami", "disiscrivimi", "afmelden", "uitschrijven", "avregistrera", "avmeld",
        "afmeld", "wypisz", "odhlasit", "leiratkozas", "отписаться", "退订", "取消订阅", "配信停止",
    )
)  # fmt: skip


def starts(subject: str, phrases: tuple[str, ...]) -> bool:
    """Return whether a plain subject starts with one of these."""
    return subject.startswith(phrases)


def away(subject: str) -> bool:
    """Return whether a plain subject says that somebody is away, by a word that may begin other subjects as well."""
    return _AWAY.match(subject) is not None


def holds(text: str, phrases: tuple[str, ...]) -> bool:
    """Return whether a plain text has one of these anywhere."""
    return any(phrase in text for phrase in phrases)


def unsubscribes(subject: str) -> bool:
    """Return whether a plain subject is nothing but the wish to be taken off, a token behind it or not."""
    words = subject.strip(" .!\"'<>")
    first, _, rest = words.partition(" ")
    token = len(rest) == 26 and rest.isalnum()
    return words in UNSUBSCRIBE or (token and first in UNSUBSCRIBE)
