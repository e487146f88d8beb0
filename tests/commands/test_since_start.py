from __future__ import annotations

import pytest

from bulkmail import cli
from bulkmail.campaign import digests
from bulkmail.campaign.intake import Intake
from bulkmail.commands.since_start import since_start
from bulkmail.delivery import prepare
from bulkmail.settings import load_settings
from bulkmail.shaping import RetryPlan
from bulkmail.spool import Journalled, SqliteStore

pytestmark = pytest.mark.process

CSV = "email,first_name\na@example.org,Ann\nb@example.org,Bob\n"


@pytest.fixture
def begun(place):
    """The campaign was started, and its list read to the end; nothing was sent yet."""
    (place / "spring" / "recipients.csv").write_text(CSV)
    settings = load_settings(None, str(place))
    prepared = prepare(str(place / "spring"), settings)
    campaign = prepared.campaign
    (place / "spool").mkdir(mode=0o700)
    store = SqliteStore(str(place / "spool" / "spool.sqlite3"))
    store.recover(Journalled(found=True), "boot", RetryPlan(), 1000.0)
    found = digests(campaign, prepared.content)
    content = {**prepared.content, "key": b"k" * 32}
    store.create_campaign(
        "spring", campaign.folder, key=b"k" * 32, content=content, digests=found, files=prepared.files, now=1.0
    )
    intake = Intake(campaign.recipient_paths)
    _, rows, state, _ = intake.next(100)
    intake.close()
    store.add_rows(1, rows, state, False, 1000.0)
    store.set_state(1, "stopped", 1000.0)
    store.close()
    return place


def asked(place):
    settings = load_settings(None, str(place))
    return since_start(prepare(str(place / "spring"), settings), settings)


def test_a_campaign_that_was_never_started(place):
    assert asked(place).state == ""
    assert asked(place).begun is None


def test_a_campaign_that_is_as_it_was_can_go_on(begun, capsys):
    found = asked(begun)
    assert (found.state, found.problems, found.begun.rows) == ("stopped", (), 2)
    assert cli.main(["check", "spring", "--no-dns"]) == 0
    assert "  started: it is in the spool already (stopped)" in capsys.readouterr().out


def test_a_list_that_has_grown_can_go_on(begun):
    (begun / "spring" / "recipients.csv").write_text(CSV + "c@example.org,Carol\n")
    assert cli.main(["check", "spring", "--no-dns"]) == 0


def test_a_list_that_was_changed_in_its_place_is_told_as_the_start_would(begun, capsys):
    (begun / "spring" / "recipients.csv").write_text(CSV.replace("Ann", "Eve"))
    assert cli.main(["check", "spring", "--no-dns"]) == 1
    assert "recipients.csv: changed in the part already read" in capsys.readouterr().out
    assert "changed in the part already read" in (begun / "spring" / "PROBLEMS.txt").read_text()


def test_a_template_that_was_changed_is_refused(begun, capsys):
    (begun / "spring" / "body.txt.j2").write_text("Good day {{ first_name }}\n")
    assert cli.main(["check", "spring", "--no-dns"]) == 1
    assert "body.txt.j2 changed since it was started" in capsys.readouterr().err


def test_a_name_that_another_folder_has_is_refused(place, spool, capsys):
    assert cli.main(["check", "spring", "--no-dns"]) == 1
    assert "is already in the spool, sent from /c/spring" in capsys.readouterr().err
