from __future__ import annotations

import os

import pytest

from bulkmail import cli
from bulkmail.spool.place import Lock


@pytest.mark.parametrize("site", ["mx.a.example", "mx.a.example~12ab"])
def test_a_site_is_forgotten_by_its_key_or_its_host(taught, site, capsys):
    assert cli.main(["forget", site]) == 0
    assert capsys.readouterr().out == "2 facts are forgotten\n"
    assert cli.main(["status", "--sites"]) == 0
    assert [line.partition(": ")[0] for line in capsys.readouterr().out.splitlines()] == [
        "192.0.2.1",
        "mx.a.example.net~12ab",
    ]


def test_all_is_forgotten_and_what_is_not_there_is_said(taught, capsys):
    assert cli.main(["forget", "--all"]) == 0
    assert capsys.readouterr().out == "4 facts are forgotten\n"
    assert cli.main(["forget", "mx.a.example"]) == 1
    assert "remembers nothing of 'mx.a.example'" in capsys.readouterr().err


def test_nothing_is_forgotten_while_a_process_has_the_spool(taught, capsys):
    lock = Lock(str(taught))
    try:
        assert cli.main(["forget", "--all"]) == 1
    finally:
        lock.release()
    assert f"is in use by process {os.getpid()}; stop that one" in capsys.readouterr().err
    assert cli.main(["forget", "--all"]) == 0


def test_forget_where_there_is_no_spool(place, capsys):
    assert cli.main(["forget", "--all"]) == 1
    assert "is not there" in capsys.readouterr().err
    assert not (place / "spool").exists()
