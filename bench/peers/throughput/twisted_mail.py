"""twisted.mail.smtp.sendmail as its documentation shows it: a connection for each message, some at a time."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from _letters import SENDER, messages, order
from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.internet.task import react
from twisted.mail.smtp import sendmail


def main(reactor: Any) -> Deferred[Any]:
    given = order()
    source = messages(given)
    accepted = 0

    async def one_after_the_other() -> None:
        nonlocal accepted
        for recipient, data in source:
            await sendmail(given.host, SENDER, [recipient], BytesIO(data), port=given.port, reactor=reactor)
            accepted += 1

    done = gatherResults([ensureDeferred(one_after_the_other()) for _ in range(given.connections)])
    return done.addCallback(lambda _: print(accepted))


if __name__ == "__main__":
    react(main)
