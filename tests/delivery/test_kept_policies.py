from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import capturedLogs, formatEvent

from bulkmail.delivery import load_policies
from bulkmail.mail import OwnFault
from bulkmail.routing import KnownPolicy, Site, parse_policy
from bulkmail.spool import ReceiverPolicy, SqliteStore

TEXT = "version: STSv1\nmode: enforce\nmx: *.shop.test\nmax_age: 604800\n"
SITE = Site("k", (), "", "n")


class Front:
    """A real store, whose writing may wait or fail."""

    def __init__(self):
        self.store, self.fault, self.waiting, self.batches = SqliteStore(), None, None, []

    def policies(self, now):
        return fail(self.fault) if self.fault else succeed(self.store.policies(now))

    def keep_policies(self, batch):
        self.batches.append([one.domain for one in batch])
        if self.fault:
            return fail(self.fault)
        self.store.keep_policies(batch)
        return self.waiting or succeed(None)


@pytest.fixture
def front():
    made = Front()
    yield made
    made.store.close()


def loaded(front, now=1000.0):
    async def ask(job):
        return "policy", TEXT

    return result(load_policies(front, ask, lambda: now))


def result(task):
    found = []
    Deferred.fromCoroutine(task).addCallback(found.append)
    return found[0]


def fetch(policies, *domains):
    for domain in domains:
        result(policies.apply(domain, SITE, "one"))


def test_what_one_process_fetched_the_next_one_knows(front):
    fetch(loaded(front), "shop.test")
    assert front.store.policies(0.0) == [ReceiverPolicy("shop.test", "one", 1000.0, 605800.0, TEXT)]
    again = loaded(front, 2000.0)
    assert again.known("shop.test") == KnownPolicy("one", 1000.0, parse_policy(TEXT))
    assert loaded(front, 605800.0).known("shop.test") is None


def test_what_is_fetched_while_a_batch_is_written_is_the_next(front):
    policies, front.waiting = loaded(front), Deferred()
    fetch(policies, "a.test", "b.test", "c.test")
    assert front.batches == [["a.test"]]
    waiting, front.waiting = front.waiting, None
    waiting.callback(None)
    assert front.batches == [["a.test"], ["b.test", "c.test"]]


def test_a_policy_that_this_version_cannot_read_is_left_out(front):
    front.store.keep_policies([ReceiverPolicy("shop.test", "one", 1.0, 9e9, "version: STSv7")])
    assert loaded(front).known("shop.test") is None


def test_a_spool_that_fails_is_told_of_once_and_the_policies_are_followed_all_the_same(front):
    front.fault = OwnFault("the disk is full")
    with capturedLogs() as logged:
        policies = loaded(front)
        fetch(policies, "a.test", "b.test")
    assert policies.known("b.test").policy.mode == "enforce"
    assert [line["text"] for line in logged] == [
        "the policies of receivers could not be read: the disk is full",
        "the policies of receivers could not be written: the disk is full",
    ]


@pytest.mark.parametrize("kept", [True, False])
def test_policies_that_cannot_be_fetched_are_logged_once_each_and_not_without_end(front, kept):
    async def ask(job):
        return "no-policy", f"mta-sts.{job[1]}: HTTP status 404"

    with capturedLogs() as logged:
        policies = result(load_policies(front if kept else None, ask, lambda: 1000.0))
        fetch(policies, *[f"d{n}.test" for n in range(120)])
        fetch(policies, "d1.test")
    lines = [formatEvent(event) for event in logged if "words" in event]
    assert lines[0] == (
        "the policy of d0.test (MTA-STS) could not be fetched (mta-sts.d0.test: HTTP status 404): "
        "mail goes as without one"
    )
    assert len(lines) == 100
    assert lines[-1].endswith("; further ones are not logged (`bulkmail explain DOMAIN`)")
