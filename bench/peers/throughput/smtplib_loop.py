"""The standard library's smtplib: one connection, one message after the other."""

from __future__ import annotations

import smtplib

from _letters import SENDER, messages, order


def main() -> None:
    given = order()
    accepted = 0
    with smtplib.SMTP(given.host, given.port) as client:
        for recipient, data in messages(given):
            client.sendmail(SENDER, [recipient], data)
            accepted += 1
    print(accepted)


if __name__ == "__main__":
    main()
