"""What the machine must provide before anything is opened: descriptors, a name of its own, room on its disks."""

from __future__ import annotations

import os
import platform
import resource
import socket
from typing import TYPE_CHECKING

from bulkmail.mail import OwnFault, Problem, Refused
from bulkmail.net import may_bind
from bulkmail.settings import Settings
from bulkmail.spool import estimate, free_bytes

if TYPE_CHECKING:
    from bulkmail.delivery import Prepared

_BYTES_A_ROW = 60
_REPORT_BYTES_A_ROW = 700
_RESERVE = 200  # descriptors
_PAGE = 150  # and for the page for unsubscribing, which takes 128 connections at most
_SPOOL_BYTES = 16_000_000  # of any spool: the database's log and the journal's segments


def raise_file_limit() -> int:
    """Raise the limit of open files to what the system allows; return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return soft if soft != resource.RLIM_INFINITY else 1 << 20


def reserved(settings: Settings) -> int:
    """Return how many descriptors are kept for everything that is no connection to a mail server."""
    return _RESERVE + _PAGE * ((settings.public is not None) + (settings.web is not None))


def compose_processes(wanted: str | int) -> int:
    """Return how many processes compose: ``wanted``, or for "auto" one for each core that this process may use."""
    return len(os.sched_getaffinity(0)) if wanted == "auto" else int(wanted)


def own_name() -> str:
    """Return the machine's own full name, for EHLO (RFC 5321 4.1.1.1)."""
    name = socket.getfqdn()
    return name if "." in name else f"{platform.node() or 'localhost'}.localdomain"


def check_sources(settings: Settings, *, rehearsal: bool) -> None:
    """Raise Refused where an address of `sources` is not one that this machine can send from.

    A rehearsal sends from loopback, whatever the addresses are.
    """
    problems = []
    for number, source in enumerate(() if rehearsal else settings.sources):
        error = may_bind(source.address) if source.proxy is None else None
        if error is not None:
            words = (
                f"sources: {source.name}: nothing can be sent from {source.address} "
                f"({(error.strerror or str(error)).lower()}); give this machine the address "
                f"(`ip address add {source.address} dev ...`), or take the source out"
            )
            where = ("sources", number, "address")
            problems.append(settings.file.problem(where, words) if settings.file else Problem("", 0, 0, words))
    if problems:
        raise Refused(problems)


def check_room(spool: str, prepared: Prepared | None, *, here: bool = True) -> None:
    """Raise OwnFault where a start would fill the disk: the spool (if ``here``), and the report twice (once aside)."""
    if prepared is None:
        return
    rows = prepared.input_bytes // _BYTES_A_ROW
    for path, needed in (
        (spool, _SPOOL_BYTES + (estimate(rows, _BYTES_A_ROW) if here else 0)),
        (prepared.campaign.folder, 2 * rows * _REPORT_BYTES_A_ROW),
    ):
        there = path
        while not os.path.exists(there):
            there = os.path.dirname(there)
        free = free_bytes(there)
        if free < needed:
            raise OwnFault(
                f"{there} has {free // 1000:,} kB free and this campaign may need {needed // 1000:,} kB; "
                "make room, or use another disk"
            )
