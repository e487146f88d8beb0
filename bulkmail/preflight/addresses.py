"""Addresses that are valid and probably wrong: mistyped domains, roles, and what no person has chosen."""

from __future__ import annotations

import re
from functools import lru_cache

from bulkmail.preflight.kinds import Kind, warning

_WELL_KNOWN = (
    "gmail.com", "googlemail.com", "yahoo.com", "yahoo.co.uk", "yahoo.fr", "yahoo.de", "yahoo.es", "yahoo.it",
    "yahoo.co.jp", "yahoo.com.br", "hotmail.com", "hotmail.co.uk", "hotmail.fr", "hotmail.de", "hotmail.it",
    "hotmail.es", "outlook.com", "outlook.de", "outlook.fr", "live.com", "live.co.uk", "live.nl", "msn.com",
    "icloud.com", "aol.com", "protonmail.com", "proton.me", "comcast.net", "verizon.net", "bellsouth.net",
    "sbcglobal.net", "charter.net", "btinternet.com", "virginmedia.com", "gmx.de", "gmx.net", "gmx.at", "web.de",
    "t-online.de", "freenet.de", "arcor.de", "posteo.de", "mailbox.org", "orange.fr", "wanadoo.fr", "laposte.net",
    "free.fr", "libero.it", "virgilio.it", "tiscali.it", "bluewin.ch", "telenet.be", "skynet.be", "ziggo.nl",
    "kpnmail.nl", "seznam.cz", "onet.pl", "interia.pl", "mail.ru", "yandex.ru", "rambler.ru", "uol.com.br",
    "rediffmail.com", "163.com", "126.com", "qq.com", "naver.com", "hanmail.net", "docomo.ne.jp", "bigpond.com",
)  # fmt: skip
_REAL = frozenset(
    {
        "mail.com", "email.com", "gmx.com", "gmx.ch", "gmx.fr", "gmx.us", "ymail.com", "hotmail.ch", "hotmail.be",
        "hotmail.nl", "hotmail.se", "hotmail.no", "hotmail.gr", "outlook.es", "outlook.it", "outlook.at", "outlook.be",
        "outlook.dk", "outlook.ie", "outlook.jp", "live.de", "live.fr", "live.it", "live.se", "live.dk", "live.no",
        "live.be", "live.ca", "live.at", "live.ie", "live.jp", "live.cn", "live.ru", "yahoo.ca", "yahoo.in", "yahoo.se",
        "yahoo.no", "yahoo.dk", "yahoo.ie", "yahoo.gr", "yahoo.at", "yahoo.pl", "yahoo.nl", "yahoo.be", "yahoo.cn",
        "yahoo.com.ar", "yahoo.com.au", "yahoo.com.mx", "yahoo.co.in", "yahoo.co.id", "yahoo.co.kr", "yahoo.co.nz",
        "aol.de", "aol.fr", "aol.it", "aol.co.uk", "aim.com", "ail.com", "gmail.ru", "mail.de", "mail.ee", "mail.kz",
        "mail.bg", "mail.gr", "mail.ch", "bmail.com", "fmail.com", "hmail.com", "tmail.com", "pmail.com", "zmail.com",
        "inmail.com", "free.de", "free.it", "web.com", "web.fr", "web.nl", "web.at", "msn.de", "msn.cn",
        "me.com", "mac.com", "163.net", "126.net", "139.com", "vip.163.com", "uol.com", "onet.eu", "interia.eu",
        "qmail.com", "free.nl", "free.bg", "yandex.com", "yandex.by", "yandex.kz", "yandex.ua", "libero.eu",
        "posteo.net", "posteo.at", "posteo.ch", "posteo.eu", "posteo.org", "t-online.com", "t-online.hu",
        "orange.es", "orange.pl", "orange.be", "orange.ro", "orange.sk", "naver.jp", "mailbox.com", "mailbox.hu",
        "gmx.li", "gmx.at", "gmx.eu", "gmx.es", "gmx.info", "gmx.org", "skynet.de", "ziggo.com", "live.cl", "live.hk",
        "live.in", "live.co.za", "live.com.mx", "live.com.pt", "live.com.ar", "live.com.au", "live.com.my", "love.com",
        "proton.com", "virgin.net", "virginmedia.co.uk", "docomo.jp", "seznam.com", "rambler.com", "tiscali.co.uk",
    }
)  # fmt: skip
"""Domains that are near a well-known one and real."""


def _shortened(domain: str) -> list[str]:
    """Return ``domain``, and what is left of it without one of its letters."""
    return [domain, *[domain[:at] + domain[at + 1 :] for at in range(len(domain))]]


