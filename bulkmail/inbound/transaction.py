"""One envelope in the making: MAIL and RCPT, judged one by one."""

from __future__ import annotations

from bulkmail.inbound.commands import parse_argument, parse_mailbox, parse_sender
from bulkmail.inbound.limits import Limits
from bulkmail.inbound.received import Accepted, Accepts, Purpose, Refusal

_BODIES = ("7BIT", "8BITMIME")
_LONGEST_SIZE = 20  # digits, RFC 1870 section 4
_NO_MAIL = Refusal(503, "5.5.1", "Say MAIL first")


class Transaction:
    """``sender``: None before MAIL, ``""`` for the null sender; ``last``: the last recipient, as it was written."""

    def __init__(self, accepts: Accepts, limits: Limits) -> None:
        self.sender: str | None = None
        self.last = ""
        self._accepts = accepts
        self._limits = limits
        self._smtputf8 = False
        self._recipients: list[Accepted] = []

    def reset(self) -> None:
        """Forget the envelope."""
        self.sender, self.last, self._smtputf8 = None, "", False
        self._recipients = []

    def end(self) -> tuple[str, tuple[Accepted, ...], bool]:
        """Return sender, recipients and whether SMTPUTF8 was asked for, and forget the envelope."""
        ended = self.sender or "", tuple(self._recipients), self._smtputf8
        self.reset()
        return ended

    def mail(self, rest: bytes) -> Refusal | None:
        """Take MAIL, or say why not."""
        if self.sender is not None:
            return Refusal(503, "5.5.1", "A sender is given already")
        argument = parse_argument(rest, "FROM")
        if isinstance(argument, Refusal):
            return argument
        refusal = self._parameters(argument.parameters)
        if refusal is not None:
            return refusal
        smtputf8 = "SMTPUTF8" in argument.parameters
        if not argument.path.isascii() and not smtputf8:
            return _not_ascii()
        sender = parse_sender(argument.path)
        if isinstance(sender, Refusal):
            return sender
        self.sender, self._smtputf8 = sender, smtputf8
        return None

    def _parameters(self, parameters: dict[str, str]) -> Refusal | None:
        for name, value in parameters.items():
            if name == "SIZE" and value.isascii() and value.isdigit() and len(value) <= _LONGEST_SIZE:
                if int(value) > self._limits.size:
                    return Refusal(552, "5.3.4", f"The message is larger than {self._limits.size} octets")
            elif (name == "BODY" and value.upper() in _BODIES) or (name == "SMTPUTF8" and not value):
                continue
            elif name in ("SIZE", "BODY", "SMTPUTF8"):
                return Refusal(501, "5.5.4", f"{name} has no proper value")
            else:
                return Refusal(555, "5.5.4", "This parameter of MAIL is not offered")
        return None

    def rcpt(self, rest: bytes) -> Refusal | None:
        """Take a recipient, or say why not."""
        if self.sender is None:
            return _NO_MAIL
        argument = parse_argument(rest, "TO")
        if isinstance(argument, Refusal):
            return argument
        self.last = argument.path
        if argument.parameters:
            return Refusal(555, "5.5.4", "This parameter of RCPT is not offered")
        if not argument.path.isascii() and not self._smtputf8:
            return _not_ascii()
        mailbox = parse_mailbox(argument.path)
        verdict = mailbox if isinstance(mailbox, Refusal) else self._accepts(mailbox)
        if isinstance(verdict, Refusal):
            return verdict
        if verdict in self._recipients:
            return None
        if len(self._recipients) >= self._limits.recipients:
            return Refusal(452, "4.5.3", "Too many recipients; send the rest in a message of its own")
        if self._recipients and (
            self._recipients[0].purpose is not verdict.purpose or verdict.purpose is Purpose.FORWARD
        ):
            # One reply answers for all recipients: they share the purpose, and no mailbox may refuse what another took
            return Refusal(452, "4.5.3", "Send this recipient a message of its own")
        self._recipients.append(verdict)
        return None

    def ready(self) -> Refusal | None:
        """Say why there can be no message now, or None."""
        if self.sender is None:
            return _NO_MAIL
        return None if self._recipients else Refusal(554, "5.5.1", "No recipient was taken")


def _not_ascii() -> Refusal:
    return Refusal(553, "5.6.7", "An address beyond ASCII needs SMTPUTF8")
