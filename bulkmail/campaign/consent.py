"""Columns and files by which the usual exports say who may not be mailed: found, counted, reported and obeyed.

By the rule ``auto`` a row is left out where any of these columns says no; by ``none`` they are only reported; by a
column and the values in it that say yes, a row with any other value is left out.

Programs say it in two ways: a column that is filled for those who have left (``Email Opt Out``, ``UNSUB_TIME``), or one
that says no for them (``Accepts Email Marketing``). A bare ``status`` or ``state`` may be about anything, so there the
values decide: ``blocklisted`` is about mail, ``past_due`` about a paid plan. Names and values are compared without
case, blanks and signs. The names are those of Mailchimp, Shopify, HubSpot, Salesforce, Klaviyo, Brevo, Eventbrite,
Substack, Ghost, listmonk, Kit, beehiiv, Zoho, Dynamics, CiviCRM, Mailjet, Wix, PrestaShop and the like, in several
languages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from os.path import basename, splitext
from typing import Any
from unicodedata import normalize

from bulkmail.mail import Problem, Refused

_SIGNS = re.compile(r"[\W_]+")
_OTHER_CHANNEL = re.compile(r"sms|whatsapp|phone|push|fax|telefon|postal|mobile|tracking|totrack|cookie")
_ABOUT_IT = re.compile(
    r"(reason|reasonother|campaign|title|campaignid|link|url|token|count|rate|source|ip|method|mode)$"
)
_WHEN = re.compile(r"(at|(?<=d)on|date|time|timestamp|since|seit|datum)$|^date")
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
    r"|(e?mail|mailing|newsletter|marketing|permission|attendee)(marketing|contact|permission|channel)*status"
    r"|(stat[ou]t?|estado)(del|de|du)?(partecipante|participante?|abonne|iscritto|suscriptor)$"
    r"|(teilnehmer|newsletter|abo)status$"
    r"|permission|receives?(marketing|newsletter|emails?|news)|allows?(email|marketing|bulk)|wants(e?mail|newsletter)"
    r"|keepme(informed|posted|updated)|(may|can)(e?mail|contact)|mailable|contactable|^marketingmaterials?$"
    r"|(like|want|wish|agree)to(receive|get)"
    r"|^(newsletter|nieuwsbrief|infolettre|boletin|nyhedsbrev|nyhetsbrev|uutiskirje|biuletyn)"
    r"(anmeldung|abo(nnement)?|erwunscht|gewunscht|janein|ouinon|sino|yesno)?$"
    r"|^(abonnee?|inscrit[eoa]?)(al?a?|en|na|ao)?(newsletter|infolettre|boletin)?$"
    r"|einwilligung|zustimmung|werbeerlaubnis|angemeldet|consenso|iscritt|consentimiento|suscrit|consentimento"
    r"|toestemming|aangemeld|ingeschreven|samtyck|samtykke|zgoda"
)
_SILENT_UNLESS = re.compile(
    r"^deleted|optin|optedin|^(newsletter|nieuwsbrief|infolettre|boletin|nyhe[dt]sbrev)|permission$"
)  # mostly filled in by few: told where one says no
_ANYTHING = frozenset({
    "status", "state", "userstatus", "recordstatus", "accountstatus", "customerstatus", "etat", "stato",
    "subscriptionstatus", "contactstatus", "memberstatus", "membershipstatus", "liststatus", "globalstatus",
})  # fmt: skip
_SWITCH = frozenset({"active", "isactive", "enabled", "isenabled", "confirmed", "isconfirmed", "emailconfirmed"})

_EMPTY = frozenset({"", "null", "none", "na", "nil", "nan"})
_FALSE = frozenset({
    "0", "00", "no", "n", "false", "f", "off", "nein", "falsch", "non", "faux", "falso", "nee", "nej", "nei", "nie",
    "nao",
})  # fmt: skip
_STILL_IN = frozenset({
    "subscribed", "active", "optedin", "never", "enabled", "allow", "allowed", "zulassen", "marketingcontact",
})  # fmt: skip
_GONE = frozenset({
    "unsubscribed", "nonsubscribed", "neversubscribed", "notsubscribed", "unsub", "optedout", "optout", "notoptedin",
    "bounced", "hardbounced", "hardbounce", "softbounced", "cleaned", "complained", "complaint", "spam", "abuse",
    "blocked", "blocklisted", "blacklisted", "suppressed", "disabled", "inactive", "deactivated", "deleted", "removed",
    "held", "undeliverable", "invalid", "unconfirmed", "donotcontact", "donotallow", "donotemail", "donotmail",
    "noconsent", "nonmarketingcontact", "nonmarketing", "archived", "excluded", "junk", "notactivated", "donotsend",
    "nopermission", "nopermissionset", "nopermissionsset", "abgemeldet", "gesperrt", "inaktiv", "desabonne",
    "desinscrit", "disiscritto", "baja", "cancellato", "uitgeschreven", "afgemeld",
})  # fmt: skip
_REFUSED = frozenset({
    "denied", "declined", "revoked", "withdrawn", "refused", "rejected", "cancelled", "canceled", "expired", "pending",
    "notattending", "refunded", "transferred", "nonpartecipa", "nimmtnichtteil", "neparticipepas", "noasiste",
    "cancelado", "storniert", "erstattet", "abgesagt", "rimborsato", "annullato", "rembourse", "annule", "reembolsado",
})  # fmt: skip
_PLAN = frozenset({"trialing", "pastdue", "unpaid", "incomplete", "incompleteexpired", "paid", "free", "comp"})
_MAY_SAY_NO = _FALSE | _GONE | _REFUSED
_FILE = re.compile(
    r"\d*(unsub|nonsubscribed|cleaned|bounced|bounces|hardbounce|blacklist|blocklist|denylist|opte?d?out|suppress"
    r"|complain|spamreport|donot(?:e?mail|contact|send)|abgemeldet|abmeld|widerruf|gesperrt"
    r"|desabonn|desinscri|disiscri|afgemeld|uitgeschreven|bajas?$)"
)
_EXPORT = re.compile(
    r"(unsubscribed|nonsubscribed|cleaned)_(?:email_audience|audience|members|segment)_export(?![a-z])", re.IGNORECASE
)
"""The files that an export of Mailchimp has beside the one of its subscribers."""
_MANY = 4096  # different values of one column that are remembered
_SHOWN = 3
_LONGEST = 40  # characters of a cell that are shown
_ALL_THE_SAME = "to mail them all the same, write `consent: none`"

ConsentRule = str | dict[str, Any]
"""``auto``, ``none``, or ``{"column": name, "yes": [values]}``."""


def squeezed(text: str) -> str:
    """Return a name or a value for comparing: its letters and digits, without case and accents."""
    return _SIGNS.sub("", normalize("NFKD", text.casefold()))


class _Column:
    """One column, and how many of the rows read say no in it."""

    def __init__(self, name: str, at: int, place: int, kind: str, yes: frozenset[str] = frozenset()) -> None:
        self.name = name
        self.at = at
        self.place = place
        self.kind = kind
        self.count = 0
        self.values: dict[str, None] = {}  # what says no, as written, in order
        self.plan = False
        self._yes = yes
        self._known: dict[str, bool] = {}

    def says_no(self, cell: str) -> bool:
        """Return whether ``cell`` says that this row may not be mailed."""
        known = self._known.get(cell)
        if known is None:
            known = self._judge(squeezed(cell))
            if len(self._known) < _MANY:
                self._known[cell] = known
            if known and len(self.values) < _SHOWN:
                self.values[cell.strip()[:_LONGEST]] = None
        return known

    def _judge(self, value: str) -> bool:
        if self.kind == "named":
            return value not in self._yes
        if value in _EMPTY or value.startswith(("http", "mailto")):
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
        if self.kind == "named" or self.count:
            return False
        return self.kind == "switch" or _SILENT_UNLESS.search(squeezed(self.name)) is not None


class Consent:
    """The columns of one list that say who may not be mailed, and what follows by a rule.

    ``line`` and ``places`` (from 1): where the header has their names. Raises Refused where the rule names a column
    that the list does not have.
    """

    def __init__(
        self, path: str, line: int, names: Sequence[str], places: Sequence[int], rule: ConsentRule = "auto"
    ) -> None:
        self._path = path
        self._line = line
        self._rule = rule
        self._rows = 0
        self._columns = [
            _Column(name, at, places[at], kind) for at, name in enumerate(names) if (kind := kind_of(name))
        ]
        if not isinstance(rule, str):
            at = _named(path, line, names, rule["column"])
            named = _Column(names[at], at, places[at], "named", frozenset(map(squeezed, rule["yes"])))
            self._columns = [named, *(column for column in self._columns if column.at != at)]
        self._left = _EXPORT.match(basename(str(path))) if rule == "auto" else None
        count = 0 if rule == "none" else len(self._columns) if rule == "auto" else 1
        self._obeyed = self._columns[:count]

    def __bool__(self) -> bool:
        """Return whether there is any column to look at."""
        return bool(self._columns) or self._left is not None

    def objections(self, rows: Sequence[tuple[int, list[str], str, str]]) -> dict[int, str]:
        """Look at more rows, as `Rows.take` gives them. Return which of them (from 0) must not be mailed, and why.

        Bad ones are not mailed anyway, and not looked at.
        """
        if not self:
            return {}
        good = [(index, cells) for index, (_, cells, _, wrong) in enumerate(rows) if not wrong]
        self._rows += len(good)
        found: dict[int, str] = {}
        for column in self._columns:
            at, says_no = column.at, column.says_no
            those = [(index, cells[at]) for index, cells in good if says_no(cells[at])]
            column.count += len(those)
            if column in self._obeyed and not column.plan:
                for index, cell in those:
                    found.setdefault(index, f"the column `{column.name}` says `{cell.strip()[:_LONGEST]}`")
        if self._left is not None:
            for index, _ in good:
                found.setdefault(index, f"the name of the file says `{self._left[1].lower()}`")
        return found

    def notices(self, *, whole: bool) -> list[Problem]:
        """Return what the operator should know of the columns; ``whole``: all rows were looked at."""
        found = []
        stem = splitext(basename(str(self._path)))[0]
        left = _FILE.match(squeezed(stem))
        if left:
            words = (
                f"the name of this file says `{_as_written(left[1], stem)}`; if these people are not to be mailed, put "
            )
            words += "it under `suppress`"
            if self._left is not None:
                words = (
                    f"the name of this file says `{self._left[1].lower()}`, and its people are left out; put it under "
                )
                words += f"`suppress`; {_ALL_THE_SAME}"
            found.append(Problem(str(self._path), 0, 0, words))
        for column in self._columns:
            if not column.silent:
                words = "".join(self._said(column, whole=whole))
                found.append(Problem(str(self._path), self._line, column.place, words))
        return found

    def _said(self, column: _Column, *, whole: bool) -> Iterator[str]:
        obeyed = column in self._obeyed
        of = f"{self._rows:,} rows" if whole else f"the first {self._rows:,} rows"
        if column.count:
            values = ", ".join(f"`{value}`" for value in column.values)
            yield f"{column.count:,} of {of} say in column `{column.name}` that they may not be mailed ({values}), and "
            yield "are left out" if obeyed else "they are mailed"
        else:
            yield f"none of {of} says in column `{column.name}` that it may not be mailed"
            yield "; such rows are left out" if obeyed else ""
        if not whole:
            yield "; all are counted when the list is read"
        if column.count and obeyed and column.kind != "named":
            yield f"; {_ALL_THE_SAME}"
        elif column.count and not obeyed:
            yield f"; to leave them out, {self._remedy()}"

    def _remedy(self) -> str:
        if self._rule == "none":
            return "take `consent: none` away"
        return "name a column that says both, or list their addresses in a file under `suppress`"


def _named(path: str, line: int, names: Sequence[str], wanted: str) -> int:
    """Return where the column ``wanted`` is. Raises Refused where it is not there, or twice."""
    found = [at for at, name in enumerate(names) if name == wanted]
    found = found or [at for at, name in enumerate(names) if name and squeezed(name) == squeezed(wanted)]
    if len(found) == 1:
        return found[0]
    near = get_close_matches(wanted[:60], [name for name in names if name], 1)
    what = f"did you mean `{near[0]}`?" if near else "correct the name"
    if found:
        what = "more than one is named so; rename one"
    raise Refused([Problem(path, line, 0, f"`consent` names the column `{wanted}`, which this list has not; {what}")])


def _as_written(found: str, stem: str) -> str:
    """Return what of a file's name is shown: the word found, or the whole name where that is written otherwise."""
    return found if found in stem.casefold() else stem


def kind_of(name: str) -> str:
    """Return how a column of this name says no: ``left``, ``may``, ``switch``, ``anything``; ``""`` where it does not.

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
