"""A mail server as a model, without a socket: it counts right, whatever it says, and knows what it kept."""

from __future__ import annotations

import itertools

from hypothesis import strategies as st


def unstuff(stuffed: bytes) -> bytes:
    """Return a message as it was before `stuff` (RFC 5321 4.5.2)."""
    message = stuffed.replace(b"\r\n..", b"\r\n.")
    return message[1:] if message.startswith(b"..") else message


class Receiver:
    """Reads commands and messages, answers each once, in order, and keeps what it took: (message, recipient).

    ``verdicts``: what it makes of each command in turn; 421 ends it. ``tidy``: it drops a transaction with a refused
    BDAT, which RFC 3030 leaves open. Who does not know a command says so the first time, and always.
    """

    def __init__(self, verdicts: list[int], offer: str, *, tidy: bool) -> None:
        self.verdicts = itertools.cycle(verdicts)
        self.offer = offer
        self.tidy = tidy
        self.kept: set[tuple[bytes, str]] = set()
        self.buffer = b""
        self.chunk = -1
        self.in_data = self.gone = False
        self.reset()
        self.said = b"220 mx\r\n"

    def reset(self) -> None:
        self.sender = False
        self.recipients: list[str] = []

    def feed(self, data: bytes) -> None:
        self.buffer += data
        while self.buffer and not self.gone:
            if self.chunk >= 0:
                if len(self.buffer) < self.chunk:
                    return
                message, self.buffer = self.buffer[: self.chunk], self.buffer[self.chunk :]
                self.chunk = -1
                self.end(message, keeps=not self.tidy)
            elif self.in_data:
                message, dot, rest = (b"\r\n" + self.buffer).partition(b"\r\n.\r\n")
                if not dot:
                    return
                self.buffer, self.in_data = rest, False
                self.end(unstuff(message[2:] + b"\r\n"), keeps=False)
            else:
                line, end, rest = self.buffer.partition(b"\r\n")
                if not end:
                    return
                self.buffer = rest
                self.command(line.decode())

    def say(self, code: int, text: str = "x") -> bool:
        """Whether it was a yes."""
        self.gone = code == 421
        self.said += b"%d %s\r\n" % (code, text.encode())
        return code < 400

    def end(self, message: bytes, *, keeps: bool) -> None:
        verdict = next(self.verdicts) if self.recipients else 503
        if self.say(503 if verdict in (500, 502) and not self.kept else verdict):
            self.kept |= {(message, recipient) for recipient in self.recipients}
        elif keeps:
            return
        self.reset()

    def command(self, line: str) -> None:
        verb = line[:4]
        if verb == "EHLO":
            self.said += f"250-mx\r\n{self.offer}250 HELP\r\n".encode()
        elif verb == "BDAT":
            self.chunk = int(line.split(" ")[1])
        elif verb == "RSET":
            self.reset()
            self.say(250)
        elif verb == "MAIL":
            self.sender = self.say(503 if self.sender else next(self.verdicts)) or self.sender
        elif verb == "RCPT":
            if self.say(next(self.verdicts) if self.sender else 503):
                self.recipients.append(line[9:-1])
        elif verb == "DATA":
            verdict = next(self.verdicts) if self.recipients else 503
            self.in_data = self.say(354 if verdict < 400 else verdict)
        else:
            self.say(221, "bye")
            self.gone = True


NOES = st.sampled_from([450, 550, 554, 500, 502, 503, 503, 421])
VERDICTS = st.tuples(st.integers(1, 30), st.dictionaries(st.integers(0, 29), NOES, max_size=4)).map(
    lambda drawn: [drawn[1].get(n, 250) for n in range(drawn[0])]
)
EXTENSIONS = ["", "250-PIPELINING\r\n", "250-PIPELINING\r\n250-CHUNKING\r\n"]
