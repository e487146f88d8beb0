"""Whether the DNS has the public key of each DKIM key that we sign with: asked at the start, told in the log.

A signature whose record is missing or has another key is worse than none: receivers take the message for a forged one.
It is no reason not to start, since the record may be on its way; and where the DNS does not answer, nothing is said.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from twisted.logger import Logger

from bulkmail.content import DkimKeyError, record_name, wrong_with
from bulkmail.settings import Dkim

_log = Logger("bulkmail")


async def compare_records(ask: Callable[[tuple[Any, ...]], Awaitable[Any]], keys: Sequence[Dkim]) -> None:
    """Warn of each key whose record is missing or does not fit. ``ask``: the resolver's jobs (`routing.resolver`)."""
    for key in keys:
        name = record_name(key.domain, key.selector)
        answer = await ask(("texts", name))
        if answer[0] != "texts":
            why = answer[3] if answer[0] == "failed" else answer[1]
            _log.info("dkim: whether {name} is published is not known: {why}", name=name, why=why)
            continue
        try:
            wrong = wrong_with(answer[1], key.pem)
        except DkimKeyError:
            continue  # the check of a campaign refuses it
        if wrong:
            _log.warn(
                "dkim: {name}: {wrong}; mail signed with {key} will not be verified; `bulkmail dkim record {key}` "
                "prints what to publish",
                name=name,
                wrong=wrong,
                key=key.key,
            )
