"""One received message read: bytes in, a judged `Return` out; never an exception, whatever the bytes are."""

from __future__ import annotations

from dataclasses import replace

from bulkmail.mail import Category, Stage
from bulkmail.returns.answers import answer, challenges
from bulkmail.returns.blocks import Report, finish, from_entry, judged, looks_like_status, read_status
from bulkmail.returns.complaint import feedback_in, is_complaint
from bulkmail.returns.mime import STATUS_TYPES, Fields, Part
from bulkmail.returns.prose import entries, refusal_of
from bulkmail.returns.returned import Action, Block, Kind, Return, address_key
from bulkmail.returns.seen import COPIES, Seen, see
from bulkmail.returns.subjects import AUTO_REPLY, DELAYED, FAILED, SUCCEEDED, TRYING, holds, plain, starts
from bulkmail.returns.tokens import in_message_id
from bulkmail.returns.values import address, addresses, from_octal, from_xtext, one_line, typed
from bulkmail.returns.wording import Said, said
from bulkmail.returns.xarf import is_spam, xarf_in

_NOTICES = ("message/disposition-notification", "message/global-disposition-notification")
_GRAVEST = (Action.FAILED, Action.DELAYED, Action.EXPANDED, Action.RELAYED, Action.DELIVERED)
_LISTED = 200  # addresses of X-Failed-Recipients
# how the text of a report begins that has no status part
_OPENINGS = (
    "hi. this is the",  # qmail and its children
    "this message was created automatically by mail delivery software",  # Exim
    "there was an error delivering your mail to",  # dma
    "your message did not reach some or all of the intended recipients",  # Exchange 2003
    "delivery to the following recipient",  # Gmail, Exchange 2007
    "delivery has failed to these recipients",  # Exchange 2010
    "--- the following addresses had delivery problems",  # McAfee
)


def read(message: bytes, *, recipient: str = "", sender: str | None = None) -> Return:
    """Judge one received message: what came back, about whom, and what follows from it.

    ``message``: its octets, header and body; the first 128 KiB are looked at. ``recipient``: the envelope recipient,
    the surest place of a token. ``sender``: the envelope sender, ``""`` for the null sender, None where unknown. Raises
    nothing: what is not understood is `Kind.UNREADABLE` or `Kind.OTHER`, with a sentence. Costs about half a
    millisecond, and a bounded time whatever the message holds.
    """
    seen = see(message, recipient, sender)
    if not seen.own.names:
        return seen.judged(Kind.UNREADABLE, "it has no header")
    return _complaint(seen) or _notice(seen) or _report(seen) or _told(seen) or _loop(seen) or _answer(seen)


def _complaint(seen: Seen) -> Return | None:
    found = feedback_in(seen.message)
    if found is None:
        return _abuse(seen)
    feedback, fields = found
    kind, reason = Kind.COMPLAINT, f"it is a feedback report ({feedback.type})"
    if not is_complaint(feedback):
        kind, reason = Kind.OTHER, f"it is a feedback report of the type {feedback.type}, which is no complaint"
    senders = [address(fields.get("original-mail-from"))]
    given = seen.judged(kind, reason, senders=senders, feedback_id=fields.get("cfbl-feedback-id"))
    return replace(given, feedback=feedback)


def _abuse(seen: Seen) -> Return | None:
    """Judge an X-ARF report, a complaint where it is about a message; None for what is none."""
    found = xarf_in(seen.message)
    if found is None:
        return None
    feedback = found.feedback
    if feedback is None:
        return _unreadable(seen, "it is an X-ARF report that could not be read")
    if found.message:
        seen = seen.enclosing(found.message)
    kind, reason = Kind.COMPLAINT, f"it is an X-ARF report ({feedback.type})"
    if not is_spam(feedback):
        kind, reason = Kind.OTHER, f"it is an X-ARF report of the type {feedback.type}, which is no complaint"
    return replace(seen.judged(kind, reason), feedback=feedback)


def _notice(seen: Seen) -> Return | None:
    """Judge a disposition notification (RFC 8098): the address is alive, whatever was done to the message."""
    part = next((part for part in seen.message.parts if part.type in _NOTICES), None)
    if part is None and seen.message.parameters.get("report-type", "").lower() != "disposition-notification":
        return None
    fields = Fields(part.octets().lstrip() if part is not None else b"")
    disposition = one_line(fields.get("disposition"), 100)
    given = seen.judged(
        Kind.DISPOSITION, f"it is a disposition notification ({disposition or 'without a disposition'})"
    )
    if not given.copy.message_id and fields.get("original-message-id"):
        copy = replace(given.copy, message_id=fields.get("original-message-id").strip().strip("<>"))
        given = replace(replace(seen, copy=copy).judged(given.kind, given.reason), copy=copy)
    return replace(given, disposition=disposition, reporting_mta=one_line(fields.get("reporting-ua"), 255))


