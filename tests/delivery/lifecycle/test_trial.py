from __future__ import annotations

import json

import pytest

from bulkmail.campaign import ListRows, digests
from bulkmail.content import Composer
from bulkmail.delivery import prepare, trial_of
from bulkmail.settings import Settings

LIST = 'Name,email,note\n"Ann, the ""first""",ann@example.com,"two\nlines"\nBob,bob@example.com\n'


@pytest.fixture
def prepared(tmp_path):
    folder = tmp_path / "spring"
    folder.mkdir()
    (folder / "campaign.yaml").write_text(
        "name: spring\nfrom: \"Grüße <news@example.com>\"\nsubject: '{{ name }}'\ntemplate: {text: body.txt}\n"
        "recipients: [other.csv, recipients.csv]\nsuppress: never.csv\nattachments: [terms.txt, more.txt]\n"
    )
    (folder / "body.txt").write_text("{{ token }} {{ email }} {{ row['email'] }} {{ note }} {{ campaign }}\n")
    (folder / "other.csv").write_text("email,name,note\nzoe@example.com,Zoe,x\n")
    (folder / "recipients.csv").write_text(LIST)
    (folder / "terms.txt").write_text("terms")
    (folder / "more.txt").write_text("more")
    (folder / "never.csv").write_text("me@example.com\n")
    return prepare(str(folder), Settings())


def test_the_row_with_the_addresses_in_the_place_of_its_own(prepared, tmp_path):
    with ListRows(prepared.campaign, Settings()) as rows:
        row = list(rows)[1]
    place = tmp_path / "trial"
    place.mkdir()

    trial = trial_of(prepared, row[1], json.loads(row[5]), ["me@example.com", "boss@example.com"], str(place))

    assert trial.campaign.name == "spring"
    assert {path.stat().st_mode & 0o777 for path in place.iterdir()} == {0o600}
    with ListRows(trial.campaign, Settings()) as rows:
        found = [(one[3], json.loads(one[5]), one[6]) for one in rows]
    assert found == [
        ("me@example.com", ['Ann, the "first"', "me@example.com", "two\nlines"], "ok"),
        ("boss@example.com", ['Ann, the "first"', "boss@example.com", "two\nlines"], "ok"),
    ]


def test_its_messages_are_plainly_a_test(prepared, tmp_path):
    place = tmp_path / "trial"
    place.mkdir()
    trial = trial_of(prepared, 1, ["Bob", "bob@example.com"], ["me@example.com"], str(place))
    composer = Composer()
    composer.handle(("load", 1, trial.content))
    cells = json.dumps(["Bob", "me@example.com"])
    ((_, message, _, error),) = composer.handle(("compose", 1, [(1, 1, "me@example.com", 0.0, 0, cells)]))
    assert error is None
    assert b"\r\nSubject: [test] Bob\r\n" in message
    assert b"\r\n\r\ntest-" in message
    assert b" me@example.com me@example.com  spring" in message
    assert b"bob@example.com" not in message
    assert message.count(b"Content-Disposition: attachment;") == 2


def test_it_can_be_opened_in_a_spool(prepared, tmp_path):
    place = tmp_path / "trial"
    place.mkdir()
    trial = trial_of(prepared, 1, ["Bob", "bob@example.com"], ["me@example.com"], str(place))
    assert {"attachment attachment-0", "attachment attachment-1"} <= set(digests(trial.campaign, trial.content))
