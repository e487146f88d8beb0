"""One message to one or more recipients of one server, and the command lines that announce it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from bulkmail.mail import Category
from bulkmail.smtp.capabilities import Capabilities
from bulkmail.smtp.dsn import original_recipient, xtext
from bulkmail.smtp.pipeline import Command
from bulkmail.smtp.stuffing import check_lines
from bulkmail.smtp.table import Slot

_UNSAFE = re.compile(r"[\x00-\x20\x7f<>\ud800-\udfff]")  # half a surrogate pair has no bytes
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # a quoted local part may hold spaces and angle brackets


@dataclass(slots=True, eq=False)
class Transaction:
    """``message`` is complete, with CRLF line ends, not dot-stuffed; ``context`` is the caller's own.

    ``notify``: what the receiver is asked to report later, ``FAILURE`` or ``NEVER``, where it offers DSN (RFC 3461);
    ``""`` asks for nothing. ``envelope_id``: what a report repeats then, at most 33 characters; "" for nothing.
    ``plain``: its lines are known to be complete, and none starts with a dot (`mail.plain_lines`): it is neither
    checked nor stuffed. ``behind``: set by a session that announced it behind the dot of another one.
    """

    sender: str
    recipients: tuple[str, ...]
    message: bytes
    context: Any = None
    notify: str = ""
    envelope_id: str = ""
    plain: bool = False
    behind: bool = False

    @property
    def smtputf8(self) -> bool:
        """Tell whether an address needs SMTPUTF8 (RFC 6531)."""
        return not (self.sender.isascii() and "".join(self.recipients).isascii())


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why this server cannot take this transaction: our own verdict, before a byte of it is written."""

    note: str
    category: Category


def check(transaction: Transaction) -> None:
    """Raise ValueError for anything that must never reach the wire."""
    if not transaction.recipients:
        raise ValueError("a transaction needs a recipient")
    for address in (transaction.sender, *transaction.recipients):
        if (_CONTROL if address.startswith('"') else _UNSAFE).search(address):
            raise ValueError(f"the address {address!r} has a character that could break a command")
    if not all(transaction.recipients):
        raise ValueError("a recipient's address is empty")
    if not transaction.plain:
        check_lines(transaction.message)


def obstacle(transaction: Transaction, capabilities: Capabilities) -> Obstacle | None:
    """Tell what the server's extensions rule out (RFC 1870 6.1, 6152 3, 6531 3.5)."""
    size = len(transaction.message)
    if 0 < capabilities.size < size:
        return Obstacle(
            f"5.3.4 message of {size} bytes exceeds the receiver's limit of {capabilities.size}", Category.TOO_LARGE
        )
    if not capabilities.smtputf8 and transaction.smtputf8:
        return Obstacle("5.6.7 the address is not ASCII and the receiver does not offer SMTPUTF8", Category.PROTOCOL)
    if not capabilities.eight_bit and not transaction.message.isascii():
        return Obstacle("5.6.3 the message has 8-bit bytes and the receiver does not offer 8BITMIME", Category.PROTOCOL)
    return None


def mail_command(transaction: Transaction, capabilities: Capabilities) -> str:
    """Return ``MAIL FROM`` with the parameters that are offered and needed."""
    line = f"MAIL FROM:<{transaction.sender}>"
    if capabilities.size_offered:
        line += f" SIZE={len(transaction.message)}"
    if capabilities.eight_bit and not transaction.message.isascii():
        line += " BODY=8BITMIME"
    if capabilities.smtputf8 and transaction.smtputf8:
        line += " SMTPUTF8"
    if transaction.notify and capabilities.dsn:
        line += " RET=HDRS"  # RFC 3461 4.3: a bounce need not carry the newsletter back
        if transaction.envelope_id:
            line += f" ENVID={xtext(transaction.envelope_id)}"
    return line + "\r\n"


def envelope(transaction: Transaction, capabilities: Capabilities) -> list[Command]:
    """Return ``MAIL FROM``, and ``RCPT TO`` for each recipient, with the parameters that are offered and asked for."""
    commands: list[Command] = [(Slot.MAIL, 0, mail_command(transaction, capabilities))]
    notify = f" NOTIFY={transaction.notify} ORCPT=" if transaction.notify and capabilities.dsn else ""
    for n, address in enumerate(transaction.recipients):
        asked = notify + original_recipient(address) if notify else ""
        commands.append((Slot.RCPT, n, f"RCPT TO:<{address}>{asked}\r\n"))
    return commands
