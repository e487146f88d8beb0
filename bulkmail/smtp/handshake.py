"""How a session comes to take mail: what EHLO said, STARTTLS (RFC 3207), and AUTH (RFC 4954)."""

from __future__ import annotations

from bulkmail.mail import Category, Reply, Stage
from bulkmail.smtp.capabilities import NONE, parse_capabilities
from bulkmail.smtp.dialogue import QUIT, Dialogue
from bulkmail.smtp.events import Event, Ready, UpgradeToTls
from bulkmail.smtp.pipeline import Owed
from bulkmail.smtp.replies import MalformedReply
from bulkmail.smtp.sasl import SaslError
from bulkmail.smtp.signin import SignIn
from bulkmail.smtp.table import SLOTS, Slot, TlsMode
from bulkmail.smtp.window import Window


class Handshake(Dialogue):
    """A session before it is ready, and each time it becomes so."""

    def tls_established(self, version: str) -> list[Event]:
        """Go on under TLS. Nothing said in clear counts any more (RFC 3207 4.2): EHLO anew."""
        self._line.answered()
        self._secure = True
        self.tls = version
        self._offered(NONE)
        if self._implicit:
            self._line.expect(Slot.BANNER)
        else:
            self._line.send_command(Slot.EHLO, f"EHLO {self._hostname}\r\n")
        return self._take_events()

    def _greeted(self, _reply: Reply, _owed: Owed) -> None:
        self._line.send_command(Slot.EHLO, f"EHLO {self._hostname}\r\n")

    def _refused(self, reply: Reply, owed: Owed) -> None:
        self._close_with_quit(f"refused: {reply}", SLOTS[owed[0]].stage, reply)

    def _without_extensions(self, reply: Reply, owed: Owed) -> None:
        if self._secure:  # EHLO was fine in clear: it is TLS that this server cannot do
            self._refused(reply, owed)
        else:
            self._line.send_command(Slot.HELO, f"HELO {self._hostname}\r\n")

    def _introduced(self, reply: Reply, owed: Owed) -> None:
        name = reply.lines[0].partition(" ")[0]
        if name.lower() == self._hostname.lower() and not self._allow_own_name:
            reason = f"the server calls itself {name}, as we do: mail would loop"
            self._close_with_quit(reason, Stage.EHLO, None, Category.ROUTING)
            return
        if owed[0] is Slot.EHLO:
            self._offered(parse_capabilities(reply.lines[1:]))
        if self._mode is TlsMode.OFF or self._secure:
            self._sign_in_or_go_on()
        elif self.capabilities.starttls:
            self._line.send_command(Slot.STARTTLS, "STARTTLS\r\n")
        elif self._mode is TlsMode.OPPORTUNISTIC:
            self._sign_in_or_go_on()
        else:
            reason = "TLS is required and the server does not offer STARTTLS"
            self._close_with_quit(reason, Stage.STARTTLS, None, Category.TLS)

    def _upgrade(self, _reply: Reply, _owed: Owed) -> None:
        self._line.expect(Slot.TLS)
        if self._reader.pending:  # CVE-2021-38371: what was said in clear must not be read as said under TLS
            raise MalformedReply("the server said more in clear after it took STARTTLS")
        self._events.append(UpgradeToTls())

    def _without_tls(self, reply: Reply, owed: Owed) -> None:
        if self._mode is TlsMode.OPPORTUNISTIC:
            self._sign_in_or_go_on()
        else:
            self._refused(reply, owed)

    def _become_ready(self, _reply: Reply | None = None, _owed: Owed | None = None) -> None:
        if self._leaving:
            self._line.send_command(Slot.QUIT, QUIT)
            return
        if self._in_groups and self._chunking and self.capabilities.chunking and not self.chunking:
            self._mail = Window()
        self._events.append(Ready(self.capabilities))

    # AUTH

    def _sign_in_or_go_on(self) -> None:
        if self._sign_in is None or self._leaving:
            self._become_ready()
            return
        try:
            line = self._sign_in.begin(self.capabilities.auth, secure=self._secure, in_clear=self._mode is TlsMode.OFF)
        except SaslError as error:
            self._close_with_quit(f"the server {error}", Stage.AUTH, None, own_fault=True)
            return
        self._line.send_command(Slot.AUTH, line)

    @property
    def _signing_in(self) -> SignIn:
        assert self._sign_in is not None, "AUTH is owed only where it was said"
        return self._sign_in

    def _challenged(self, reply: Reply, owed: Owed) -> None:
        if self._signing_in.fault:  # cancelled, and it asks on: that would never end
            self._not_signed_in(reply, owed)
        else:
            self._line.send_command(Slot.AUTH, self._signing_in.challenged(reply.text))

    def _signed_in(self, reply: Reply, owed: Owed) -> None:
        if self._signing_in.taken():
            self._become_ready()
        else:
            self._not_signed_in(reply, owed)

    def _not_signed_in(self, reply: Reply, _owed: Owed) -> None:
        """End the session: a 4xx is the server's trouble (RFC 4954 6: 454), all else is between our settings and it."""
        sign_in = self._signing_in
        theirs = reply.code < 500 and not sign_in.fault
        self._close_with_quit(
            f"the server {sign_in.refusal(reply)}",
            Stage.AUTH,
            sign_in.cleaned(reply),
            Category.CONNECTION if theirs else None,
            own_fault=not theirs,
        )
