"""A whole mail world on loopback: DNS and mail servers of every kind, to rehearse, demonstrate and test against.

Room: the receivers' side, as a process of its own (``python -m bulkmail.rehearsal``) or inside a test.
Takes: questions about any domain there may be, and mail for it.
Gives: answers that lead to loopback addresses only, and what was taken, on disk.
Never: binds or names an address outside 127.0.0.0/8; knows anything of the mailer it is used with.

How a domain gets its character: `zone` turns its name into a persona and MX hosts, `dns` answers with them, and `farm`
opens an address for a host when it is first asked for. There `server` takes the connection and `session` reads the
commands, with `starttls` and `transaction`; `scripted` plays the persona's data (`behaviour`, `personas`, `hostile`),
and all answer through one `speaker`. A good message goes to the `store`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkmail.lazily import later

if TYPE_CHECKING:
    from bulkmail.rehearsal.hostile import HOSTILE
    from bulkmail.rehearsal.personas import PERSONAS
    from bulkmail.rehearsal.process import WorldProcess, rehearsed
    from bulkmail.rehearsal.store import Received, body_of, read
else:
    __getattr__ = later(
        __name__,
        {
            "hostile": "HOSTILE",
            "personas": "PERSONAS",
            "process": "WorldProcess rehearsed",
            "store": "Received body_of read",
        },
    )


def run(argv: list[str] | None = None) -> int:
    """Run the world in this process until it is told to stop; see `command`. The exit status."""
    from bulkmail.rehearsal import command  # noqa: PLC0415 - who only reads a store needs no DNS, TLS and reactor

    return command.run(argv)


__all__ = [
    "HOSTILE",
    "PERSONAS",
    "Received",
    "WorldProcess",
    "body_of",
    "read",
    "rehearsed",
    "run",
]
