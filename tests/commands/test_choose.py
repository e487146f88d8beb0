from __future__ import annotations

from bulkmail import cli


def test_where_nothing_is_to_be_chosen_that_is_told(spool, capsys):
    assert cli.main(["choose", "spring", "a"]) == 1
    assert "spring" in capsys.readouterr().err
