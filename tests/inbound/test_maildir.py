"""Delivery to a Maildir, read by the standard library's."""

from __future__ import annotations

import mailbox

import pytest
from twisted.internet.defer import Deferred

from bulkmail.inbound.durable import DurableFiles
from bulkmail.inbound.maildir import Maildir
from bulkmail.mail import OwnFault


def test_messages_are_there_for_any_reader(loop, message, tmp_path):
    files = DurableFiles(loop)
    maildir = Maildir(files, str(tmp_path / "inbox"), "mta1/x:y.example.com", 42)
    maildir.open()
    for number in range(3):
        loop.wait(Deferred.fromCoroutine(maildir(message(id=f"ID{number}"))))
    files.close()
    found = mailbox.Maildir(tmp_path / "inbox", create=False)
    assert [one["Delivered-To"] for one in found] == ["anna@in.example.com"] * 3
    assert sorted(path.name for path in (tmp_path / "inbox" / "new").iterdir()) == [
        f"1700000000.ID{number}P42.mta1_x_y.example.com" for number in range(3)
    ]
    assert list((tmp_path / "inbox" / "tmp").iterdir()) == []
    assert (tmp_path / "inbox" / "cur").is_dir()


def test_a_place_that_cannot_be_had_is_told_at_the_start(tmp_path):
    (tmp_path / "inbox").write_text("")
    with pytest.raises(OwnFault, match="cannot be used"):
        Maildir(None, str(tmp_path / "inbox"), "h", 1).open()
