"""Sends one message many times over one connection: python round_trips_aiosmtplib.py PORT COUNT MESSAGE-FILE."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import aiosmtplib


async def main(port: int, count: int, message: bytes) -> None:
    client = aiosmtplib.SMTP(
        hostname="127.0.0.1", port=port, local_hostname="me.example.com", use_tls=False, start_tls=False
    )
    async with client:
        for n in range(count):
            await client.sendmail("bench@example.com", [f"r{n}@bench.test"], message)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]).read_bytes()))
