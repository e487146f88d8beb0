"""Who may use the page: a file with a line a person, written by ``bulkmail user``, read again whenever it has changed.

A line is ``NAME ROLE HASH``; the hash is ``-`` for a person whom only a proxy signs in.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from bulkmail.files import read_regular
from bulkmail.mail import BulkmailError, OwnFault
from bulkmail.web.passwords import is_hash

BY_PROXY = "-"  # in place of a hash
MOST_USERS = 1000
_MOST_OCTETS = 1_000_000
_NAME = re.compile(r"[\w.@+-]{1,64}")


class Role(IntEnum):
    """What a person may do; each may do what those before it may. ``approve``: also let a campaign be sent."""

    LOOK = 1
    STEER = 2
    APPROVE = 3

    @property
    def word(self) -> str:
        """Its name as people write it."""
        return self.name.lower()


class User(NamedTuple):
    """One person. ``kept``: the hash of the password, `BY_PROXY` where there is none."""

    name: str
    role: Role
    kept: str


def user_name(text: str) -> str:
    """Return the name. Raises BulkmailError where it cannot be one."""
    if _NAME.fullmatch(text) is None:
        raise BulkmailError(
            f"{text[:80]!r} is no name for a user; take letters, digits and . _ @ + -, 64 of them at most"
        )
    return text


def read_users(path: str) -> dict[str, User]:
    """Return the users by name; none where there is no file. Raises OwnFault, naming file and line."""
    if not os.path.lexists(path):
        return {}
    try:
        text = read_regular(path, _MOST_OCTETS).decode("utf-8", "replace")
    except ValueError as error:
        raise OwnFault(f"{path} {error}") from None
    users: dict[str, User] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if len(words) != 3 or words[1].upper() not in Role.__members__ or not _kept(words[2]) or words[0] in users:
            raise OwnFault(f"{path}:{number}: this is not a line of `bulkmail user add`; remove it, or the whole file")
        users[words[0]] = User(words[0], Role[words[1].upper()], words[2])
    return users


def write_users(path: str, users: Mapping[str, User]) -> None:
    """Write the file anew, for its owner alone. Raises BulkmailError."""
    if len(users) > MOST_USERS:
        raise BulkmailError(f"{path} would have more than {MOST_USERS} users")
    lines = [f"{user.name} {user.role.word} {user.kept}\n" for user in sorted(users.values())]
    text = "# written by `bulkmail user`\n" + "".join(lines)
    aside = f"{path}.new"
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o600)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.replace(aside, path)
    except OSError as error:
        raise BulkmailError(f"{path} cannot be written ({error.strerror})") from None


class Users:
    """The users of a file as it is now. Where it cannot be read any more, there are none."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._users: dict[str, User] = {}
        self.fault = ""

    def get(self, name: str) -> User | None:
        """Return the user of that name."""
        self._look()
        return self._users.get(name)

    def __len__(self) -> int:
        self._look()
        return len(self._users)

    def _look(self) -> None:
        try:
            found = os.stat(self._path)
            seen = (found.st_mtime_ns, found.st_ino, found.st_size)
        except OSError:
            seen = None
        if seen is None or seen != self._seen:
            self._seen = seen
            try:
                self._users, self.fault = read_users(self._path), ""
            except OwnFault as fault:
                self._users, self.fault = {}, str(fault)


def _kept(text: str) -> bool:
    return text == BY_PROXY or is_hash(text)
