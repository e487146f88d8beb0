"""How clamd is spoken to, on a socket of the test's; the real one is asked in tests/interop."""

from __future__ import annotations

import socket
import struct
import threading

import pytest
from twisted.internet.defer import Deferred

from bulkmail.inbound import Refusal
from bulkmail.inbound.clamd import Clamd
from bulkmail.inbound.waiting import WaitingThreads
from bulkmail.mail import OwnFault


class Scanner:
    """Answers one connection by rote; ``stop_at``: after so many octets of the message, without reading the rest."""

    def __init__(self, listening, answer, stop_at=None):
        self.heard = b""
        self._listening, self._answer, self._stop_at = listening, answer, stop_at
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        one, _ = self._listening.accept()
        with one, one.makefile("rb") as file:
            assert file.read(10) == b"zINSTREAM\0"
            while True:
                (length,) = struct.unpack("!L", file.read(4))
                if not length:
                    break
                self.heard += file.read(length)
                if self._stop_at is not None and len(self.heard) >= self._stop_at:
                    break
            one.sendall(self._answer)


@pytest.fixture
def scan(loop, message, tmp_path):
    threads = WaitingThreads(loop, 2)
    place = str(tmp_path / "clamd")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(place)
        listening.listen()

        def scan(answer, *, stop_at=None, size=10):
            scanner = Scanner(listening, answer, stop_at)
            body = b"y" * size
            try:
                added = loop.wait(Deferred.fromCoroutine(Clamd(threads, place)(message(body=body))))
            finally:
                scanner.thread.join(60)
            assert scanner.heard == body
            return added

        yield scan
    threads.close()


def test_a_clean_message_of_several_chunks(scan):
    assert scan(b"stream: OK\0", size=200_000) == b""


@pytest.mark.parametrize(
    ("answer", "code"),
    [(b"stream: Test.UNOFFICIAL FOUND\0", 550), (b"INSTREAM size limit exceeded. ERROR\0", 552)],
)
def test_what_is_refused(scan, answer, code):
    with pytest.raises(Refusal) as caught:
        scan(answer)
    assert caught.value.code == code


@pytest.mark.parametrize("answer", [b"", b"UNKNOWN COMMAND\0", b"stream: Can't allocate memory ERROR\0"])
def test_what_is_no_verdict(scan, answer):
    with pytest.raises(OwnFault, match="gave no verdict"):
        scan(answer)


def test_an_answer_before_all_was_sent_is_read(loop, message, tmp_path):
    threads = WaitingThreads(loop, 1)
    place = str(tmp_path / "clamd")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(place)
        listening.listen()
        scanner = Scanner(listening, b"INSTREAM size limit exceeded. ERROR\0", stop_at=60_000)
        with pytest.raises(Refusal, match="too large"):
            loop.wait(Deferred.fromCoroutine(Clamd(threads, place)(message(body=b"y" * 30_000_000))))
        scanner.thread.join(60)
    threads.close()


def test_one_that_is_not_there(loop, message, tmp_path):
    threads = WaitingThreads(loop, 1)
    for address in (str(tmp_path / "none"), "127.0.0.1:1"):
        with pytest.raises(OwnFault, match="gave no verdict"):
            loop.wait(Deferred.fromCoroutine(Clamd(threads, address)(message())))
    threads.close()
