"""Columns and files by which the usual exports say who may not be mailed: found, counted and reported, not obeyed.

Programs say it in two ways: a column that is filled for those who have left (``Email Opt Out``, ``UNSUB_TIME``), or one
that says no for them (``Accepts Email Marketing``). A bare ``status`` or ``state`` may be about anything, so there the
values decide: ``blocklisted`` is about mail, ``past_due`` about a paid plan. Names and values are compared without
case, blanks and signs. The names are those of Mailchimp, Shopify, HubSpot, Salesforce, Klaviyo, Brevo, Eventbrite,
Substack, Ghost, listmonk, Kit, beehiiv, Zoho, Dynamics, CiviCRM, Mailjet, Wix, PrestaShop and the like, in several
languages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from os.path import basename, splitext
from unicodedata import normalize

from bulkmail.mail import Problem

_SIGNS = re.compile(r"[\W_]+")
_OTHER_CHANNEL = re.compile(r"sms|whatsapp|phone|push|fax|telefon|postal|mobile")
_ABOUT_IT = re.compile(
    r"(reason|reasonother|campaign|title|campaignid|link|url|token|count|rate|source|ip|method|mode)$"
)
_WHEN = re.compile(r"(at|(?<=d)on|date|time|timestamp|since|seit|datum)$")
_LEFT = re.compile(
    r"unsub|opte?d?out|black_?listed|black_?list|blocklist|denylist|suppress|emaildisabled|spamreport|complain"
    r"|donot(e?mail|contact|send|bulk|allow)|nobulk|nomail|noemail|nonewsletter|requestsno|isexcluded|optinpending"
    r"|^onhold"
    r"|bounced|hardbounce|bouncedate|bouncetime|emailisbad|^email\d?isbad|^dn[ce]$|^(is)?blocked(at|on|date)?$"
    r"|^clean(ed)?(at|on|date|time)?$|^deleted(at|on|date)$"
    r"|abgemeldet|abmelde|widerruf|gesperrt|keinewerbung|keinemails?|keinnewsletter|nichtanschreiben|nichtzulassen"
    r"|desinscri|desabonn|disiscri|darsedebaja|dadodebaja|^baja$|desuscri"
    r"|afgemeld|uitgeschreven|avregistr|avanmal|avmeld|frameld|afmeld|wypisan|descadastr"
)
_MAY = re.compile(
    r"accepts?(email|buyer)?(marketing|newsletter|emails?)|consent|subscribed|(mail|newsletter)subscription"
    r"|subscriberstatus|optin|optedin"
    r"|(e?mail|mailing|newsletter|marketing|permission|attendee)(marketing|contact|permission)*status"
    r"|(stat[ou]t?|estado)(del|de|du)?(partecipante|participante?|abonne|iscritto|suscriptor)$"
    r"|(teilnehmer|newsletter|abo)status$"
    r"|permission|receives?(marketing|newsletter|emails?|news)|allows?(email|marketing|bulk)|wants(e?mail|newsletter)"
    r"|keepme(informed|posted|updated)|(may|can)(e?mail|contact)|mailable|contactable"
    r"|^newsletter(anmeldung|abo(nnement)?)?$"
    r"|^(abonne|inscrito?)$"
    r"|einwilligung|zustimmung|werbeerlaubnis|angemeldet|consenso|iscritt|consentimiento|suscrit|consentimento"
    r"|toestemming|aangemeld|ingeschreven|samtyck|samtykke|zgoda"
)
_SILENT_UNLESS = re.compile(
    r"^deleted|optin|optedin|^newsletter$|permission$"
)  # mostly filled in by few: told where one says no
_ANYTHING = frozenset(
    {"status", "state", "userstatus", "recordstatus", "accountstatus", "customerstatus", "etat", "stato"}
    | {"subscriptionstatus", "contactstatus", "memberstatus", "membershipstatus"}
)
_SWITCH = frozenset({"active", "isactive", "enabled", "isenabled", "confirmed", "isconfirmed", "emailconfirmed"})

_EMPTY = frozenset({"", "null", "none", "na", "nil", "nan"})
_FALSE = frozenset(
    {"0", "00", "no", "n", "false", "f", "off", "nein", "falsch", "non", "faux", "falso", "nee", "nej", "nei", "nie"}
    | {"nao"}
)
_STILL_IN = frozenset(
    {"subscribed", "active", "optedin", "never", "enabled", "allow", "allowed", "zulassen", "marketingcontact"}
)
_GONE = frozenset(
    {"unsubscribed", "nonsubscribed", "neversubscribed", "notsubscribed", "unsub", "optedout", "optout", "notoptedin"}
    | {"bounced", "hardbounced", "hardbounce", "softbounced", "cleaned", "complained", "complaint", "spam", "abuse"}
    | {
        "blocked",
        "blocklisted",
        "blacklisted",
        "suppressed",
        "disabled",
        "inactive",
        "deactivated",
        "deleted",
        "removed",
    }
    | {"held", "undeliverable", "invalid", "unconfirmed", "donotcontact", "donotallow", "donotemail", "donotmail"}
    | {"noconsent", "nonmarketingcontact", "nonmarketing", "archived", "excluded"}
    | {
        "abgemeldet",
        "gesperrt",
        "inaktiv",
        "desabonne",
        "desinscrit",
        "disiscritto",
    }
    | {"baja", "cancellato", "uitgeschreven", "afgemeld"}
)
_REFUSED = frozenset(
    {"denied", "declined", "revoked", "withdrawn", "refused", "rejected", "cancelled", "canceled", "expired", "pending"}
    | {"notattending", "refunded", "transferred"}
    | {
        "cancelado",
        "storniert",
        "erstattet",
        "abgesagt",
        "rimborsato",
        "annullato",
        "rembourse",
        "annule",
        "reembolsado",
    }
)
_PLAN = frozenset({"trialing", "pastdue", "unpaid", "incomplete", "incompleteexpired", "paid", "free", "comp"})
_MAY_SAY_NO = _FALSE | _GONE | _REFUSED
_FILE = re.compile(
    r"\d*(unsub|nonsubscribed|cleaned|bounced|bounces|hardbounce|blacklist|blocklist|denylist|opte?d?out|suppress"
    r"|complain|spamreport|donot(?:e?mail|contact|send)|abgemeldet|abmeld|widerruf|gesperrt"
    r"|desabonn|desinscri|disiscri|afgemeld|uitgeschreven|bajas?$)"
)
_MANY = 4096  # different values of one column that are remembered
_SHOWN = 3
_REMEDY = "is only a template variable: to leave such rows out, list their addresses in a file under `suppress`"


def squeezed(text: str) -> str:
    """A name or a value for comparing: its letters and digits, without case and accents."""
    return _SIGNS.sub("", normalize("NFKD", text.casefold()))


class _Column:
    """One column, and how many of the rows read say no in it."""

    def __init__(self, name: str, at: int, place: int, kind: str) -> None:
        self.name = name
        self.at = at
        self.place = place
        self.kind = kind
        self.count = 0
        self.values: dict[str, None] = {}  # what says no, as written, in order
        self.plan = False
        self._known: dict[str, bool] = {}

    def says_no(self, cell: str) -> bool:
        """Whether ``cell`` says that this row may not be mailed."""
        known = self._known.get(cell)
        if known is None:
            known = self._judge(squeezed(cell))
            if len(self._known) < _MANY:
                self._known[cell] = known
            if known and len(self.values) < _SHOWN:
                self.values[cell.strip()[:40]] = None
        return known

    def _judge(self, value: str) -> bool:
        if value in _EMPTY:
            return False
        if self.kind == "left":
            return value not in _FALSE and value not in _STILL_IN
        if self.kind == "anything":
            self.plan = self.plan or value in _PLAN
            return value in _GONE or (squeezed(self.name) == "state" and value == "cancelled")
        return value in _MAY_SAY_NO

    @property
    def silent(self) -> bool:
        """Whether there is nothing to report."""
        if self.kind == "anything":
            return self.plan or not self.count
        return not self.count and (self.kind == "switch" or _SILENT_UNLESS.search(squeezed(self.name)) is not None)


class Consent:
    """The columns of one list that say who may not be mailed.

    ``line`` and ``places`` (from 1): where the header has their names.
    """

    def __init__(self, path: str, line: int, names: Sequence[str], places: Sequence[int]) -> None:
        self._path = path
        self._line = line
        self._rows = 0
        self._columns = [
            _Column(name, at, places[at], kind) for at, name in enumerate(names) if (kind := kind_of(name))
        ]

    def __bool__(self) -> bool:
        """Whether there is any column to count in."""
        return bool(self._columns)

    def count(self, rows: Iterable[tuple[int, list[str], str, str]]) -> None:
        """Look at more rows of the list (as `Rows.take` gives them); bad ones are not mailed, and not counted."""
        if not self._columns:
            return
        good = [cells for _, cells, _, wrong in rows if not wrong]
        self._rows += len(good)
        for column in self._columns:
            at, says_no = column.at, column.says_no
            column.count += sum([says_no(cells[at]) for cells in good])

    def notices(self, *, whole: bool) -> list[Problem]:
        """What the operator should know; ``whole``: all rows were counted."""
        found = []
        stem = splitext(basename(str(self._path)))[0]
        left = _FILE.match(squeezed(stem))
        if left:
            words = (
                f"the name of this file says `{_as_written(left[1], stem)}`; if these people are not to be mailed, put "
                "it under `suppress`"
            )
            found.append(Problem(str(self._path), 0, 0, words))
        of = f"{self._rows:,} rows" if whole else f"the first {self._rows:,} rows"
        more = "" if whole else "; all are counted when the list is read"
        for column in self._columns:
            if column.silent:
                continue
            said = f"{column.count:,} of {of} say in column `{column.name}` that they may not be mailed"
            if column.count:
                said += f" ({', '.join(f'`{value}`' for value in column.values)}), and they are mailed{more}"
            else:
                said = f"none of {of} says in column `{column.name}` that it may not be mailed{more}"
            found.append(Problem(str(self._path), self._line, column.place, f"{said}; the column {_REMEDY}"))
        return found


def _as_written(found: str, stem: str) -> str:
    """What of a file's name is shown: the word that was found, or the whole name where it is written otherwise."""
    return found if found in stem.casefold() else stem


def kind_of(name: str) -> str:
    """How a column of this name says no: ``left``, ``may``, ``switch``, ``anything``; ``""`` where it does not.

    ``left``: by being filled. ``may``: by a word for no. ``switch``: the same, but mostly about something else.
    ``anything``: only where its values are about mail.
    """
    name = squeezed(name)
    if _OTHER_CHANNEL.search(name):
        return ""
    if name in _ANYTHING:
        return "anything"
    if name in _SWITCH:
        return "switch"
    if _LEFT.search(name):
        return "" if _ABOUT_IT.search(name) else "left"
    if _MAY.search(name):
        return "" if _ABOUT_IT.search(name) or _WHEN.search(name) else "may"
    return ""
