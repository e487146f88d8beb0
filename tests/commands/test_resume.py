from __future__ import annotations

import os
from pathlib import Path

from bulkmail import cli
from bulkmail.spool import Reader


def holds(spool):
    reader = Reader(str(spool))
    found = [(hold.kind, hold.provider) for hold in reader.holds()]
    reader.close()
    return found


def test_without_a_service_all_pauses_end(spool, capsys):
    assert cli.main(["pause", "spring"]) == 0
    assert cli.main(["pause", "spring", "--provider", "google"]) == 0
    assert cli.main(["pause", "spring", "--provider", "gmx"]) == 0
    assert cli.main(["resume", "spring", "--provider", "gmx"]) == 0
    assert holds(spool) == [("paused", ""), ("paused", "google")]
    capsys.readouterr()
    assert cli.main(["resume", "spring"]) == 0
    assert capsys.readouterr().out.startswith("spring: resumed. ")
    assert holds(spool) == []


def test_what_is_not_paused_cannot_be_resumed(spool, capsys):
    assert cli.main(["resume", "spring"]) == 1
    assert "spring is not paused" in capsys.readouterr().err
    assert cli.main(["resume", "sprig"]) == 1
    assert "the nearest is 'spring'" in capsys.readouterr().err


def test_what_the_file_pauses_is_not_resumed_by_the_command(spool, capsys):
    reader = Reader(str(spool))
    (folder,) = {row.folder for row in reader.campaigns() if row.name == "spring"}
    reader.close()
    assert cli.main(["pause", "spring"]) == 0
    os.makedirs(folder, exist_ok=True)
    mark = Path(folder) / "PAUSE"
    mark.touch()
    assert cli.main(["resume", "spring"]) == 1
    assert f"spring is paused by the file {mark}; remove that file" in capsys.readouterr().err
    assert holds(spool) == [("paused", "")]
    mark.unlink()
    assert cli.main(["resume", "spring"]) == 0
    assert holds(spool) == []
