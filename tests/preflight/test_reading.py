from __future__ import annotations

import pytest

from bulkmail.campaign import load_campaign
from bulkmail.commands.event_loop import in_event_loop
from bulkmail.mail import Refused
from bulkmail.preflight.reading import Reading

pytestmark = pytest.mark.process


def read(folder, **how):
    campaign = load_campaign(str(folder.path))

    async def work(reactor):
        reading = Reading(reactor, campaign, [])
        try:
            await reading.open(**how)
            rows = []
            while (batch := await reading.rows()) is not None:
                rows += batch
            repeated = []
            while (some := await reading.repeated()) is not None:
                repeated += some
        finally:
            await reading.close()
        return rows, repeated, reading.told

    return in_event_loop(work)


def test_all_rows_with_their_verdicts_and_the_repeated_ones(folder):
    lines = "".join(f"u{n}@example.org,A,B\n" for n in range(4500))
    folder.write(
        csv="email,first_name,status\nann@example.org,Ann,unsubscribed\nfoo,Bob,x\n" + lines + "u7@example.org,A,B\n"
    )
    rows, repeated, told = read(folder)
    assert len(rows) == 4503
    assert [row[6] for row in rows[:2]] == ["no-consent", "invalid"]
    assert repeated == [(4503, "the same address as row 10")]
    (notice,) = told
    assert "1 of 4,503 rows say in column `status`" in notice.message


def test_a_list_that_cannot_be_read_is_refused(folder):
    campaign = load_campaign(str(folder.path))
    folder.write(csv="name\nAnn\n")

    async def work(reactor):
        reading = Reading(reactor, campaign, [])
        try:
            await reading.open()
        finally:
            await reading.close()

    with pytest.raises(Refused, match="no column"):
        in_event_loop(work)
