"""The relay, where one is set: how its connections are opened, and which of its answers concern our own settings.

What it answers to a sign-in, what certificate it shows, and whether it takes mail from us at all are between the
operator and the relay: a fault there is ours, what goes through it pauses, and no recipient is charged. Everything else
about it is as with any site: when it cannot be reached that is an outage, and what it says to a recipient is that one's
outcome.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from bulkmail.delivery.clocks import Clocks
from bulkmail.delivery.pause import Pause, RelayPause
from bulkmail.mail import Category, Fate, Outcome, Stage
from bulkmail.net import SessionOptions
from bulkmail.routing import RELAY, Site, relays_of
from bulkmail.settings import RELAY_SECRETS, Relay, Settings, read_secret, secret_of
from bulkmail.shaping import Limits, Source, classify
from bulkmail.smtp import Closed, Credentials, Settled, TlsMode
from bulkmail.workers import Command

_TOKEN_WITHIN = 30.0
_FIRST_WAIT, _LONGEST_WAIT = 5.0, 300.0
_MODES = {
    "starttls": TlsMode.VERIFY,
    "implicit": TlsMode.VERIFY,
    "opportunistic": TlsMode.OPPORTUNISTIC,
    "off": TlsMode.OFF,
}
# "Authentication required" (RFC 4954 section 6), the reply to a command that needs a sign-in.
_SIGN_IN_FIRST = (530, 534, 535, 538)
_TLS_FIRST = re.compile(r"STARTTLS|\bTLS\b|encrypt", re.IGNORECASE)  # RFC 3207 4, RFC 4954 6
_NOT_FOR_US = re.compile(
    r"relay\w*\b.{0,40}?\b(?:denied|prohibited|refused|(?:not|n't) (?:allowed|permitted))", re.ASCII
)
_NOT_VERIFIED = re.compile(r"not verified|verified sender|sender (?:identity|address) .{0,60}verified", re.ASCII)
_ENVELOPE = (Stage.MAIL, Stage.RCPT)


def smarthosts(
    settings: Settings, *, reactor: Any, pause: Pause, clocks: Clocks, nonce: Callable[[], str]
) -> dict[str, Smarthost]:
    """Return what speaks to the relays of the settings, by the providers of their sites. `Smarthost` has the rest.

    What goes to the relay of a route has a pause of its own.
    """
    return {
        name: Smarthost(
            relay, reactor=reactor, pause=pause if name == RELAY else RelayPause(pause, clocks), nonce=nonce
        )
        for name, relay in relays_of(settings).items()
    }


class Smarthost:
    """``pause``: of what goes through it. ``command`` starts a program (`Command.start`); ``nonce`` gives a new,
    printable, unguessable word.
    """

    def __init__(
        self,
        relay: Relay,
        *,
        reactor: Any,
        pause: Pause,
        nonce: Callable[[], str],
        command: Callable[..., Command] = Command.start,
    ) -> None:
        self.pause = pause
        self.host = relay.host
        self.port = relay.port
        self.ca_file = relay.ca_file
        self.limits = Limits.of(relay, tls=str(_MODES[relay.tls]), shares=0)
        self._relay = relay
        self._reactor = reactor
        self._nonce = nonce
        self._start_command = command
        self._command: Command | None = None
        self._waiting: list[Callable[[str], None]] = []
        self._token = relay.secret
        self._wait = _FIRST_WAIT
        self._taken = False  # it has accepted a message

    def __repr__(self) -> str:
        return f"<Smarthost through {self.host}:{self.port}>"

    def options(self, options: SessionOptions) -> SessionOptions:
        """Return the session options for the relay, made from those of any other session."""
        relay = self._relay
        credentials = None
        if relay.username is not None:
            mechanism = "XOAUTH2" if relay.by_token else "" if relay.auth == "auto" else relay.auth.upper()
            credentials = Credentials(relay.username, self._token, mechanism, self._nonce())
        return replace(
            options,
            implicit_tls=relay.tls == "implicit",
            credentials=credentials,
            allow_own_name=True,  # a smarthost on this machine bears its name
        )

    # access tokens

    @property
    def prepared(self) -> bool:
        """Whether a sign-in has all it needs; call `prepare` otherwise."""
        return self._relay.token_command is None or bool(self._token)

    def prepare(self, then: Callable[[str], None]) -> None:
        """Get a token from its command; call ``then`` with ``""`` or the fault, never before this returns."""
        self._waiting.append(then)
        if self._command is None:
            words: Sequence[str] = self._relay.token_command or ()
            self._command = self._start_command(self._reactor, words, _TOKEN_WITHIN)
            output: Deferred[bytes] = self._command.output
            output.addCallbacks(self._printed, self._failed)

    def _printed(self, printed: bytes) -> None:
        try:
            self._token, why = secret_of(printed), ""
        except ValueError as error:
            why = f"what {self._relay.token_command[0] if self._relay.token_command else ''} printed {error}"
        self._tell(why)

    def _failed(self, failure: Failure) -> None:
        self._tell(failure.getErrorMessage())

    def _tell(self, why: str) -> None:
        self._command = None
        waiting, self._waiting = self._waiting, []
        for then in waiting:
            then(f"no token for the relay {self.host} (relay.token_command): {why}" if why else "")

    def renew(self) -> bool:
        """Return whether there may be another token than the refused one: a command is run, a file is read again."""
        if self._relay.token_command is not None:
            self._token = ""
            return True
        if self._relay.token_file is None:
            return False
        before = self._token
        try:
            self._token = read_secret(self._relay.token_file)
        except ValueError:
            return False  # what is known may be good again; the refusal is told
        return self._token != before

    def close(self) -> None:
        """End the token command, if it runs."""
        if self._command is not None:
            self._command.kill("is not needed any more")

    # what concerns our own settings

    def pause_for(self, text: str) -> None:
        """Pause what goes through it because it rejects us; the waits until the next try double, 5 s up to 300 s."""
        if not self.pause.paused:
            wait = self.wait
            self.pause.relay_fault(text, wait, f"in {wait:g} s, and then less and less often")

    def rejects_us(self, event: Settled) -> bool:
        """Return whether the reply is about us and not about the recipient: it pauses the sending, and is not charged.

        A dot is in the journal by now: its recipient is charged all the same, the first of all.
        """
        words = self.fault_in_reply(event)
        if words:
            self.pause_for(words)
        return bool(words) and event.stage is not Stage.DOT

    @property
    def wait(self) -> float:
        """Return the seconds until a relay that rejects us is tried again, and double them: it must not lock us out."""
        wait, self._wait = self._wait, min(_LONGEST_WAIT, self._wait * 2)
        return wait

    def fault_of(self, closed: Closed) -> str:
        """Return what the operator has to mend where a connection ended before it was ready; ``""``: nothing."""
        if closed.stage is Stage.AUTH and closed.own_fault:
            secret = next((name for name in RELAY_SECRETS if getattr(self._relay, name) is not None), "password_file")
            return f"{self._named(closed.reason)}; check relay.username and relay.{secret}"
        if closed.stage is Stage.STARTTLS and closed.category is Category.TLS and self.limits.tls == TlsMode.VERIFY:
            return f"{self._named(closed.reason)}; nothing was sent. Check relay.host, relay.tls and relay.ca_file"
        return self._named(closed.reason) if closed.own_fault else ""

    def fault_in_reply(self, event: Settled) -> str:
        """Return what the operator has to mend where a reply is about us, not about its recipient; ``""``: nothing.

        Once the relay has accepted a message, such a reply is about one recipient; only "sign in first" never is.
        """
        if event.fate is Fate.ACCEPTED:
            self._taken, self._wait = True, _FIRST_WAIT
            if self.pause.fault:
                self.pause.server_answered()
        if event.reply is None or event.fate is not Fate.REFUSED:
            return ""
        if event.reply.code in _SIGN_IN_FIRST and _TLS_FIRST.search(event.reply.text):
            return f"the relay {self.host} wants TLS first: {event.reply}; set relay.tls to starttls"
        if event.reply.code in _SIGN_IN_FIRST:
            return f"the relay {self.host} wants a sign-in: {event.reply}; set relay.username and its secret"
        if not self._taken and self._about_us(event):
            return f"the relay {self.host} takes no mail from us: {event.reply}; let it know this machine or user"
        return ""

    def _about_us(self, event: Settled) -> bool:
        assert event.reply is not None
        text = event.reply.text.lower()
        if event.stage in _ENVELOPE and _NOT_FOR_US.search(text):
            return True
        if event.stage is Stage.MAIL:
            return event.reply.code >= 500
        outcome = Outcome(event.fate, event.stage, event.reply)
        sender = classify(outcome).category is Category.INVALID_SENDER
        return event.stage is not Stage.RCPT and (sender or _NOT_VERIFIED.search(text) is not None)

    def _named(self, reason: str) -> str:
        after = reason.removeprefix("the server ")
        return f"the relay {self.host}{': ' if after == reason else ' '}{after}"


class Destination(NamedTuple):
    """Where the mail of one lane goes: to a site, from a source, through a relay where there is one."""

    site: Site
    source: Source
    relay: Smarthost | None
