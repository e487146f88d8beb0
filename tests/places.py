"""Where a test's report is written, from a path."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from bulkmail.report import Place, ReportFile


def place_at(path: Path) -> Place:
    """The report's folder at ``path``, in a campaign's folder that is the one above it."""
    return Place(str(path.parent), path.name)


def file_at(path: Path) -> ReportFile:
    """The report's file at ``path``, in a report's folder that is the one above it."""
    return place_at(path.parent).file(path.name)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


KINDS = {
    "a pipe": os.mkfifo,
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a link away": lambda path: path.symlink_to("/etc/hostname"),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a folder": lambda path: path.mkdir(),
    "a socket": _socket,
}
"""What somebody can put in the place of a file, and how."""
