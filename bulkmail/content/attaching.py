"""The files that a row alone carries: ``attachments: ["invoices/{{ invoice }}.pdf"]``.

They are too many to be read when the campaign is started, so they are read beneath its folder when a message is
composed: the one thing of the content that comes from a file. What is attached again and again (one file for each
country) is read and encoded once, as long as a bounded cache has it.
"""

from __future__ import annotations

import os
import posixpath
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from bulkmail.content.headers import clean, controls_in
from bulkmail.content.mime import Body, Part, attachment, attachment_fields, encoded
from bulkmail.content.templates import CompiledTemplate, RowError
from bulkmail.files import Folder, read_open
from bulkmail.mail import BulkmailError

MOST = 25_000_000  # octets of one file
CACHED = 32_000_000  # octets of encoded files, in each process that composes
_KNOWN = 10_000  # names

Identity = tuple[int, int, int, int]  # device, inode, size, time of the last change in nanoseconds


class FolderGoneError(BulkmailError):
    """The campaign's folder cannot be opened: no fault of any row."""


class _Known(NamedTuple):
    identity: Identity
    digest: bytes
    fields: bytes


class Attaching:
    """Makes the attachments of each row. ``given``: see `campaign.reading.snapshot`, under ``row_attachments``.

    ``template(source, label)`` compiles a value of campaign.yaml. ``fixed``: those that every message has, by their
    places in the list.
    """

    def __init__(
        self,
        given: Mapping[str, Any],
        fixed: Sequence[tuple[str, bytes]],
        template: Callable[[str, str], CompiledTemplate],
    ) -> None:
        self._where: str = given["folder"]
        self._id: tuple[int, int] = tuple(given["id"])
        self._never = frozenset(map(tuple, given["never"]))
        self._ours, self._own = frozenset(given["ours"]), frozenset(given["own"])
        names: dict[int, str] = dict(given["names"])
        self._places: list[Part | None] = [attachment(name, data) for name, data in fixed]
        for place in sorted(names):
            self._places.insert(place, None)
        self._names = [template(names[place], f"attachments[{place}]") for place in sorted(names)]
        self._folder: Folder | None = None
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._bodies: OrderedDict[bytes, Body] = OrderedDict()
        self._size = 0

    def names(self, variables: dict[str, Any]) -> list[str]:
        """Return the files of one row, as the templates print them; "" for one that it has not. Raises RowError."""
        return [name.render(variables).strip() for name in self._names]

    def parts(self, names: Sequence[str]) -> list[Part]:
        """Return all attachments of a row, in order. Raises RowError for a file that is not there, FolderGoneError."""
        own = iter(names)
        found = [self._part(next(own)) if part is None else part for part in self._places]
        return [part for part in found if part is not None]

    def _part(self, name: str) -> Part | None:
        if not name:
            return None
        self._check(name)
        try:
            descriptor = self._opened().open_file(name)
        except ValueError as error:
            raise RowError(f"attachments: {clean(str(error))}") from None
        status = os.fstat(descriptor)
        identity = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
        known = self._known.get(name)
        if known is not None and known.identity == identity and known.digest in self._bodies:
            os.close(descriptor)
            self._known.move_to_end(name)
            self._bodies.move_to_end(known.digest)
            return Part(known.fields, self._bodies[known.digest])
        if identity[:2] in self._never or posixpath.normpath(name) in self._own:
            os.close(descriptor)
            raise RowError(f"attachments: {clean(name)} is a file of the campaign itself, and no attachment")
        try:
            data = read_open(descriptor, MOST)
        except ValueError as error:
            raise RowError(f"attachments: {clean(name)} {error}") from None
        return self._kept(name, identity, data)

    def _check(self, name: str) -> None:
        """Refuse what leads elsewhere than where the author of the template could have meant. Raises RowError."""
        parts = name.split("/")
        if controls_in(name) or "\\" in name:
            raise RowError(f"attachments: {clean(name)!r} is no name of a file in the campaign's folder")
        if name.startswith("/") or ".." in parts:
            raise RowError(f"attachments: {clean(name)!r} leads out of a folder; write a path inside the campaign's")
        if next((part for part in parts if part not in ("", ".")), "") in self._ours:
            raise RowError(f"attachments: {clean(name)} is written by this program, and no attachment")

    def _opened(self) -> Folder:
        if self._folder is None:
            try:
                self._folder = Folder.open(self._where, known=self._id)
            except OSError as error:
                words = f"the campaign's folder {self._where} cannot be opened ({error.strerror})"
                raise FolderGoneError(f"{words}; the files that its rows attach are read from there") from None
        return self._folder

    def _kept(self, name: str, identity: Identity, data: bytes) -> Part:
        digest = sha256(data).digest()
        body = self._bodies.get(digest)
        if body is None:
            body = self._bodies[digest] = encoded(data)
            self._size += len(body.wire)
        self._bodies.move_to_end(digest)
        while self._size > CACHED and len(self._bodies) > 1:
            _, dropped = self._bodies.popitem(last=False)
            self._size -= len(dropped.wire)
        fields = attachment_fields(posixpath.basename(name), data)
        self._known[name] = _Known(identity, digest, fields)
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        return Part(fields, body)
