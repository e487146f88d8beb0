from __future__ import annotations

from types import SimpleNamespace

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from bulkmail.delivery import resolver_process as module
from bulkmail.delivery.resolver_process import ResolverProcess
from bulkmail.workers import WorkerDiedError


class FakeWorker:
    def __init__(self, ended):
        self.ended, self.jobs, self.closed = ended, [], False

    def ask(self, job, deadline):
        self.jobs.append(job)
        done = Deferred()
        if job[0] == "route":
            done.errback(WorkerDiedError("ended"))
        return done

    async def close(self):
        self.closed = True


def test_a_resolver_that_dies_is_replaced_and_never_in_a_tight_circle(monkeypatch):
    started = []

    def start(reactor, name, ended, *, at_once):
        started.append(FakeWorker(ended))
        return started[-1]

    monkeypatch.setattr(module, "Worker", SimpleNamespace(start=start))
    reactor = Clock()
    process = ResolverProcess(reactor, "a:Resolver", ("options",))
    process.start()
    assert started[0].jobs == [("configure", ("options",))]
    got = []
    Deferred.fromCoroutine(process.ask(("route", "a.example"))).addBoth(got.append)
    assert got == [("own-fault", "the resolver process: ended")]
    started[0].ended(started[0])
    assert len(started) == 1
    reactor.advance(1.0)
    assert len(started) == 2
    process.stop()
    started[1].ended(started[1])
    reactor.advance(1.0)
    assert len(started) == 2
    Deferred.fromCoroutine(process.close()).addBoth(got.append)
    assert started[1].closed
