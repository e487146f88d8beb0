"""Where `bulkmail tail` passes events on to: stdout, a file, a program, or an address by the Standard Webhooks scheme.

Each takes a batch whole or raises NotTakenError; it is then offered the same batch again. A batch has a name, which
stays the same when it is offered again.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from bulkmail import __version__
from bulkmail.mail import BulkmailError

Event = dict[str, Any]

_PATIENCE = 30.0  # seconds for each step of a request
_COMMAND_WITHIN = 600.0  # seconds
_LONGEST_WAIT = 3600.0  # seconds that a receiver may ask for
_SECRET = "whsec_"  # noqa: S105 - the mark of a secret, not one
_ANSWER = 300  # octets of an answer that are told
_TAIL = 1 << 20


class NotTakenError(Exception):
    """A batch was not taken, for the reason that is its text. ``after``: seconds that the receiver asks to wait."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after


class Taker(Protocol):
    """Takes batches."""

    def take(self, name: str, events: Sequence[Event]) -> None:
        """Take a batch. Raises NotTakenError; BulkmailError where it is of no use to try again."""


def json_lines(events: Sequence[Event]) -> bytes:
    """Return the events as JSON, one a line."""
    return b"".join([json.dumps(event, ensure_ascii=True).encode("ascii") + b"\n" for event in events])


class Stdout:
    """Writes events to stdout, one a line."""

    def take(self, name: str, events: Sequence[Event]) -> None:
        """Take a batch. Raises BrokenPipeError where the reader of the pipe has ended."""
        del name
        try:
            sys.stdout.buffer.write(json_lines(events))
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise NotTakenError(f"stdout cannot be written ({error.strerror})") from None


