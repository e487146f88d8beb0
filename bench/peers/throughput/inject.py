"""Hands finished messages to a mailer on this machine, over some connections; building them is not counted.

The messages are built in advance and reused, so that a mailer's figure is its own: take, queue, deliver.
"""

from __future__ import annotations

import smtplib
import sys
import threading

from _letters import SENDER, messages, order

BUILT = 50


def main() -> None:
    given = order()
    built = list(messages(given._replace(count=min(BUILT, given.count))))
    accepted = [0] * given.connections

    def one_connection(number: int) -> None:
        with smtplib.SMTP(given.host, given.port) as client:
            for n in range(number, given.count, given.connections):
                recipient, data = built[n % len(built)]
                client.sendmail(SENDER, [recipient], data)
                accepted[number] += 1

    threads = [threading.Thread(target=one_connection, args=(number,)) for number in range(given.connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(sum(accepted))
    sys.exit(sum(accepted) != given.count)


if __name__ == "__main__":
    main()
