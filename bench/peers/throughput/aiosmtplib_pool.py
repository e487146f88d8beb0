"""aiosmtplib as its documentation shows it for many messages: some connections, each sending one after the other."""

from __future__ import annotations

import asyncio
import ssl
from itertools import chain, islice

import aiosmtplib
from _letters import SENDER, messages, order


async def main() -> None:
    given = order()
    source = messages(given)
    accepted = 0
    context = ssl.create_default_context()  # one for all connections
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    async def one_connection_after_the_other() -> None:
        nonlocal accepted
        for first in source:
            client = aiosmtplib.SMTP(
                hostname=given.host, port=given.port, start_tls=given.tls, tls_context=context if given.tls else None
            )
            async with client:
                for recipient, data in chain([first], islice(source, given.each - 1)):
                    await client.sendmail(SENDER, [recipient], data)
                    accepted += 1

    await asyncio.gather(*[one_connection_after_the_other() for _ in range(given.connections)])
    print(accepted)


if __name__ == "__main__":
    asyncio.run(main())
