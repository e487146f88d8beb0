"""How a spool is opened to read it; what its readers then find is in test_reading.py and test_suppressions.py."""

from __future__ import annotations

import pytest

from bulkmail.mail import Refused
from bulkmail.spool import SqliteStore, find_reader, open_reader


def test_a_folder_without_a_spool(tmp_path):
    place = str(tmp_path / "spool")
    assert find_reader(place) is None
    with pytest.raises(Refused, match="spool"):
        open_reader(place)


def test_a_folder_with_one(tmp_path):
    store = SqliteStore(str(tmp_path / "spool.sqlite3"))
    for reader in (find_reader(str(tmp_path)), open_reader(str(tmp_path))):
        assert reader is not None
        assert reader.suppressions() == []
        reader.close()
    store.close()
