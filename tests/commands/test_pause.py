from __future__ import annotations

import json
import time

import pytest

from bulkmail import cli
from bulkmail.spool import Reader


def holds(spool):
    reader = Reader(str(spool))
    found = reader.holds()
    reader.close()
    return found


def test_without_a_service_it_is_written_into_the_spool(spool, capsys):
    assert cli.main(["pause", "spring", "--reason", "wrong price", "--by", "ann", "--for", "2 hours"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("spring: paused. Paused by ann since ")
    assert out.endswith(": wrong price. No process is running.\n")
    (hold,) = holds(spool)
    assert (hold.kind, hold.provider, hold.reason, hold.who) == ("paused", "", "wrong price", "ann")
    assert hold.until - time.time() == pytest.approx(7200, abs=60)


def test_at_one_provider_for_programs(spool, capsys):
    assert cli.main(["pause", "spring", "--provider", "Google", "--json", "--by", ""]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["campaign"], answer["done"], answer["situation"]["word"]) == ("spring", "paused", "dead")
    assert [hold.provider for hold in holds(spool)] == ["google"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sprig"], "there is no campaign 'sprig'; the nearest is 'spring'"),
        (["spring", "--provider", "gogle"], "there is no provider 'gogle'; the nearest is 'google'"),
        (["spring", "--for", "soon"], "'soon' is not a duration"),
    ],
)
def test_what_cannot_be_paused(spool, capsys, arguments, words):
    assert cli.main(["pause", *arguments]) == 1
    assert words in capsys.readouterr().err
    assert holds(spool) == []


def test_where_there_is_no_spool_none_is_made(place, capsys):
    assert cli.main(["pause", "spring"]) == 1
    assert "nothing was ever sent from this spool" in capsys.readouterr().err
    assert not (place / "spool").exists()