def _status_part(seen: Seen) -> Part | None:
    """Return the status part of a report, under any type; only a server's where delimiters alone tell of it."""
    if seen.message.recovered and not seen.by_server:
        return None
    for part in seen.message.parts:
        if part.type in STATUS_TYPES:
            return part
    container = seen.message.parameters.get("report-type", "").lower() == "delivery-status"
    if not (seen.by_server or container):
        return None
    for part in seen.message.parts:
        if part.type not in COPIES and not part.type.startswith("image/") and looks_like_status(part.text()[:2000]):
            return part
    return _embedded(seen)


def _embedded(seen: Seen) -> Part | None:
    """Return the status fields within a text: some servers write no MIME, and some gateways take it away."""
    start = seen.text.find("\nReporting-MTA:")
    if start < 0:
        start = seen.text.find("\nFinal-Recipient:")
    if start < 0:
        return None
    text = seen.text[start + 1 :]
    return Part(STATUS_TYPES[0], Fields(b""), text.encode("utf-8", "replace")) if looks_like_status(text) else None


def _report(seen: Seen) -> Return | None:
    """Judge a report with a status part (RFC 3464, RFC 6533), in whatever container it came."""
    part = _status_part(seen)
    if part is None:
        return None
    xtext = "eximdsn" in seen.message.parameters.get("boundary", "").lower()
    report = read_status(part, xtext=xtext)
    if not report.blocks:
        return _unreadable(seen, "its status part names no recipient that could be read")
    if any(raw.keys & _own_path(seen) for raw in report.blocks) or _of_a_report(seen.copied):
        return seen.judged(Kind.LOOP, "it is a report about a report, or about mail to a return path")
    unread = max(report.unread, seen.message.recipients - len(report.blocks))
    forwards = {address_key(from_octal(one)) for one in _failed_recipients(seen)}
    listed = entries(seen.text, seen.ours)
    blaming = typed(report.message.get("reporting-mta"))[0] == "x-local-hostname" or _opens(
        seen, "this is the nullmailer"
    )
    blocks = finish(
        report.blocks,
        listed,
        seen.ours,
        forwards,
        unread=unread,
        blaming=blaming,
        damaged=seen.message.recovered,
    )
    action = next(one for one in _GRAVEST if any(block.action is one for block in blocks))
    given = seen.judged(
        Kind(action.value),
        f"its status part says {action}",
        senders=[address(report.message.get(name)) for name in ("x-postfix-sender", "original-mail-from", "x-sender")],
        envelope_id=_envelope_id(report, xtext),
    )
    mta = one_line(typed(report.message.get("reporting-mta"))[1], 255)
    return replace(
        given,
        blocks=blocks,
        reporting_mta=mta,
        unread=max(unread, len(listed) - len(blocks)),
        by_target=seen.message.type == "multipart/mixed" and _opens(seen, "this is the mailer-daemon, please do not"),
    )


def _opens(seen: Seen, words: str) -> bool:
    return words in plain(seen.text[:400])


def _unreadable(seen: Seen, reason: str) -> Return:
    return seen.judged(Kind.UNREADABLE, reason)


def _envelope_id(report: Report, xtext: bool) -> str:
    value = one_line(report.message.get("original-envelope-id"), 255)
    return from_xtext(value) if xtext else value


def _own_path(seen: Seen) -> set[str]:
    """Return the key of the return path, if it has a token: what fails there is a report of ours that came back."""
    return {address_key(seen.envelope)} - {""} if "+" in seen.envelope else set()


def _of_a_report(copied: Fields) -> bool:
    """Return whether the enclosed copy is a report itself."""
    kind = copied.get("content-type").lower()
    return kind.startswith("multipart/report") and "delivery-status" in kind


def _failed_recipients(seen: Seen) -> list[str]:
    """Return the addresses of X-Failed-Recipients (Exim, Gmail), of which there are several above 50 addresses."""
    values = seen.own.all("x-failed-recipients")[:_LISTED]
    return [one.strip() for value in values for one in value.split(",") if "@" in one][:_LISTED]


