"""The folder of what nobody has read."""

from __future__ import annotations

import os

import pytest
from twisted.internet.defer import Deferred

from bulkmail.inbound.durable import DurableFiles
from bulkmail.inbound.unread import UnreadFolder


@pytest.fixture
def opened(loop, tmp_path):
    files = DurableFiles(loop)

    def opened(**bounds):
        folder = UnreadFolder(files, str(tmp_path), "h.example", **{"most_files": 3, "most_octets": 10**6, **bounds})
        folder.open()
        return folder

    yield opened
    files.close()


def test_a_message_is_kept_with_its_envelope_on_top(opened, loop, message, tmp_path):
    folder = opened()
    loop.wait(Deferred.fromCoroutine(folder(message(id="A"))))
    text = (tmp_path / "unread" / "A.eml").read_bytes()
    assert text.startswith(b"Return-Path: <s@t.example>\r\nDelivered-To: anna@in.example.com\r\n")
    assert text.endswith(b"\r\nSubject: x\r\n\r\nhello\r\n")


def test_the_oldest_go_and_are_counted(opened, loop, message, tmp_path):
    folder = opened()
    for name in "ABCDE":
        loop.wait(Deferred.fromCoroutine(folder(message(id=name))))
    assert sorted(os.listdir(tmp_path / "unread")) == ["C.eml", "D.eml", "E.eml"]
    assert (folder.dropped, len(folder)) == (2, 3)
    again = opened(most_files=2)
    assert (again.dropped, len(again)) == (1, 2)
    assert len(os.listdir(tmp_path / "unread")) == 2


def test_octets_are_bounded_too(opened, loop, message, tmp_path):
    folder = opened(most_octets=2000)
    for name in "AB":
        loop.wait(Deferred.fromCoroutine(folder(message(id=name, body=b"x" * 1500 + b"\r\n"))))
    assert os.listdir(tmp_path / "unread") == ["B.eml"]


def test_what_somebody_has_removed_is_no_fault(opened, loop, message, tmp_path):
    folder = opened(most_files=1)
    loop.wait(Deferred.fromCoroutine(folder(message(id="A"))))
    (tmp_path / "unread" / "A.eml").unlink()
    loop.wait(Deferred.fromCoroutine(folder(message(id="B"))))
    assert folder.dropped == 0


def test_what_was_half_written_is_removed_at_the_start(opened, tmp_path):
    opened()
    (tmp_path / "tmp" / "half").write_text("")
    opened()
    assert os.listdir(tmp_path / "tmp") == []
