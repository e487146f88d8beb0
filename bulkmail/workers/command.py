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


class CommandFailedError(BulkmailError):
    """A command failed or took too long; its output is not quoted, for it may hold secrets."""


class Command(ProcessProtocol):
    """One run. ``output`` fires with the bytes of its standard output, or with CommandFailedError."""

    def __init__(self, words: Sequence[str]) -> None:
        self.output: Deferred[bytes] = Deferred()
        self._words = words
        self._printed = b""
        self._why = ""
        self._timer: Any = None

    @classmethod
    def start(cls, reactor: Any, words: Sequence[str], within: float) -> Command:
        """Start the program ``words``; kill it after ``within`` seconds, or 16,000 bytes of output."""
        command = cls(words)
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
        """Close the standard input of the program: there is nothing to read."""
        assert self.transport is not None
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        """Keep what the program printed."""
        self._printed += data
        if len(self._printed) > _MOST:
            self.kill(f"printed more than {_MOST:,} bytes")

    def processEnded(self, reason: Failure) -> None:
        """Fire ``output``: the program has ended, and all that it printed was read."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self.transport = None
        why = self._why
        if not why and isinstance(reason.value, ProcessTerminated):
            ended = reason.value
            why = f"ended with status {ended.exitCode}" if ended.signal is None else f"was killed by {ended.signal}"
        if why or not isinstance(reason.value, ProcessDone):
            self.output.errback(CommandFailedError(f"{self._words[0]} {why or 'failed'}"))
        else:
            self.output.callback(self._printed)
