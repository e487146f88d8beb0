"""Everything that is wrong with a campaign's content, found before the first message.

One pass, all problems at once. A problem in a template file carries its name, line and column; one of a key of
campaign.yaml has no file and starts with the key (``headers.X-Shop: ...``), for the campaign room to place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from jinja2 import TemplateSyntaxError, nodes

from bulkmail.content import bulk
from bulkmail.content.dkim import DkimKeyError, matches, signing_key
from bulkmail.content.draft import SIZE_CAP
from bulkmail.content.fields import FieldError, header_field
from bulkmail.content.headers import controls_in, is_field_name, parse_mailbox
from bulkmail.content.invitation import TEMPLATES, invitation_problems
from bulkmail.content.linking import utm_values
from bulkmail.content.locales import each_letter
from bulkmail.content.template_check import TemplateCheck
from bulkmail.content.templates import TemplateSet
from bulkmail.content.uri import stray_percent
from bulkmail.mail import Address, AddressError, Problem, parse_address

_ELSEWHERE = {
    "to": "to",
    "reply-to": "reply_to",
    "list-unsubscribe": "unsubscribe",
    "list-unsubscribe-post": "unsubscribe",
    "from": "from",
    "sender": "from",
    "subject": "subject",
    "return-path": "envelope_from",
}
_RESERVED = frozenset({"date", "message-id", "mime-version", "received", "delivered-to", "authentication-results"})
_RESERVED_STARTS = ("content-", "resent-", "arc-", "dkim-", "domainkey-", "x-google-dkim-")


def check_content(content: dict[str, Any]) -> list[Problem]:
    """Return all problems of ``content``, those of campaign.yaml first; an empty list means it can be sent."""
    found: dict[Problem, None] = {}
    for letter in each_letter(content):
        for problem in _Check(letter).problems():
            found[_placed(problem, letter)] = None
    return [*found]


def _placed(problem: Problem, letter: dict[str, Any]) -> Problem:
    """Return the problem under the key where the subject and the sender of this letter are written."""
    for key in ("subject", "from"):
        written = letter.get(f"{key}_key", key)
        if not problem.file and problem.message.startswith(f"{key}: ") and written != key:
            return replace(problem, message=written + problem.message.removeprefix(key))
    return problem


class _Check:
    """Walks through the content once, collecting."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._content = content
        self._problems: list[Problem] = []

    def problems(self) -> list[Problem]:
        content = self._content
        sender = self._mailbox("from", content["from"])
        self._optional("reply_to", self._mailbox)
        self._optional("to", self._mailbox)
        self._optional("envelope_from", self._address)
        self._list_id(content["list_id"])
        self._headers(content["headers"])
        self._unsubscribe(content["unsubscribe"] or {})
        pictures = (content.get("letter") or {}).get("pictures", [])
        self._attachments([*content["attachments"], *pictures])
        self._dkim(content["dkim"], sender)
        self._value("subject", content["subject"])
        for key, source in utm_values(content):
            self._value(key, source)
        if not content["subject"].strip():
            self._tell("subject", "it is empty")
        if content["html"] is None and content["text"] is None:
            self._tell("template", "a campaign needs an html template, a text template, or both")
        if invitation := content.get("invitation"):
            if invitation["organizer"]:
                self._mailbox("invitation.organizer", invitation["organizer"])
            self._problems += invitation_problems(invitation)
        templates = TemplateCheck(content)
        for key, source in self._values():
            self._problems += templates.value(key, source)
        self._problems += templates.files()
        return self._problems

    def _tell(self, key: str, words: str) -> None:
        self._problems.append(Problem("", 0, 0, f"{key}: {words}"))

    def _values(self) -> list[tuple[str, str]]:
        """Return the values of campaign.yaml that are templates, by key."""
        content = self._content
        values = [("subject", content["subject"])]
        values += [(f"headers.{name}", value) for name, value in content["headers"].items()]
        if (content["unsubscribe"] or {}).get("url"):
            values.append(("unsubscribe.url", content["unsubscribe"]["url"]))
        of_rows = content.get("row_attachments") or {"names": []}
        values += [(f"attachments[{place}]", source) for place, source in of_rows["names"]]
        invitation = content.get("invitation") or {}
        values += [(f"invitation.{key}", invitation[key]) for key in TEMPLATES if invitation.get(key)]
        if preheader := (content.get("letter") or {}).get("preheader"):
            values.append(("html.preheader", preheader))
        values += utm_values(content)
        return values

    # The senders

    def _optional(self, key: str, check: Callable[[str, str], Address | None]) -> None:
        if self._content.get(key):
            check(key, self._content[key])

    def _mailbox(self, key: str, text: str) -> Address | None:
        return self._parsed(key, text, lambda text: parse_mailbox(text)[1])

    def _address(self, key: str, text: str) -> Address | None:
        return self._parsed(key, text, parse_address)

    def _parsed(self, key: str, text: str, parse: Callable[[str], Address]) -> Address | None:
        if "{{" in text or "{%" in text:
            self._tell(key, "no template is possible here; it is the same for all recipients")
            return None
        try:
            address = parse(text)
            text.encode("utf-8")
        except (AddressError, UnicodeEncodeError) as error:
            self._tell(key, str(error))
            return None
        if address.needs_smtputf8:
            self._tell(key, f"{address.local!r} is not ASCII, and most receivers refuse such a sender")
            return None
        return address

    # Fields

    def _headers(self, headers: dict[str, str]) -> None:
        seen: dict[str, str] = {}
        for name, value in headers.items():
            key, low = f"headers.{name}", name.lower()
            if not is_field_name(name):
                self._tell(f"headers.{name!r}", "a field's name is 1 to 70 ASCII characters without space or colon")
                continue
            if low in _ELSEWHERE:
                self._tell(key, f"this field is written from the key {_ELSEWHERE[low]!r}; set it there")
            elif low in {"cc", "bcc"}:
                self._tell(key, "each row of the list is a message to one recipient; put this address into the list")
            elif low in _RESERVED or low.startswith(_RESERVED_STARTS):
                self._tell(key, "the mailer writes this field itself; remove it")
            elif low in seen:
                self._tell(key, f"the same field as {seen[low]!r}; a field may be set once")
            seen.setdefault(low, name)
            if self._value(key, value):
                self._grammar(key, name, value)

    def _grammar(self, key: str, name: str, value: str) -> None:
        """Check a value without tags by the grammar of its field: it is what every message gets."""
        if "{" not in value and value.strip():
            try:
                header_field(name, value)
            except FieldError as error:
                self._tell(key, str(error))

    def _value(self, key: str, source: str) -> bool:
        """Check what the author wrote outside of Jinja2's tags; return whether it has no control character."""
        for text in _constants(source):
            found = controls_in(text)
            if found:
                words = "a line break" if found in ("U+000A", "U+000D") else f"the control character {found}"
                self._tell(key, f"it has {words} in it; write it on one line")
                return False
            if any("\ud800" <= character <= "\udfff" for character in text):
                self._tell(key, "it has half of a surrogate pair in it")
                return False
        return True

    def _list_id(self, text: str) -> None:
        if not text:
            return
        _words, identifier = bulk.split_list_id(text)
        if controls_in(text) or not bulk.is_list_id(identifier):
            self._tell("list_id", f"{text!r} is not a list id; write e.g. readers.example.com (RFC 2919)")

    def _unsubscribe(self, unsubscribe: dict[str, Any]) -> None:
        url, mailto = unsubscribe.get("url"), unsubscribe.get("mailto")
        if mailto:
            if mailto.lower().startswith("mailto:"):
                self._tell("unsubscribe.mailto", f"write only the address: {mailto[7:]!r}")
            else:
                self._address("unsubscribe.mailto", bulk.with_sample(mailto))
        if url:
            self._value("unsubscribe.url", url)
            start = next(iter(_constants(url, first=True)), "")
            if start and not start.startswith("https://"):
                self._tell("unsubscribe.url", "one-click unsubscribing needs an https:// URL (RFC 8058)")
            for text in _constants(url):
                stray = stray_percent(text + "00")  # what a tag behind it prints may complete an escape
                if stray:
                    words = f"a % that begins no escape ({stray!r}); write %25"
                    self._tell("unsubscribe.url", words)

    def _attachments(self, attachments: list[tuple[str, bytes]]) -> None:
        size = 0
        for name, data in attachments:
            size += len(data) * 78 // 57
            if controls_in(name):
                self._tell("attachments", f"the file name {name!r} has a control character in it")
            elif any("\ud800" <= character <= "\udfff" for character in name):
                self._tell("attachments", f"the file name {name!r} is not in UTF-8")
        if size > SIZE_CAP:
            self._tell("attachments", f"together {size:,} bytes in the message; {SIZE_CAP:,} is the limit")

    # DKIM

    def _dkim(self, entries: list[dict[str, Any]], sender: Address | None) -> None:
        for number, entry in enumerate(entries):
            try:
                signing_key(entry)
            except DkimKeyError as error:
                self._tell(f"dkim[{number}]", f"{entry['domain']}, selector {entry['selector']}: {error}")
        if entries and sender and not any(matches(sender.domain, entry["domain"]) for entry in entries):
            known = ", ".join(sorted({entry["domain"] for entry in entries}))
            self._tell("dkim", f"no key for the domain of `from`, {sender.domain}; there are keys for {known}")


def _constants(source: str, *, first: bool = False) -> list[str]:
    """Return the texts of a template outside of its tags; with ``first`` the one it starts with, if it does."""
    try:
        tree = TemplateSet({}, html=False).environment.parse(source)
    except TemplateSyntaxError:
        return []  # told by the check of the templates
    if not first:
        return [node.data for node in tree.find_all(nodes.TemplateData)]
    output = tree.body[0] if tree.body else None
    start = output.nodes[0] if isinstance(output, nodes.Output) and output.nodes else None
    return [start.data] if isinstance(start, nodes.TemplateData) else []
