"""Runs a program of the operator's for its output, such as a password, without blocking the event loop."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from bulkmail.mail import BulkmailError

_MOST = 16_000  # bytes of output
_COMPLAINT = 4_000  # bytes of the standard error that are kept


class CommandFailedError(BulkmailError):
    """A command failed or took too long; its output is not quoted, for it may hold secrets.

    ``status``: its exit status, None where it has none. ``printed`` and ``complained``: its output, and the end of what
    it wrote to its standard error, for those who know what it is.
    """

    status: int | None = None
    printed: bytes = b""
    complained: bytes = b""


class Command(ProcessProtocol):
    """One run. ``output`` fires with the bytes of its standard output, or with CommandFailedError."""

    def __init__(self, words: Sequence[str], given: bytes = b"", most: int = _MOST) -> None:
        self.output: Deferred[bytes] = Deferred()
        self._words = words
        self._given = given
        self._most = most
        self._printed = self._complained = b""
        self._why = ""
        self._timer: Any = None

    @classmethod
    def start(
        cls, reactor: Any, words: Sequence[str], within: float, given: bytes = b"", *, most: int = _MOST
    ) -> Command:
        """Start the program ``words``; kill it after ``within`` seconds, or ``most`` bytes of output.

        ``given`` is what it can read from its standard input.
        """
        command = cls(words, given, most)
        command._timer = reactor.callLater(within, command.kill, f"took longer than {within:g} s")
        try:
            reactor.spawnProcess(
                command, words[0], list(words), env=dict(os.environ), childFDs={0: "w", 1: "r", 2: "r"}
            )
        except OSError as error:
            command._timer.cancel()
            words_of = f"{words[0]} cannot be run ({error.strerror})"
            reactor.callLater(0, command.output.errback, CommandFailedError(words_of))
        return command

    def kill(self, why: str) -> None:
        """Kill the program; ``why`` goes into the error."""
        if self.transport is not None:
            self._why = self._why or why
            with contextlib.suppress(ProcessExitedAlready):
                self.transport.signalProcess("KILL")
            self.transport.loseConnection()  # a process that it started may hold its output open

    # what Twisted calls

    def connectionMade(self) -> None:
        """Give the program its input, and close it behind."""
        assert self.transport is not None
        if self._given:
            self.transport.write(self._given)
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        """Keep what the program printed."""
        self._printed += data
        if len(self._printed) > self._most:
            self.kill(f"printed more than {self._most:,} bytes")

    def errReceived(self, data: bytes) -> None:
        """Keep the end of what the program complains of."""
        self._complained = (self._complained + data)[-_COMPLAINT:]

    def processEnded(self, reason: Failure) -> None:
        """Fire ``output``: the program has ended, and all that it printed was read."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self.transport = None
        why, status = self._why, None
        if not why and isinstance(reason.value, ProcessTerminated):
            ended = reason.value
            status = ended.exitCode
            why = f"ended with status {ended.exitCode}" if ended.signal is None else f"was killed by {ended.signal}"
        if why or not isinstance(reason.value, ProcessDone):
            error = CommandFailedError(f"{self._words[0]} {why or 'failed'}")
            error.status, error.printed, error.complained = status, self._printed, self._complained
            self.output.errback(error)
        else:
            self.output.callback(self._printed)
