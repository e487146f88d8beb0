"""How far a `bulkmail tail` is: a small file of its own, written aside and renamed, and locked while it is in use."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from dataclasses import dataclass

from bulkmail.mail import BulkmailError

_LONGEST = 4096


@dataclass
class Checkpoint:
    """``seq``: the last event that was passed on. ``upto``: the last of the batch that was begun, else ``seq``.

    A batch that was begun is sent again as it was, under the same name, so that its receiver can drop the second one.
    ``stream``: a random name of this stream of batches.
    """

    path: str
    seq: int
    upto: int
    stream: str
    _lock: int

    @classmethod
    def open(cls, path: str) -> Checkpoint:
        """Read the file, or begin before the first event where there is none. Raises BulkmailError."""
        try:
            lock = os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise BulkmailError(f"{path}: the checkpoint cannot be locked ({error.strerror})") from None
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise BulkmailError(f"{path} is in use by another `bulkmail tail`; give this one its own") from None
            seq, upto, stream = _read(path)
            found = cls(path, seq, upto, stream, lock)
            found._write()
        except BaseException:
            os.close(lock)
            raise
        return found

    def begin(self, upto: int) -> None:
        """Remember that a batch up to that event is about to be passed on. Raises BulkmailError."""
        if upto != self.upto:
            self.upto = upto
            self._write()

    def passed_on(self) -> None:
        """Remember that it was passed on. Raises BulkmailError."""
        self.seq = self.upto
        self._write()

    def close(self) -> None:
        """Let others use it."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _write(self) -> None:
        text = json.dumps({"seq": self.seq, "upto": self.upto, "stream": self.stream}) + "\n"
        aside = f"{self.path}.new"
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(aside)
            descriptor = os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.rename(aside, self.path)
        except OSError as error:
            raise BulkmailError(f"{self.path}: the checkpoint cannot be written ({error.strerror})") from None


def _read(path: str) -> tuple[int, int, str]:
    try:
        with open(path, encoding="ascii") as file:
            found = json.loads(file.read(_LONGEST))
        seq, upto, stream = int(found["seq"]), int(found["upto"]), str(found["stream"])
        sound = 0 <= seq <= upto
    except FileNotFoundError:
        return 0, 0, secrets.token_hex(6)
    except OSError as error:
        raise BulkmailError(f"{path}: the checkpoint cannot be read ({error.strerror})") from None
    except (ValueError, TypeError, KeyError):
        sound = False
    if not sound:
        raise BulkmailError(
            f"{path} is no checkpoint of `bulkmail tail`; give another name, or remove it to begin at the oldest event"
        ) from None
    return seq, upto, stream
