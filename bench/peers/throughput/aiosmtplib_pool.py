"""aiosmtplib as its documentation shows it for many messages: some connections, each sending one after the other."""

from __future__ import annotations

import asyncio

import aiosmtplib
from _letters import SENDER, messages, order


async def main() -> None:
    given = order()
    source = messages(given)
    accepted = 0

    async def one_connection() -> None:
        nonlocal accepted
        async with aiosmtplib.SMTP(hostname=given.host, port=given.port, start_tls=False) as client:
            for recipient, data in source:
                await client.sendmail(SENDER, [recipient], data)
                accepted += 1

    await asyncio.gather(*[one_connection() for _ in range(given.connections)])
    print(accepted)


if __name__ == "__main__":
    asyncio.run(main())
