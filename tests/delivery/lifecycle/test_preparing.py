from __future__ import annotations

import os

import pytest

from bulkmail.delivery.lifecycle.preparing import prepare
from bulkmail.mail import Refused
from bulkmail.settings import Settings


def test_what_is_prepared(folder):
    path = folder(["a@a.example", "b@b.example"])
    prepared = prepare(path, Settings())
    assert prepared.columns == [["email", "first_name"]]
    assert prepared.files == [("recipients.csv", ["email", "first_name"])]
    assert prepared.path == path
    assert prepared.input_bytes == os.path.getsize(path.replace("campaign.yaml", "recipients.csv"))
    assert prepared.content["key"] == b"\0" * 32


def test_what_is_wrong_is_refused_before_anything_is_opened(folder):
    with pytest.raises(Refused, match="nick_name"):
        prepare(folder(text="Hello {{ nick_name }}"), Settings())
