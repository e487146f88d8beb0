from __future__ import annotations

import dataclasses
import marshal

import pytest

from bulkmail.report import Facts


def test_facts_come_through_a_pipe_as_plain_data(sample):
    facts = Facts(**marshal.loads(marshal.dumps(sample.facts)))
    assert facts == Facts(**sample.facts)


def test_facts_do_not_change(facts):
    with pytest.raises(dataclasses.FrozenInstanceError):
        facts().state = "finished"