def _told(seen: Seen) -> Return | None:
    """Judge a report without a status part, told by its text alone."""
    subject = seen.plain_subject
    sure = seen.by_server and (
        "x-failed-recipients" in seen.own
        or any(_opens(seen, one) for one in _OPENINGS)
        or (holds(subject, (*FAILED, *DELAYED)) and not starts(subject, AUTO_REPLY))  # which repeats the letter's own
        or starts(subject, SUCCEEDED)
    )
    if not sure and not seen.by_daemon:
        return None
    if _of_a_report(seen.copied):
        return seen.judged(Kind.LOOP, "it is a report about a report")
    if _broken(seen.text):
        return _unreadable(seen, "its status part is broken")
    action = _action(subject, plain(seen.text[:4000]))
    listed = entries(seen.text, seen.ours)
    told = finish([from_entry(entry, action) for entry in listed], listed, seen.ours, ())
    told = told or tuple(_listed_only(seen, action))
    if action is Action.FAILED:
        told = tuple(block if _says_why(block) else _as_shown(block, seen.text) for block in told)
    if len(told) == 1 and not _says_why(told[0]) and action is Action.FAILED:
        reply = said(seen.text.partition(told[0].final)[0])  # MailMarshal: the reason stands in front of the address
        told = (_block(told[0].final, told[0].aliases, action, reply),) if reply.code // 100 == 5 else told
    believed = _coded if not sure else _says_why
    if seen.message.parameters.get("report-type", "").lower() == "delivery-status":
        believed = _refused  # its status part is missing, and might have said that it is a warning
    blocks = tuple(block for block in told if believed(block))
    if not blocks and challenges(seen.own, subject, seen.text):
        return None
    if not blocks:
        return _unreadable(seen, "it looks like a report, but does not say of whom, or not why") if sure else None
    given = seen.judged(Kind(action.value), f"its text says {action}")
    unread = max(0, len(told) - len(blocks))
    return replace(given, blocks=blocks, unread=unread, by_target=_opens(seen, _OPENINGS[0]))


def _broken(text: str) -> bool:
    """Return whether a status part stands in the text that could not be read: then the rest of it is not believed."""
    low = text.lower()
    return any(f"{name}:" in low for name in ("final-recipient", "reporting-mta", "\naction", "arrival-date"))


def _says_why(block: Block) -> bool:
    """Return whether words alone tell enough to be believed: a code, or a reason that is known."""
    return block.action is not Action.FAILED or _coded(block) or block.category is not Category.OTHER


def _as_shown(block: Block, text: str) -> Block:
    """Return the block with the reply to its address in the dialogue that the text shows, itself without one."""
    shown = refusal_of(text, block.final)
    return _block(block.final, block.aliases, block.action, said(shown)) if shown else block


def _coded(block: Block) -> bool:
    return bool(block.code or block.enhanced)


def _refused(block: Block) -> bool:
    return block.action is Action.FAILED and (block.code // 100 == 5 or block.enhanced[:1] == "5")


def _action(subject: str, text: str) -> Action:
    """Return what a text tells. A subject may repeat the message's own behind the server's words: the first count."""
    if starts(subject, DELAYED) or "(delay)" in subject or holds(text, TRYING):
        return Action.DELAYED
    if starts(subject, SUCCEEDED):
        return Action.RELAYED
    return Action.DELAYED if not starts(subject, FAILED) and holds(subject, DELAYED) else Action.FAILED


def _listed_only(seen: Seen, action: Action) -> list[Block]:
    """Return blocks for the addresses of X-Failed-Recipients; one alone takes the words of the whole text."""
    named = [from_octal(one) for one in _failed_recipients(seen)]
    reply = said(seen.text) if len(named) == 1 else Said(0, "", ("",), Stage.RCPT)
    return [_block(one, (), action, reply) for one in named if addresses(one, 1)]


def _block(recipient: str, aliases: tuple[str, ...], action: Action, reply: Said) -> Block:
    bare = Block(
        action,
        final=recipient,
        aliases=aliases,
        code=reply.code,
        enhanced=reply.enhanced,
        reply=reply.text,
        stage=reply.stage,
    )
    return judged(bare, reply)


def _loop(seen: Seen) -> Return | None:
    """Judge a message of our own that came back as it was, by a forward or a loop."""
    if in_message_id(seen.own.get("message-id")):
        return seen.judged(Kind.LOOP, "it is a message of our own")
    return None


def _answer(seen: Seen) -> Return:
    kind, reason = answer(seen.own, seen.recipient, seen.text)
    if seen.by_daemon and kind in (Kind.OTHER, Kind.AUTO_REPLY):
        kind, reason = Kind.UNREADABLE, "a mail server wrote it, and it is no report that could be read"
    return seen.judged(kind, reason)
