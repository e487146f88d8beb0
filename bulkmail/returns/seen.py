"""A received message taken apart, for every kind alike: its header, text, enclosed copy, sender and recipient."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from bulkmail.returns.mime import Fields, Message, cut, split
from bulkmail.returns.prose import apart
from bulkmail.returns.returned import Copy, Kind, Return, address_key
from bulkmail.returns.subjects import plain
from bulkmail.returns.tokens import candidates
from bulkmail.returns.values import mailbox, message_ids, one_line, words

COPIES = (
    "message/rfc822",
    "message/global",
    "text/rfc822-headers",
    "message/global-headers",
    "message/rfc822-headers",
    "text/rfc822",
)
"""The media types of an enclosed message or of its header alone."""

_DAEMONS = (
    "mailer-daemon",
    "postmaster",
    "mail-daemon",
    "mdaemon",
    "mailerdaemon",
    "maildaemon",
    "mail.daemon",
    "microsoftexchange",
)
_TAG = re.compile(r"<[^<>]{0,500}>")
_BREAK = re.compile(r"<(?:br|/?p|/?div|/?t[dhr]|/?li|/?h\d)\b[^<>]{0,300}>", re.IGNORECASE)
_UNSEEN = re.compile(r"<(style|script)\b[^<>]{0,300}>[^<]{0,20000}</\1[^<>]{0,20}>", re.IGNORECASE)
_HTML_READ = 32 * 1024


@dataclass(frozen=True, slots=True)
class Seen:
    """A message, taken apart. ``text``: what it says for people, without a copy in it; ``copied``: the copy's header.

    ``envelope``: the envelope recipient, ``""`` where it is not known; ``recipient``: it, or what the To field says.
    ``by_server``: whether a mail server seems to have written it: the null sender, or a From that servers use;
    ``by_daemon``: the From is one that only servers use.
    """

    message: Message
    own: Fields
    envelope: str
    recipient: str
    by_server: bool
    by_daemon: bool
    subject: str
    plain_subject: str
    text: str
    copied: Fields
    copy: Copy

    @property
    def ours(self) -> frozenset[str]:
        """The keys of the addresses that stand for the sender of the message: they failed nowhere."""
        some = (self.envelope, self.recipient, self.copy.sender, self.copy.return_path, mailbox(self.own.get("from")))
        return frozenset(address_key(one) for one in some) - {""}

    def enclosing(self, octets: bytes) -> Seen:
        """Give the same message with another copy in it: one that stood in no part of its own."""
        copied = Fields(cut(octets.lstrip(b"\r\n"))[0])
        return replace(self, copied=copied, copy=_copy(copied))

    def judged(
        self, kind: Kind, reason: str, *, senders: Iterable[str] = (), envelope_id: str = "", feedback_id: str = ""
    ) -> Return:
        """Give the `Return` of a kind, with what every kind has. ``senders``: who a report says had sent the copy."""
        feedback_id = f"{feedback_id} {self.copied.get('cfbl-feedback-id')}"
        found = candidates(self.envelope, self.own, self.copy, senders, envelope_id, feedback_id)
        identifiers = message_ids(self.own.get("message-id"), 1)
        return Return(
            kind,
            reason,
            candidates=tuple(found),
            copy=self.copy,
            envelope_id=envelope_id,
            subject=self.subject,
            message_id=identifiers[0] if identifiers else "",
            references=message_ids(f"{self.own.get('references')} {self.own.get('in-reply-to')}"),
        )


def see(octets: bytes, recipient: str, sender: str | None) -> Seen:
    """Take a message apart. ``recipient``, ``sender``: of its envelope."""
    message = split(octets)
    own = message.fields
    text, inner = apart(_first_text(message))
    enclosed = next((part for part in message.parts if part.type in COPIES), None)
    copied = Fields(cut(enclosed.octets().lstrip(b"\r\n"))[0]) if enclosed is not None else inner
    copied = copied if copied is not None else Fields(b"")
    subject = one_line(words(own.get("subject")), 255)
    return Seen(
        message,
        own,
        recipient.strip().strip("<>"),
        recipient.strip().strip("<>") or mailbox(own.get("to")),
        _by_server(own, sender),
        _by_daemon(own),
        subject,
        plain(subject),
        text,
        copied,
        _copy(copied),
    )


def _by_server(own: Fields, sender: str | None) -> bool:
    if sender == "" or own.get("return-path").strip() == "<>":
        return True
    return mailbox(own.get("from").lower()).startswith(_DAEMONS) or _by_daemon(own)


def _by_daemon(own: Fields) -> bool:
    field = own.get("from").lower()
    return "mailer-daemon" in field or "mail delivery s" in field


def _copy(fields: Fields) -> Copy:
    identifiers = message_ids(fields.get("message-id"), 1)
    return Copy(
        identifiers[0] if identifiers else "",
        message_ids(fields.get("references")),
        one_line(fields.get("feedback-id")),
        one_line(fields.get("list-unsubscribe"), 2000),
        mailbox(fields.get("from")),
        mailbox(fields.get("return-path")),
    )


def _first_text(message: Message) -> str:
    for kind in ("text/plain", "text/html"):
        for part in message.parts:
            if part.type == kind and part.body.strip():
                text = part.text()
                return text if kind == "text/plain" else _without_tags(text[:_HTML_READ])
    return ""


def _without_tags(html: str) -> str:
    """Return the words of a page, roughly: enough to find codes and addresses in."""
    text = _TAG.sub("", _BREAK.sub("\n", _UNSEEN.sub("", html)))
    for name, sign in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&")):
        text = text.replace(name, sign)
    return text
