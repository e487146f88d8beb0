"""``bulkmail suppress import`` and ``export``: whole lists into the spool and out of it, in bounded memory.

The spool keeps suppressions in the order of their hashes. A list of millions in any other order would change as many
places of it as it has entries, so what is imported is put in that order first: into files by the first bits of the
hash, each of which fits into memory.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import IO

from bulkmail.campaign import listed
from bulkmail.commands.suppressions import Changes, changing
from bulkmail.commands.terminal import progress, say, say_json, tell
from bulkmail.exit_status import DONE, REFUSED
from bulkmail.mail import BulkmailError, Problem, UnitError, count_of, parse_moment
from bulkmail.report import SUPPRESSION_COLUMNS, write_suppressions
from bulkmail.settings import Settings
from bulkmail.spool import REASONS, Suppression, is_scope

_SOME = 20_000  # entries that are put in order in memory
_FILES_BITS = 6
_HASH_BITS, _DIGITS = 63, 16
_MOST_TOLD = 20
_OWN = tuple(name for name in SUPPRESSION_COLUMNS if name not in ("email", "domain"))


def import_from(settings: Settings, path: str, encoding: str | None, *, usual: Suppression, json: bool) -> int:
    """Add every entry of a list. ``usual``: what its entries are where the list does not say. Raises BulkmailError.

    Lines that are wrong, or have the hash of an address alone, are told and left out, and the status is 1 then; the
    others are added. A hash is made with the key of its spool, and could never be found in another one.
    """
    added, read = 0, _Read(path, encoding, usual)
    with progress(f"reading {path}", unit="entries") as bar, changing(settings) as spool:
        for some in _in_order(read, spool):
            for at in range(0, len(some), spool.at_once):
                added += spool.suppress(some[at : at + spool.at_once])
            bar.update(len(some))
    for problem in read.problems:
        tell(problem)
    if read.wrong > len(read.problems):
        tell(f"{count_of(read.wrong - len(read.problems), 'more line is', 'more lines are')} wrong")
    if json:
        say_json({"entries": read.count, "added": added, "wrong": read.wrong, "without_address": read.nameless})
    else:
        known = f", {read.count - added:,} known already" if read.count > added else ""
        say(f"{added:,} {'suppression was' if added == 1 else 'suppressions were'} added{known}")
    if read.nameless:
        tell(
            f"{read.nameless:,} {'entry has' if read.nameless == 1 else 'entries have'} only the hash of an address, "
            "and cannot be taken: a hash counts only in the spool that made it, and is there. `bulkmail spool copy` "
            "takes all of a spool along, hashes too"
        )
    return REFUSED if read.wrong or read.nameless else DONE


def export_to(path: str, pages: Iterable[Sequence[Suppression]]) -> tuple[int, int]:
    """Write all of them into a file, whole or not at all, readable by its owner.

    Return how many there are, and of how many only the hash is known.
    """
    aside = f"{path}.part"
    try:
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            counts = write_suppressions(file.write, pages)
            file.flush()
            os.fsync(file.fileno())
        os.rename(aside, path)
    except OSError as error:
        raise BulkmailError(f"{path} cannot be written ({error.strerror})") from None
    return counts


class _Read:
    """The entries of a list, and what was wrong with it."""

    def __init__(self, path: str, encoding: str | None, usual: Suppression) -> None:
        self._path, self._encoding = os.path.abspath(path), encoding
        self._usual = usual._replace(source=f"the list {os.path.basename(path)}")
        self.count = self.wrong = self.nameless = 0
        self.problems: list[Problem] = []

    def __iter__(self) -> Iterator[Suppression]:
        for entry in listed(self._path, self._encoding, _OWN):
            if entry.wrong and entry.cells.get("hash"):
                self.nameless += 1
                continue
            try:
                if entry.wrong:
                    raise ValueError(entry.wrong)  # noqa: TRY301 - one way for all that is wrong
                about = _about(entry.cells, self._usual)
            except (ValueError, UnitError) as error:
                self.wrong += 1
                if len(self.problems) < _MOST_TOLD:
                    self.problems.append(Problem(self._path, entry.line, 1, f"{error}; the line is left out"))
                continue
            ours = "hash" in entry.cells  # there an apostrophe is only the guard of a spreadsheet
            for key in sorted(key for key in entry.keys if not (ours and key.startswith("'") and len(entry.keys) > 1)):
                self.count += 1
                yield about._replace(address=key)


def _about(cells: Mapping[str, str], usual: Suppression) -> Suppression:
    """Return what a line of an export says of scope, reason, source and time. Raises ValueError and UnitError."""
    if not cells:
        return usual
    scope, reason, source = (
        cells.get(name, "").strip() or otherwise
        for name, otherwise in (("scope", usual.scope), ("reason", usual.reason), ("source", usual.source))
    )
    about = usual._replace(scope=scope, reason=reason, source=source)
    if not is_scope(about.scope):
        raise ValueError(f"{about.scope!r} is not a scope; write everything, list:NAME or campaign:NAME")
    if about.reason not in REASONS:
        raise ValueError(f"{about.reason!r} is not a reason; write {', '.join(REASONS)}")
    if since := cells.get("since", "").strip():
        about = about._replace(at=parse_moment(since))
    return about


def _in_order(entries: Iterable[Suppression], spool: Changes) -> Iterator[list[Suppression]]:
    """Yield the entries by their hashes, some thousands at a time; few are put in order in memory."""
    with ExitStack() as stack:
        files: list[IO[str]] = []
        for some in _cut(entries):
            if not files and len(some) < _SOME:
                yield _sorted(some, spool)
                return
            if not files:
                for _ in range(1 << _FILES_BITS):
                    files.append(stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8")))  # noqa: PERF401
            for number, entry in zip(spool.hashes([one.address or "" for one in some]), some, strict=True):
                files[number >> (_HASH_BITS - _FILES_BITS)].write(f"{number:016x}{json.dumps(entry[:5])}\n")
        for file in files:
            file.seek(0)
            lines = sorted(file)  # by the hash that each begins with
            for at in range(0, len(lines), _SOME):
                yield [Suppression(*json.loads(line[_DIGITS:])) for line in lines[at : at + _SOME]]


def _sorted(some: list[Suppression], spool: Changes) -> list[Suppression]:
    numbers = spool.hashes([one.address or "" for one in some])
    return [some[at] for at in sorted(range(len(some)), key=numbers.__getitem__)]


def _cut(entries: Iterable[Suppression]) -> Iterator[list[Suppression]]:
    some: list[Suppression] = []
    for entry in entries:
        some.append(entry)
        if len(some) == _SOME:
            yield some
            some = []
    if some:
        yield some
