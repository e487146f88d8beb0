from __future__ import annotations

import json

import pytest

from bulkmail.campaign import digests
from bulkmail.cli import main
from bulkmail.delivery import prepare
from bulkmail.settings import Settings
from bulkmail.spool import Journalled, SqliteStore
from tests.retrying import RetryPlan


@pytest.fixture
def begun(place):
    """``begun(state)``: a spool with the campaign in ``place`` as it is now."""

    def begin(state="stopped"):
        prepared = prepare(str(place / "spring"), Settings())
        (place / "spool").mkdir(mode=0o700)
        store = SqliteStore(str(place / "spool" / "spool.sqlite3"))
        store.recover(Journalled(found=True), "boot", RetryPlan(), 1000.0)
        store.create_campaign(
            "spring",
            str(place / "spring"),
            key=b"k" * 32,
            content=prepared.content,
            digests=digests(prepared.campaign, prepared.content),
            files=prepared.files,
            now=1.0,
        )
        store.set_state(1, state, 1003.0)
        store.close()
        return place

    return begin


def test_the_mark_is_put_into_the_folder(begun, capsys):
    place = begun()
    (place / "spring" / "body.txt.j2").write_text("Bye {{ first_name }}\n")
    assert main(["accept", "spring", "--by", "ann"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "spring: body.txt.j2 changed; 0 of 0 rows were sent as it was before.",
        "The change is taken when the campaign goes on, for the rows that are not sent yet.",
    ]
    assert (place / "spring" / "ACCEPT").read_text() == "by ann\n"
    assert main(["accept", "spring", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["changes"], told["taken"], told["situation"]["word"]) == (["body.txt.j2 changed"], False, "stopped")


@pytest.mark.parametrize(
    ("name", "state", "words"),
    [
        ("sprng", "stopped", "there is no campaign 'sprng'; the nearest is 'spring'"),
        ("spring", "stopped", "spring: nothing that enters its messages was changed since it was started"),
        ("spring", "finished", "spring is finished already, and cannot be changed"),
    ],
)
def test_what_cannot_be_accepted(begun, capsys, name, state, words):
    place = begun(state)
    assert main(["accept", name]) == 1
    assert words in capsys.readouterr().err
    assert not (place / "spring" / "ACCEPT").exists()


def test_a_change_with_a_mistake_is_refused_with_it(begun, capsys):
    place = begun()
    (place / "spring" / "body.txt.j2").write_text("Bye {{ nick_name }}\n")
    assert main(["accept", "spring"]) == 1
    assert "unknown variable 'nick_name'" in capsys.readouterr().err
    assert not (place / "spring" / "ACCEPT").exists()
