"""The ways by which somebody is suppressed while a campaign is sent; each returns when that is acknowledged."""

from __future__ import annotations

import contextlib
import http.client
import random
import smtplib
import sqlite3
from collections.abc import Callable
from pathlib import Path

from intake import BOUNCE

from bulkmail.control import Client
from bulkmail.mail import campaign_key, token

DOMAIN = "in.example.com"
SETTINGS = """\
suppression: {{auto: {{hard_bounce: {{after: 1}}}}}}
public: {{url: "https://mail.example.com", listen: "127.0.0.1:{page}", client_rate: "1000/s,burst=1000"}}
inbound:
  listen: ["127.0.0.1:{mail}"]
  domains: [in.example.com]
  limits: {{messages_per_connection: 1000000}}
"""
REASONS = ("complained", "unsubscribed", "bounced-before", "listed")
_COMPLAINT = (
    "From: feedback@mx.example\r\nTo: complaints@in.example.com\r\nSubject: complaint\r\nMIME-Version: 1.0\r\n"
    'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n--b\r\n\r\nAn abuse report.\r\n'
    "--b\r\nContent-Type: message/feedback-report\r\n\r\n"
    "Feedback-Type: abuse\r\nVersion: 1\r\nUser-Agent: FBL/1\r\n\r\n"
    "--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
    "Message-ID: <q2w3e4r5.{token}@example.com>\r\nSubject: Spring\r\n--b--\r\n"
)
_LETTER = "From: <{address}>\r\nSubject: unsubscribe\r\n\r\n"


class Ways:
    """Of the service whose spool is in ``spool``, with its page and its mail server at these ports."""

    def __init__(self, spool: Path, page: int, mail: int, dice: random.Random) -> None:
        self._spool, self._page, self._mail, self._dice = spool, page, mail, dice
        self._key = b""
        self._client: smtplib.SMTP | None = None
        self._ways: dict[str, Callable[[str, int], bool]] = {
            "by the API": self._by_api,
            "by a click": self._by_click,
            "by the page": self._by_page,
            "by a mail": self._by_mail,
            "by a complaint": self._by_complaint,
            "by a bounce": self._by_bounce,
        }

    def suppress(self, address: str, row: int) -> str:
        """Suppress the recipient of a row of the first campaign by some way; return which, "" where it has ended."""
        name = self._dice.choice(list(self._ways))
        return name if self._ways[name](address, row) else ""

    def close(self) -> None:
        """Close what is open."""
        if self._client is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                self._client.quit()

    def _token(self, row: int) -> str:
        if not self._key:
            file = f"file:{self._spool / 'spool.sqlite3'}?mode=ro"
            with contextlib.closing(sqlite3.connect(file, uri=True)) as database:
                [(key,)] = database.execute("SELECT value FROM meta WHERE name = 'token key'")
            self._key = bytes.fromhex(key)
        return token(campaign_key(self._key, 1), row)

    def _by_api(self, address: str, row: int) -> bool:  # noqa: ARG002
        entry = {"address": address, "reason": self._dice.choice(REASONS)}
        Client(str(self._spool)).post("suppressions", "add", entries=[entry])
        return True

    def _by_click(self, address: str, row: int) -> bool:  # noqa: ARG002
        return self._posted(row, "List-Unsubscribe=One-Click")

    def _by_page(self, address: str, row: int) -> bool:  # noqa: ARG002
        return self._posted(row, "action=leave")

    def _posted(self, row: int, body: str) -> bool:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._page, timeout=60)) as connection:
            connection.request("POST", f"/u/{self._token(row)}", body, form)
            with connection.getresponse() as response:
                return response.status == 200 and b"You are unsubscribed" in response.read()

    def _by_mail(self, address: str, row: int) -> bool:
        return self._sent(f"unsubscribe+{self._token(row)}", address, _LETTER.format(address=address))

    def _by_complaint(self, address: str, row: int) -> bool:  # noqa: ARG002
        return self._sent("complaints", "feedback@mx.example", _COMPLAINT.format(token=self._token(row)))

    def _by_bounce(self, address: str, row: int) -> bool:
        own = self._token(row)
        text = BOUNCE.format(token=own).replace("anna@mx.example", address).removesuffix(".\r\n")
        return self._sent(f"bounces+{own}", "", text)

    def _sent(self, local: str, sender: str, text: str) -> bool:
        if self._client is None:
            self._client = smtplib.SMTP("127.0.0.1", self._mail, timeout=60)
        self._client.sendmail(sender, [f"{local}@{DOMAIN}"], text.encode("ascii"))
        return True
