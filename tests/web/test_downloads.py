"""What is taken away as a file: it adds up, and a spreadsheet runs nothing of it."""

from __future__ import annotations

import asyncio
import csv

from bulkmail.control import ATTEMPTS
from bulkmail.web.downloads import REPLIED, REPLIES, replied_csv, replies_csv
from tests.web.known import HOSTILE, NAME, RECENT, Api


async def in_thread(work):
    return work()


def cells(answer):
    assert (answer.status, answer.headers[b"Content-Type"]) == (200, b"text/csv; charset=utf-8")
    return list(csv.reader(answer.body.decode("utf-8-sig").splitlines()))


def test_what_receivers_said():
    answer = asyncio.run(replies_csv(Api(), in_thread, NAME))
    head, only = cells(answer)
    assert tuple(head) == REPLIES
    assert only[:3] == ["38", "google", "rate-limited"]
    assert "\x00" not in only[3]
    assert answer.headers[b"Content-Disposition"] == b'attachment; filename="replies.csv"'


def test_all_who_got_a_reply_in_one_answer():
    """While a second one is made, further attempts would shift its rows."""
    asked = []

    class Counted(Api):
        async def __call__(self, name, path=None, *, query=None, order=None):
            asked.append(query)
            return await super().__call__(name, path, query=query, order=order)

    head, *rows = cells(asyncio.run(replied_csv(Counted(), in_thread, NAME, "google", RECENT["replies"][0]["wording"])))
    assert asked == [{"most": str(ATTEMPTS)}]
    assert tuple(head) == REPLIED
    assert len(rows) == 3
    assert rows[0][head.index("times")] == "2"
    assert rows[0][head.index("said")].startswith("421 <script>")
    assert cells(asyncio.run(replied_csv(Api(), in_thread, NAME, "google", "other words"))) == [head]


def test_no_cell_is_a_formula():
    class Formulas(Api):
        async def __call__(self, name, path=None, *, query=None, order=None):
            found = await super().__call__(name, path, query=query, order=order)
            row = {**found["rows"][0], "email": "=cmd|' /C calc'!A0", "said": f"+1\r\n{HOSTILE}", "mx_host": None}
            return {**found, "rows": [row], "next": None}

    _, row = cells(asyncio.run(replied_csv(Formulas(), in_thread, NAME, "google", RECENT["replies"][0]["wording"])))
    assert row[1].startswith("'=cmd")
    assert row[8].startswith("'+1 ")
    assert row[10] == ""


def test_a_file_is_put_together_beside_the_event_loop():
    made = []

    async def beside(work):
        made.append(work())
        return made[-1]

    answer = asyncio.run(replied_csv(Api(), beside, NAME, "google", RECENT["replies"][0]["wording"]))
    assert made == [answer.body]
