"""Complaints: feedback reports (RFC 5965, RFC 9477) and Microsoft's older form; the recipient is often left out.

A complaint is read before everything else: what it encloses may itself be a bounce, whose fields mean nothing here.
"""

from __future__ import annotations

from bulkmail.returns.mime import Fields, Message, Part, cut
from bulkmail.returns.returned import Feedback
from bulkmail.returns.subjects import plain
from bulkmail.returns.values import address, mailbox, one_line, typed, words

_MOST = 20  # recipients of one complaint
# what a report may be that is no complaint of a recipient (RFC 6430, RFC 6591)
_NO_COMPLAINT = ("not-spam", "auth-failure", "dkim", "dmarc")


def feedback_in(message: Message) -> tuple[Feedback, Fields] | None:
    """Return what a feedback report says and its fields, None for what is none."""
    for part in message.parts:
        if part.type == "message/feedback-report":
            return _feedback(part), _fields(part)
    if message.parameters.get("report-type", "").lower() == "feedback-report":
        for part in message.parts:
            fields = _fields(part)
            if part.type == "text/plain" and "feedback-type" in fields:  # its type got lost on the way
                return _feedback(part), fields
    return _jmrp(message)


def is_complaint(feedback: Feedback) -> bool:
    """Return whether a recipient complained, and not took a complaint back or a server reported a failed signature."""
    return feedback.type not in _NO_COMPLAINT


def _fields(part: Part) -> Fields:
    return Fields(cut(part.octets().lstrip())[0])


def _feedback(part: Part) -> Feedback:
    fields = _fields(part)
    named = [address(value.strip("<> ")) for value in fields.all("original-rcpt-to")[:_MOST]]
    named += [address(value) for value in fields.all("removal-recipient")[:_MOST]]
    return Feedback(
        one_line(fields.get("feedback-type").lower(), 40) or "abuse",
        tuple(dict.fromkeys(one for one in named if one)),
        one_line(fields.get("source-ip"), 60),
        one_line(typed(fields.get("reported-domain"))[1], 255),
        one_line(fields.get("user-agent"), 100),
    )


def _jmrp(message: Message) -> tuple[Feedback, Fields] | None:
    """Read a report of Microsoft's Junk Mail Reporting Program: the message, or its header, without a report part."""
    sender = mailbox(message.fields.get("from")).lower()
    subject = plain(words(message.fields.get("subject")))
    if not subject.startswith("complaint about message from") or not sender.startswith(("staff@", "jmrp@")):
        return None
    copied = next((part for part in message.parts if part.type.startswith(("message/", "text/rfc822"))), None)
    named = address(_fields(copied).get("x-hmxmroriginalrecipient")) if copied is not None else ""
    source = one_line(subject.removeprefix("complaint about message from"), 60)
    return Feedback("abuse", (named,) if named else (), source, "", "JMRP"), Fields(b"")
