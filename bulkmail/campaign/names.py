"""By what names lists call the column of the addresses, in the exports and the languages that are common.

Names are compared by their letters alone: case, accents, blanks, ``_``, ``-``, a colon, a star and what cannot be seen
make no difference. A dot does, for a suppress list may begin with a domain such as ``me.il``.
"""

from __future__ import annotations

import re
import unicodedata

_ASIDE = re.compile(r"[\s_*:'\"\u2010-\u2015-]+")

_USUAL = """
email|mail|email address|mail address|e-mail addresses|email id
E-Mail-Adresse|Mailadresse|Primäre E-Mail-Adresse
Adresse e-mail|Adresse mail|Courriel|Adresse courriel|Adresse électronique|Adresse de messagerie|Mél|Adresse de courriel
Adresse de courrier électronique|Courrier électronique
Indirizzo email|Indirizzo mail|Indirizzo di posta elettronica|Indirizzo posta elettronica|Posta elettronica
Correo electrónico|Correo|Dirección de correo electrónico|Dirección de correo|Dirección de email|Dirección email
Endereço de e-mail|Endereço e-mail|Endereço de correio eletrónico|Endereço eletrônico|Correio eletrónico
Adreça electrònica|Correu electrònic|Adreça de correu electrònic
E-mailadres|Mailadres|E-post|E-postadress|Mejl|Mejladress|Mailadress|E-postadresse|E-mailadresse
Sähköposti|Sähköpostiosoite|Netfang|Tölvupóstfang|E-posti aadress|Meil|E-pasts|E-pasta adrese
El. paštas|El. pašto adresas
Adres e-mail|Adres poczty elektronicznej|Poczta elektroniczna|E-mailová adresa|E-mailova adresa|E-mail cím
Adresă de e-mail|Adresa de e-mail|Adresă e-mail|E-mail adresa|E-pošta|E-poštni naslov|E-naslov|E-posta|E-posta adresi
Электронная почта|Адрес электронной почты|Эл. почта|Почта|Имейл|Адрес e-mail|E-mail адрес|Електронна пошта
Адреса електронної пошти|Електронна адреса|Електронна поща|Имейл адрес|Е-пошта|Ел. пошта|Мејл
Διεύθυνση email|Διεύθυνση e-mail|Ηλεκτρονικό ταχυδρομείο|Διεύθυνση ηλεκτρονικού ταχυδρομείου
メールアドレス|Eメール|Eメールアドレス|電子メール|電子メールアドレス|メール
邮箱|电子邮件|电子邮箱|邮件地址|电子邮件地址|邮箱地址|電子郵件|電子郵件地址|電郵|電子信箱|信箱
이메일|이메일 주소|전자 메일|전자 메일 주소
البريد الإلكتروني|عنوان البريد الإلكتروني|بريد إلكتروني|אימייל|דואר אלקטרוני|כתובת אימייל|כתובת דואר אלקטרוני
ایمیل|ईमेल|อีเมล
Địa chỉ email|Alamat email|Surel|Alamat surel
"""

_QUALIFIED = """
E-mail 1 - Value|Email 1 - Value|E-mail 1 Address|E-mail 1|Email Address 1|E-Mail 1: Adresse
Primary Email|Primary Email Address|Main Email|Default Email|Preferred Email|Haupt-E-Mail
E-mail principal|E-mail principale
Primäre E-Mail|Email primaria|Correo principal|Adresse e-mail principale
Contact Email|Contact Email Address|Customer Email|Customer Email Address|Client Email|Subscriber Email|Subscriber
Subscriber Email Address|Member Email|User Email|User Email Address|Account Email|Person Email|Person - Email
Recipient Email|Recipient|Recipient Address|Recipient Email Address|Attendee Email|Participant Email|Guest Email
Registrant Email|Donor Email|Supporter Email|Student Email|Parent Email|Lead Email|Buyer Email|Purchase Email
Purchaser Email|Billing Email|Billing Email Address|Email (Billing)|Work Email|Email - Work|Business Email|Company Email
Personal Email|Email - Home|Home Email|Private Email|Your Email|Your Email Address|Student Email Address
E-mail del partecipante|Email del cliente|Email cliente
E-Mail privat|E-Mail geschäftlich
E-mail du participant|E-mail du client|Correo del cliente|Correo del participante
E-mail do participante|E-mail do cliente
E-mailadres klant|E-mailadres deelnemer
"""


def plain_name(name: str) -> str:
    """Return a column's name for comparing: its letters, digits and dots in one case, without accents."""
    if name.isascii():
        return _ASIDE.sub("", name).lower()
    folded = unicodedata.normalize("NFKD", name.casefold())
    kept = [
        piece
        for piece in folded
        if not unicodedata.combining(piece) and unicodedata.category(piece) not in {"Cf", "Cc"}
    ]
    return _ASIDE.sub("", "".join(kept)).lower()


def _names(text: str) -> frozenset[str]:
    return frozenset(plain_name(name) for line in text.split("\n") for name in line.split("|") if name)


USUAL_NAMES = _names(_USUAL)
"""Plain names that say no more than that it is the address."""

ADDRESS_NAMES = USUAL_NAMES | _names(_QUALIFIED)
"""All plain names that are taken; a usual one goes before the others."""

DOMAIN_NAMES = _names("domain|domains|domain name|email domain")
