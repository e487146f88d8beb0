"""The log: its form, its level, and the file it goes to.

twistd makes an observer of its own from ``--logfile``; this one takes its place, so that the settings say how a line
looks (``log.format``) and which are written (``log.level``). twistd's ``--logger`` and ``--syslog`` are left as they
are. A file is turned over by size, and by SIGUSR1: one that logrotate has renamed is opened anew, any other is rotated.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsText,
    formatEventAsClassicLogText,
)
from twisted.python.logfile import LogFile
from zope.interface import implementer

TWISTD_LOG = "twistd.log"
_ROTATE_AT = 10_000_000  # bytes
_KEPT = 10  # files behind the one that is written
FIELDS = ("campaign", "site", "provider")
"""What a line is about: each is a field of its own in JSON, so that the lines of one of them can be searched for."""


def as_json(event: LogEvent) -> str | None:
    """Return an event as one JSON object and a line's end: ``at``, ``level``, ``source``, ``message``, ``error``.

    ``at`` is RFC 3339 in UTC with milliseconds; ``error`` is a traceback, and there only where the event has one.
    Each of `FIELDS` is there where the event is about one: as it was handed to the logger, whatever the message says.
    """
    text = eventAsText(event, includeTraceback=False, includeTimestamp=False, includeSystem=False)
    failure = event.get("log_failure")
    if not text and failure is None:
        return None
    at = datetime.fromtimestamp(event["log_time"], UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    level = event.get("log_level", LogLevel.info)
    line = {"at": at, "level": level.name, "source": event.get("log_namespace", ""), "message": text}
    line |= {field: str(event[field]) for field in FIELDS if event.get(field)}
    if failure is not None:
        line["error"] = failure.getTraceback()
    return json.dumps(line, ensure_ascii=False) + "\n"


def as_text(event: LogEvent) -> str | None:
    """Return an event as twistd writes it: local time, source and level, message."""
    return formatEventAsClassicLogText(event)


FORMATS = {"json": as_json, "text": as_text}


class _File(LogFile):
    """A file that is rotated when it has 10 MB; ten older ones are kept."""

    def __init__(self, path: str) -> None:
        where, name = os.path.split(os.path.abspath(path))
        super().__init__(name, where, rotateLength=_ROTATE_AT, maxRotatedFiles=_KEPT)  # type: ignore[no-untyped-call]

    def turn_over(self) -> None:
        """Rotate the file; or, where another program has renamed it, open the one that has its name now."""
        try:
            renamed = os.stat(self.path).st_ino != os.fstat(self._file.fileno()).st_ino
        except FileNotFoundError:
            renamed = True
        if renamed:
            self.reopen()  # type: ignore[no-untyped-call]
        else:
            self.rotate()  # type: ignore[no-untyped-call]


@implementer(ILogObserver)
class ServiceLog:
    """An observer that writes to the file at ``path``, or to stdout where that is "-".

    Nothing is opened before the first event: twistd reads its options before it changes user and folder.
    """

    def __init__(self, path: str, form: str, level: str) -> None:
        self._path = path
        self._file: _File | None = None
        self.configure(form, level)

    def configure(self, form: str, level: str) -> None:
        """Write in this form, and only events of this level or a higher one, from now on."""
        self._format = FORMATS[form]
        predicate = LogLevelFilterPredicate(defaultLogLevel=LogLevel.levelWithName(level))
        self._filtered = FilteringLogObserver(cast("Any", self._write), [predicate])

    def __call__(self, event: LogEvent) -> None:
        """Write one event, unless its level is too low."""
        self._filtered(event)

    @property
    def to_stdout(self) -> bool:
        """Whether a person or journald reads it beside what is written to stderr."""
        return self._path == "-"

    def turn_over(self) -> str:
        """Begin a new file, and return in words what was done."""
        if self.to_stdout:
            return "the log goes to stdout, and there is no file to turn over"
        self._opened().turn_over()
        return "the log was turned over"

    def _write(self, event: LogEvent) -> None:
        text = self._format(event)
        if not text:
            return
        if self.to_stdout:
            assert sys.__stdout__ is not None, "twistd has checked it"
            sys.__stdout__.write(text)
            sys.__stdout__.flush()
        else:
            self._opened().write(text)  # type: ignore[no-untyped-call]

    def _opened(self) -> _File:
        if self._file is None:
            self._file = _File(self._path)
        return self._file


def service_log(twistd: Mapping[str, Any], form: str, level: str) -> ServiceLog | None:
    """Return the log for what was asked of twistd; None where ``--logger`` or ``--syslog`` name another one."""
    if twistd.get("logger") or twistd.get("syslog"):
        return None
    path = twistd.get("logfile") or ("-" if twistd.get("nodaemon") else TWISTD_LOG)
    return ServiceLog(path, form, level)