class AppendedFile:
    """Appends events to a file, one a line, and begins it anew once it has ``rotate`` octets; ``keep`` old ones stay.

    What a crash has left of a line is cut off, and what the file has is not written twice: its last event says how far
    it is. The old ones are called ``path.1``, ``path.2`` and so on, as logrotate calls them.
    """

    def __init__(self, path: str, rotate: int, keep: int) -> None:
        self._path = path
        self._rotate = rotate
        self._keep = keep
        self._seq: int | None = None

    def take(self, name: str, events: Sequence[Event]) -> None:
        """Take a batch; it is on the disk then."""
        del name
        try:
            if self._seq is None:
                self._seq = self._look()
            if self._seq > events[-1]["seq"]:
                raise BulkmailError(
                    f"{self._path} has event {self._seq} already, and the next would be {events[0]['seq']}: it is of "
                    "another checkpoint or spool; give another file"
                )
            new = [event for event in events if event["seq"] > self._seq]
            if not new:
                return
            self._append(json_lines(new))
            self._seq = new[-1]["seq"]
        except OSError as error:
            self._seq = None
            raise NotTakenError(f"{self._path} cannot be written ({error.strerror})") from None

    def _append(self, data: bytes) -> None:
        with contextlib.suppress(FileNotFoundError):
            if os.stat(self._path).st_size >= self._rotate:
                self._turn()
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            before = os.fstat(descriptor).st_size
            try:
                left = memoryview(data)
                while left:
                    left = left[os.write(descriptor, left) :]
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, before)
                raise
        finally:
            os.close(descriptor)

    def _turn(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self._path}.{self._keep}")
        for number in range(self._keep - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.rename(f"{self._path}.{number}", f"{self._path}.{number + 1}")
        if self._keep:
            os.rename(self._path, f"{self._path}.1")
        else:
            os.unlink(self._path)

    def _look(self) -> int:
        """Cut off a torn last line; return the number of the last event that is there, 0 where none is."""
        for path in (self._path, f"{self._path}.1"):
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                size = os.fstat(descriptor).st_size
                tail = os.pread(descriptor, _TAIL, max(0, size - _TAIL))
                whole = tail[: tail.rfind(b"\n") + 1]
                if len(whole) < len(tail):
                    os.ftruncate(descriptor, size - len(tail) + len(whole))
            finally:
                os.close(descriptor)
            if whole:
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    return int(json.loads(whole.splitlines()[-1])["seq"])
        return 0


class Program:
    """Starts a program for each batch, with its events on stdin, one a line; status 0 says that it has taken them."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = list(words)

    def take(self, name: str, events: Sequence[Event]) -> None:
        """Take a batch."""
        environment = {**os.environ, "BULKMAIL_BATCH": name}
        try:
            done = subprocess.run(  # noqa: S603 - the operator's own program
                self._words, input=json_lines(events), timeout=_COMMAND_WITHIN, check=False, env=environment
            )
        except subprocess.TimeoutExpired:
            raise NotTakenError(f"{self._words[0]} has not ended within {_COMMAND_WITHIN:g} s") from None
        except OSError as error:
            raise NotTakenError(f"{self._words[0]} cannot be started ({error.strerror})") from None
        if done.returncode:
            raise NotTakenError(f"{self._words[0]} ended with the status {done.returncode}")


def read_secrets(text: str) -> list[bytes]:
    """Return the secrets of Standard Webhooks (``whsec_`` and Base64) in a text, one a line. Raises BulkmailError."""
    found = []
    for line in text.split():
        try:
            secret = base64.b64decode(line.removeprefix(_SECRET), validate=True)
        except (binascii.Error, ValueError):
            secret = b""
        if not line.startswith(_SECRET) or not 24 <= len(secret) <= 64:
            raise BulkmailError(
                "a secret for signatures must be whsec_ and 24 to 64 octets in Base64, as `openssl rand -base64 32` "
                "writes them"
            )
        found.append(secret)
    if not found:
        raise BulkmailError(
            "there is no secret for signatures; write whsec_ and the output of `openssl rand -base64 32`"
        )
    return found


class Webhook:
    """Posts each batch, signed (Standard Webhooks 1.0), as an object with ``type``, ``timestamp`` and ``data``.

    A 2xx says that it was taken; 410 that nothing more is wanted. ``now`` gives epoch seconds.
    """

    def __init__(self, url: str, secrets: Sequence[bytes], now: Callable[[], float]) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise BulkmailError(f"{url!r} must be http:// or https://, a host name and a path")
        self._url = url
        self._host, self._port = parts.hostname, port
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._secrets, self._now = secrets, now
        self._connection: http.client.HTTPConnection | None = None

    def take(self, name: str, events: Sequence[Event]) -> None:
        """Take a batch."""
        told = {"type": "bulkmail.events", "timestamp": events[-1]["at"], "data": {"events": list(events)}}
        body = json.dumps(told, ensure_ascii=True, separators=(",", ":")).encode("ascii")
        at = str(int(self._now()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"bulkmail/{__version__}",
            "webhook-id": name,
            "webhook-timestamp": at,
            "webhook-signature": " ".join(signature(secret, name, at, body) for secret in self._secrets),
        }
        status, after, words = self._posted(body, headers)
        if status == http.HTTPStatus.GONE:
            raise BulkmailError(f"{self._url} answers 410: it wants no events any more")
        if not 200 <= status < 300:
            raise NotTakenError(f"{self._url} answered {status}{words}", after)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def _posted(self, body: bytes, headers: dict[str, str]) -> tuple[int, float | None, str]:
        """Return the answer's status, what it says of waiting, and its first words; a stale connection is replaced."""
        for again in (self._connection is not None, False):
            connection = self._connection or self._connected()
            self._connection = None
            try:
                connection.request("POST", self._target, body, headers)
                response = connection.getresponse()
                words = response.read(_ANSWER).decode("utf-8", "replace")
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if again and not isinstance(error, TimeoutError):
                    continue
                why = getattr(error, "strerror", None) or str(error) or type(error).__name__
                raise NotTakenError(f"{self._url} cannot be reached ({why})") from None
            if response.isclosed():
                self._connection = connection
            else:
                connection.close()
            shown = f": {' '.join(words.split())!r}" if words.strip() else ""
            return response.status, self._wait(response.getheader("Retry-After")), shown
        raise AssertionError  # the second round ends the loop

    def _connected(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=_PATIENCE)
        return http.client.HTTPSConnection(self._host, self._port, timeout=_PATIENCE, context=self._tls)

    def _wait(self, text: str | None) -> float | None:
        """Return the seconds of a Retry-After (RFC 9110 10.2.3), None where it says none."""
        if text is None:
            return None
        try:
            wait = float(text) if text.strip().isdigit() else parsedate_to_datetime(text).timestamp() - self._now()
        except (ValueError, OverflowError):
            return None
        return min(max(wait, 0.0), _LONGEST_WAIT)


def signature(secret: bytes, name: str, at: str, body: bytes) -> str:
    """Return ``v1,`` and the signature of a webhook: HMAC-SHA256 of its id, time and body (Standard Webhooks 1.0)."""
    digest = hmac.new(secret, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode('ascii')}"
