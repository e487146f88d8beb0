"""The reader as a worker process: a received message in, what follows from it out, as plain data.

A message from outside is read apart from the event loop, which it cannot keep waiting however it is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from hashlib import blake2b
from typing import Any, NamedTuple

from bulkmail.mail import LateEvent, LateResult, address_hash, read_token
from bulkmail.returns.reading import read
from bulkmail.returns.returned import Block, Kind, Return, Weight, address_key
from bulkmail.returns.shared import shares

_ANSWERS = frozenset({Kind.AUTO_REPLY, Kind.DISPOSITION, Kind.CHALLENGE, Kind.OTHER})
_REPORTS = frozenset({Kind.FAILED, Kind.DELAYED})


class Verdict(NamedTuple):
    """What a message is (`Kind`), why, whose it is, and what it says of them.

    ``token``: the one that it is about; "" where that is not certain. ``event``: what is to be recorded, its time still
    0; None where nothing follows, or where it is not certain that a report is about the row's address.
    ``shares``: of a report of a message that many got in the transaction ``envelope_id``, each address and its event.
    """

    kind: str
    reason: str
    token: str = ""
    event: LateEvent | None = None
    envelope_id: str = ""
    shares: Sequence[tuple[str, LateEvent]] = ()


def judge(message: bytes, recipient: str, sender: str, key: bytes, address: str, number: int = 0) -> Verdict:
    """Read a message that was delivered to ``recipient``.

    ``sender``: the envelope sender, "" for the null sender. ``key``: the spool's, with which tokens are read.
    ``address``: the row's, "" where it is not known yet. ``number``: where only the hash of it is kept, that hash.
    """
    returned = read(message, recipient=recipient, sender=sender)
    if number:
        address = _named(returned, key, number)
    token = returned.attributed(partial(read_token, key))
    event = _event(returned, address, token, message) if token else None
    digest = _digest(returned, message)
    each = [(one, _report(returned, block, digest)) for one, block in shares(returned, key)] if event is None else []
    return Verdict(returned.kind, returned.reason, token, event, returned.envelope_id.strip() if each else "", each)


def _event(returned: Return, address: str, token: str, message: bytes) -> LateEvent | None:
    key = _digest(returned, message)
    if returned.kind is Kind.COMPLAINT:
        return LateEvent(LateResult.COMPLAINED, 0.0, reply=_short(returned.feedback.type), key=key)
    if returned.kind is Kind.UNSUBSCRIBE:
        return LateEvent(LateResult.UNSUBSCRIBED, 0.0, reply="mail", key=key)
    if returned.kind in _ANSWERS:
        reply = returned.disposition or f"{returned.kind}: {returned.subject}"
        return LateEvent(LateResult.ANSWERED, 0.0, reply=_short(reply), key=key)
    block = returned.block_for(address, token) if returned.kind in _REPORTS else None
    return None if block is None else _report(returned, block, key)


def _named(returned: Return, key: bytes, number: int) -> str:
    """Return the recipient of the report whose hash this is, "" where it names none."""
    named = (one for block in returned.blocks for one in (block.original, block.final) if one)
    return next((one for one in named if address_hash(key, address_key(one)) == number), "")


def _digest(returned: Return, message: bytes) -> str:
    return blake2b((returned.message_id or "").encode() or message, digest_size=8).hexdigest()


def _report(returned: Return, block: Block, key: str) -> LateEvent:
    status = block.row_status if returned.kind is Kind.FAILED else None
    return LateEvent(
        LateResult.RETURNED,
        0.0,
        status=str(status or ""),
        category=str(block.category or ""),
        smtp_code=block.code,
        enhanced=block.enhanced or block.status,
        reply=block.reply or returned.reason,
        host=block.remote_mta or returned.reporting_mta,
        soft=block.weight is Weight.SOFT,
        key=key,
    )


def _short(text: str) -> str:
    return " ".join(text.split())[:512]


class Reader:
    """The worker. Plain data in, plain data out."""

    def handle(self, job: tuple[Any, ...]) -> Any:
        """Read, for a job ``("read", message, recipient, sender, key, address, number)``, as `judge` has these.

        The fields of a `Verdict`, its events as tuples.
        """
        verb, *given = job
        if verb != "read":
            raise LookupError(f"the reader knows no job {verb!r}")
        kind, reason, token, event, envelope_id, some = judge(*given)
        each = [(one, _plain(own)) for one, own in some]
        return (str(kind), reason, token, None if event is None else _plain(event), envelope_id, each)


def _plain(event: LateEvent) -> tuple[Any, ...]:
    return (str(event.result), *event[1:])
