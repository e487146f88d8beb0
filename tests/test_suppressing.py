"""Rows of a list that the spool says are not mailed: the same for the import, the check and the plan."""

from __future__ import annotations

import pytest

from bulkmail.campaign import load_campaign
from bulkmail.listing import Ingest
from bulkmail.mail import Refused
from bulkmail.preflight import count_rows
from bulkmail.settings import Settings
from bulkmail.spool import EVERYTHING, SqliteStore, Suppression, campaign_scope, list_scope
from bulkmail.suppressing import Suppressing

ADDRESSES = ["Ann@A.example", "bob@b.example", "ann@a.example", "eve@a.example", "not an address", "carl@c.example"]
OF = ("news", "spring", "marketing")


def entry(address, scope=EVERYTHING, reason="unsubscribed"):
    return Suppression(address, scope, reason, "a test", 1.0)


@pytest.fixture
def spool(tmp_path):
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o700)
    store = SqliteStore(str(folder / "spool.sqlite3"))
    yield store
    store.close()


def rows(addresses):
    return [(n, 0, n, text, text.partition("@")[2].lower(), "[]", "ok" if "@" in text else "invalid", "")
            for n, text in enumerate(addresses, 1)]  # fmt: skip


def verdicts(looked_up):
    return [row[6] for row in looked_up]


def test_rows_get_the_reason_as_their_verdict(spool, tmp_path):
    spool.suppress([entry("ann@a.example", list_scope("news")), entry("@b.example", reason="listed")], hashed=False)
    look_up = Suppressing(str(tmp_path / "spool"), *OF)
    found = look_up(rows(ADDRESSES))
    assert verdicts(found) == ["unsubscribed", "listed", "unsubscribed", "ok", "invalid", "ok"]
    assert found[0][7] == "unsubscribed from the list news, since 1970-01-01T00:00:01Z (a test)"
    assert found[1][7] == "the domain b.example: left out from everything, since 1970-01-01T00:00:01Z (a test)"
    assert [row[:6] for row in found] == [row[:6] for row in rows(ADDRESSES)]
    spool.suppress([entry("carl@c.example", campaign_scope("spring"), "complained")], hashed=True)
    assert verdicts(look_up(rows(ADDRESSES)))[-1] == "complained", "a later batch sees what is new"
    look_up.close()


@pytest.mark.parametrize("of", [("other", "autumn", "marketing"), ("news", "spring", "transactional")])
def test_a_list_counts_for_its_campaigns_alone(spool, tmp_path, of):
    spool.suppress([entry("ann@a.example", list_scope("news"))], hashed=False)
    assert verdicts(Suppressing(str(tmp_path / "spool"), *of)(rows(ADDRESSES)))[0] == "ok"


def test_a_spool_that_is_not_there_suppresses_nobody(tmp_path):
    for spool in ("", str(tmp_path / "none")):
        assert Suppressing(spool, *OF)(rows(ADDRESSES)) == rows(ADDRESSES)


def test_a_spool_that_cannot_be_read_is_told_unless_it_is_asked_again_later(tmp_path):
    (tmp_path / "spool.sqlite3").write_bytes(b"no database at all, but for the time being in its place" * 99)
    with pytest.raises(Refused):
        Suppressing(str(tmp_path), *OF)(rows(ADDRESSES))
    assert Suppressing(str(tmp_path), *OF, lenient=True)(rows(ADDRESSES)) == rows(ADDRESSES)


@pytest.fixture
def campaign(tmp_path):
    folder = tmp_path / "campaign"
    folder.mkdir()
    (folder / "recipients.csv").write_text(
        "\n".join(["email", *ADDRESSES, *(f"u{n}@d.example" for n in range(50))]) + "\n"
    )
    (folder / "body.txt.j2").write_text("Hello\n")
    (folder / "campaign.yaml").write_text(
        'name: spring\nfrom: "news@example.com"\nsubject: "Hi"\ntemplate: {text: body.txt.j2}\n'
        "recipients: recipients.csv\n"
    )
    return load_campaign(str(folder), spool=str(tmp_path / "spool"))


def read(campaign):
    """What the import is told, and which of the rows that were held are duplicates."""
    from bulkmail.delivery.lifecycle.importing import reading_job

    ingest = Ingest()
    assert ingest.handle(("open", reading_job(campaign, 0, None, [], "")))[0] == "opened"
    found, done = [], False
    while not done:
        _, some, _, done = ingest.handle(("next", 7))
        found += some
    _, settled, done, _ = ingest.handle(("settle", 1000))
    assert done
    ingest.handle(("close",))
    return {row[0]: row[6] for row in found}, {number for number, is_duplicate, _ in settled if is_duplicate}


def test_the_import_and_the_count_before_it_agree(spool, campaign, tmp_path):
    before = read(campaign)
    assert (before[0][1], before[0][3]) == ("ok", "held")
    assert before[1] == {3}
    spool.suppress([entry("ann@a.example"), entry("@d.example", reason="bounced-before")], hashed=False)
    found, duplicates = read(campaign)
    assert (found[1], found[3], found[50]) == ("unsubscribed", "unsubscribed", "bounced-before")
    assert duplicates == set(), "both rows of ann are suppressed, and neither repeats the other"
    counts = count_rows(campaign, Settings())
    assert (counts.total, counts.mailed, counts.suppressed, counts.repeated, counts.unusable) == (56, 3, 52, 0, 1)
    assert list(found.values()).count("ok") == counts.mailed
