from __future__ import annotations

import pytest

from bulkmail.content import draft
from bulkmail.content.draft import Draft
from bulkmail.content.mime import Body, whole
from bulkmail.content.templates import RowError

BODY = Body([whole(b"Hello\r\n", b"Hello\r\n")])


def test_a_draft_and_its_signatures_are_a_message():
    assert Draft([], b"Subject: x\r\n\r\n", BODY).complete(b"DKIM-Signature: y\r\n") == (
        b"DKIM-Signature: y\r\nSubject: x\r\n\r\nHello\r\n"
    )


def test_what_must_not_be_sent_is_no_message(monkeypatch):
    with pytest.raises(RowError, match="a line that must not be sent"):
        Draft([], b"Subject: x\n\r\n", BODY).signed()
    monkeypatch.setattr(draft, "SIZE_CAP", 10)
    with pytest.raises(RowError, match="has 21 bytes, more than the 10"):
        Draft([], b"Subject: x\r\n\r\n", BODY).signed()