_NEAR: dict[str, list[str]] = {}
"""The well-known domains by what is left of them: what is one change away from one of them shares such a text."""
for _known in _WELL_KNOWN:
    for _short in _shortened(_known):
        _NEAR.setdefault(_short, []).append(_known)

_ENDINGS = {
    "con": "com", "cmo": "com", "comm": "com", "ocm": "com", "vom": "com", "xom": "com", "coom": "com", "cim": "com",
    "cpm": "com", "clm": "com", "copm": "com", "comn": "com", "nte": "net", "ent": "net", "nett": "net", "ner": "net",
    "ogr": "org", "orgg": "org", "rog": "org", "dee": "de", "edd": "de",
}  # fmt: skip
"""Endings that no registry has, and what was meant."""

_ROLES = re.compile(
    r"(?:abuse|admin|administrator|accounts?|anfrage|all|billing|booking|bookings|buchhaltung|careers?|comercial"
    r"|compliance|contact|contacto|contato|contatti|contactus|customerservice|devnull|dns|einkauf|empfang|enquiries"
    r"|enquiry|everyone|ftp|feedback|finance|hallo|hello|help|helpdesk|hostmaster|hr|info|information|infos|inoc"
    r"|investorrelations|jobs|kontakt|kundenservice|legal|list|list-request|mail|mailer-daemon|marketing|media|news"
    r"|newsletter|nobody|noc|no-?reply|do-?not-?reply|office|orders?|phish|phishing|postmaster|press|presse|privacy"
    r"|purchasing|registrar|reception|rechnung|remove|reservations?|root|sales|secretary|security|sekretariat|service"
    r"|services|shop|spam|staff|subscribe|support|sysadmin|tech|team|undisclosed-recipients|unsubscribe|usenet|uucp"
    r"|verkauf|vertrieb|verwaltung|web|webmaster|welcome|www)"
).fullmatch
_HEX = re.compile(r"[0-9a-f]{16,}|[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}").search
_LETTERS = re.compile(r"[a-z0-9]{10,}").search
_MIXED = re.compile(r"[a-z]\d+[a-z]+\d+[a-z]|\d[a-z]+\d+[a-z]+\d").search
_HARSH = re.compile(r"[bcdfghjklmnpqrstvwxz]{7,}").search
_KEYBOARD = re.compile(
    r"(?:asdf|qwert[yz]|zxcv|yxcv|abcd|1234|test|tester|testing|fake|foo|bar|foobar|dummy|sample|example|xxx+|aaa+)\d*"
).fullmatch
_LONG = 25  # characters of a part before the @ without a dot, a hyphen or an underscore


def address_kinds(email: str) -> list[Kind]:
    """Return what is odd about the part of an address before the ``@``."""
    local = email.strip().rpartition("@")[0].lower()
    found = []
    if _ROLES(local.partition("+")[0]):
        words = "an address of a role, behind which there may be several people or none"
        found.append(warning("role-address", "email", words, "mail people who have asked for it"))
    if _looks_machine_made(local):
        words = "the part before the @ looks made by a machine or by a hand on the keyboard"
        found.append(warning("machine-made-address", "email", words, "see where these addresses come from"))
    return found


def _looks_machine_made(local: str) -> bool:
    if _KEYBOARD(local) or _HEX(local) or _HARSH(local):
        return True
    word = _LETTERS(local)
    if word is None:
        return False
    text = word[0]
    if len(local) >= _LONG and len(text) >= _LONG:
        return True
    return bool(_MIXED(text) and sum(map(str.isdigit, text)) >= 3)


@lru_cache(maxsize=8192)
def near_domain(domain: str) -> str:
    """Return the well-known domain that ``domain`` (in lower case) is probably meant to be; "" for none."""
    if domain in _REAL or domain in _WELL_KNOWN:
        return ""
    for short in _shortened(domain):
        for known in _NEAR.get(short, ()):
            if _one_apart(domain, known):
                return known
    name, _, ending = domain.rpartition(".")
    if ending in _ENDINGS:
        meant = f"{name}.{_ENDINGS[ending]}"
        return near_domain(meant) or meant
    if domain.startswith("www.") and domain[4:] in _WELL_KNOWN:
        return domain[4:]
    return ""


def _one_apart(one: str, other: str) -> bool:
    """Return whether one insertion, removal, exchange or swap of neighbours makes one of the other (Damerau)."""
    if len(one) < len(other):
        one, other = other, one
    at = 0
    while at < len(other) and one[at] == other[at]:
        at += 1
    if len(one) > len(other):
        return one[at + 1 :] == other[at:]
    if one[at + 1 :] == other[at + 1 :]:
        return True
    return one[at + 2 :] == other[at + 2 :] and one[at : at + 2] == other[at : at + 2][::-1]
