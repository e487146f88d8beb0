"""A session with its caller: feeds lines, drains output, keeps both."""

from __future__ import annotations

import pytest

from bulkmail.smtp import Event, Session, Settled, Transaction

MESSAGE = b"Subject: hi\r\n\r\n.dots\r\nbye\r\n"
STUFFED = b"Subject: hi\r\n\r\n..dots\r\nbye\r\n.\r\n"
EHLO = ("250-mx.example hello", "250-PIPELINING", "250-SIZE 1000", "250-8BITMIME", "250 STARTTLS")


class Talk:
    """`hear` gives the events of some lines and takes the output, as a caller on a fast line does."""

    MESSAGE = MESSAGE
    STUFFED = STUFFED
    EHLO = EHLO

    def __init__(self, **options) -> None:
        self.session = Session(hostname="me.example", **{"tls": "off", **options})
        self.said = b""
        self.events: list[Event] = []

    def hear(self, *lines: str) -> list[Event]:
        events = self.session.receive("".join(line + "\r\n" for line in lines).encode())
        return self.told(events)

    def told(self, events: list[Event]) -> list[Event]:
        self.events += events
        self.said = self.drain()
        return events

    def drain(self) -> bytes:
        said = b""
        while self.session.output_pending:
            said += self.session.take_output()
        return said

    def ready(self, *extensions: str) -> Talk:
        lines = ["mx.example", *extensions]
        self.hear("220 mx.example")
        self.hear(*(f"250{' ' if n == len(lines) - 1 else '-'}{line}" for n, line in enumerate(lines)))
        assert self.session.ready
        return self

    def submit(self, *recipients: str, message: bytes = MESSAGE, sender: str = "s@me.example") -> Transaction:
        transaction = Transaction(sender, recipients or ("r@you.example",), message)
        self.told(self.session.submit(transaction))
        return transaction

    def submit_behind(self, *recipients: str, message: bytes = MESSAGE, sender: str = "s@me.example") -> Transaction:
        transaction = Transaction(sender, recipients or ("r@you.example",), message)
        self.told(self.session.submit_behind(transaction))
        return transaction

    def sending(self, *recipients: str) -> tuple[Transaction, Transaction]:
        """Two transactions: the first one's message and dot are out, with the other's commands behind them."""
        first = self.ready("PIPELINING").submit(message=b"1\r\n")
        self.events += self.session.receive(b"250 s\r\n250 r\r\n354 go\r\n")
        second = Transaction("s2@me.example", recipients or ("r2@you.example",), b"2\r\n")
        self.told(self.session.submit_behind(second))
        self.events.clear()
        return first, second

    def fate_of(self, transaction: Transaction) -> list[tuple[str, str, int]]:
        """Fate, stage and code (0 for none) of its recipients, in the order in which they were settled."""
        mine = [e for e in self.events if isinstance(e, Settled) and e.transaction is transaction]
        return [(str(e.fate), str(e.stage), e.reply.code if e.reply else 0) for e in mine]

    @property
    def fates(self) -> list[tuple[int, str, str]]:
        """Index, fate and stage of every recipient settled so far."""
        return [(e.index, str(e.fate), str(e.stage)) for e in self.events if isinstance(e, Settled)]


@pytest.fixture
def talk() -> type[Talk]:
    return Talk
