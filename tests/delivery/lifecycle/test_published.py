from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, globalLogPublisher

from bulkmail.content import new_pem, record
from bulkmail.delivery.lifecycle.published import compare_records
from bulkmail.settings import Dkim

PEM, OTHER = new_pem("ed25519"), new_pem("ed25519")


@pytest.fixture
def told(tmp_path):
    """What is logged, as (level, text), where the DNS gives these answers."""
    path = tmp_path / "key.pem"
    path.write_bytes(PEM)
    path.chmod(0o600)

    def told(*answers):
        asked, events = [], []
        waiting = list(answers)

        async def ask(job):
            asked.append(job)
            return waiting.pop(0)

        keys = [Dkim(domain="example.com", selector=f"s{n}", key=str(path)) for n in range(len(answers))]
        globalLogPublisher.addObserver(events.append)
        try:
            Deferred.fromCoroutine(compare_records(ask, keys))
        finally:
            globalLogPublisher.removeObserver(events.append)
        assert asked == [("texts", f"s{n}._domainkey.example.com") for n in range(len(answers))]
        return [(event["log_level"], event["log_format"].format(**event)) for event in events]

    return told


def test_nothing_is_said_where_the_record_fits(told):
    assert told(("texts", [record(PEM)])) == []


def test_a_missing_record_and_another_key_are_warnings(told):
    (missing, other) = told(("texts", []), ("texts", [record(OTHER)]))
    assert missing[0] == other[0] == LogLevel.warn
    assert missing[1].startswith("dkim: s0._domainkey.example.com: there is no such record; mail signed with ")
    assert "`bulkmail dkim record " in missing[1]
    assert "the record has another key (Ed25519 " in other[1]
    assert ") than the file (Ed25519 " in other[1]


def test_where_the_dns_does_not_answer_nothing_is_warned_of(told):
    failed = ("failed", False, "dns", "no answer", 60.0)
    found = told(failed, ("own-fault", "the resolver process: it ended"), ("texts", []))
    assert [level for level, _ in found] == [LogLevel.info, LogLevel.info, LogLevel.warn]
    assert [text.rpartition(" not known: ")[2] for _, text in found[:2]] == [
        "no answer",
        "the resolver process: it ended",
    ]
