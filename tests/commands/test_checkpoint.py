from __future__ import annotations

import json
import os

import pytest

from bulkmail.commands.checkpoint import Checkpoint
from bulkmail.mail import BulkmailError


def test_it_is_remembered_and_a_batch_that_was_begun_too(tmp_path):
    path = str(tmp_path / "point")
    one = Checkpoint.open(path)
    assert (one.seq, one.upto) == (0, 0)
    one.begin(7)
    stream = one.stream
    one.close()
    two = Checkpoint.open(path)
    assert (two.seq, two.upto, two.stream) == (0, 7, stream)
    two.passed_on()
    two.close()
    three = Checkpoint.open(path)
    assert (three.seq, three.upto) == (7, 7)
    three.close()
    assert sorted(os.listdir(tmp_path)) == ["point", "point.lock"]


def test_one_process_uses_it(tmp_path):
    path = str(tmp_path / "point")
    one = Checkpoint.open(path)
    with pytest.raises(BulkmailError, match="in use by another"):
        Checkpoint.open(path)
    one.close()
    Checkpoint.open(path).close()


@pytest.mark.parametrize("text", ["", "12", "{}", '{"seq": 9, "upto": 3, "stream": "x"}', '{"seq": "a"'])
def test_what_is_no_checkpoint_is_refused_and_left_alone(tmp_path, text):
    (tmp_path / "point").write_text(text)
    with pytest.raises(BulkmailError, match=r"is no checkpoint of `bulkmail tail`; give another name"):
        Checkpoint.open(str(tmp_path / "point"))
    assert (tmp_path / "point").read_text() == text


def test_a_torn_new_one_is_not_read(tmp_path):
    path = tmp_path / "point"
    Checkpoint.open(str(path)).close()
    (tmp_path / "point.new").write_text('{"se')
    one = Checkpoint.open(str(path))
    one.begin(3)
    one.close()
    assert json.loads(path.read_text())["upto"] == 3


def test_it_cannot_be_written(tmp_path):
    with pytest.raises(BulkmailError, match="cannot be locked"):
        Checkpoint.open(str(tmp_path / "none" / "point"))
    one = Checkpoint.open(str(tmp_path / "point"))
    os.mkdir(tmp_path / "point.new")
    with pytest.raises(BulkmailError, match="cannot be written"):
        one.begin(3)
    one.close()
