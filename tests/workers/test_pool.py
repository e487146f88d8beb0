"""Real child processes; the worker classes stand in this folder's conftest.py."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from bulkmail.workers import Pool, Worker, WorkerDiedError, WorkerFailedError, WorkerLateError
from tests import traps

PLAIN = "workers_under_test:Slowly"
ASYNC = "workers_under_test:AtOnce"
REAL = (
    "bulkmail.content.compose:Composer",
    "bulkmail.routing.resolver:Resolver",
    "bulkmail.campaign.ingest:Ingest",
    "bulkmail.reporter:ReportWorker",
)


@pytest.mark.process
class Children(TestCase):
    timeout = 300

    def setUp(self) -> None:
        # A child imports by name: give it this folder's classes under a name of their own.
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        source = Path(__file__).with_name("conftest.py").read_text(encoding="utf-8")
        (folder / "workers_under_test.py").write_text(source, encoding="utf-8")
        self.patch(os, "environ", {**os.environ, "PYTHONPATH": str(folder)})

    async def worker(self, name: str = PLAIN) -> Worker:
        worker = Worker.start(reactor, name)
        self.addCleanup(worker.close)
        return worker

    async def pool(self, size: int) -> Pool:
        pool = Pool(reactor, PLAIN, size)
        pool.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(pool.close()))
        return pool

    async def test_answers_come_back_and_prints_do_not_disturb_them(self) -> None:
        worker = await self.worker()
        big = os.urandom(3_000_000)
        assert await worker.ask(("echo", big), 20) == big
        assert worker.busy == 0

    async def test_no_child_imports_a_module_of_the_current_folder(self) -> None:
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        with tempfile.TemporaryDirectory() as folder:
            traps.set_in(Path(folder))
            os.chdir(folder)
            workers = [Worker.start(reactor, name) for name in REAL]
            for worker in workers:
                await worker.close()
            assert traps.sprung_in(Path(folder)) == []

    async def test_an_error_in_the_worker_is_told_and_the_next_job_works(self) -> None:
        worker = await self.worker()
        failed = worker.ask(("nonsense",), 20)
        error = await self.assertFailure(failed, WorkerFailedError)
        assert "no such verb: nonsense" in str(error)
        assert await worker.ask(("echo", 1), 20) == 1

    async def test_a_worker_that_dies_fails_the_jobs_it_held(self) -> None:
        worker = await self.worker()
        first, second = worker.ask(("die",), 20), worker.ask(("echo", 1), 20)
        begun = [(await self.assertFailure(asked, WorkerDiedError)).begun for asked in (first, second)]
        assert begun == [True, False], "what stood in line was not at fault"
        await self.assertFailure(worker.ask(("echo", 1), 20), WorkerDiedError)
        self.flushLoggedErrors()

    async def test_it_is_known_whether_somebody_killed_it(self) -> None:
        for verb, who in (("die", "itself"), ("hang", "another"), ("hang", "we")):
            worker = await self.worker()
            pid = await worker.ask(("pid",), 20)
            asked = worker.ask((verb,), 20)
            if who == "another":
                os.kill(pid, signal.SIGKILL)
            elif who == "we":
                worker.kill()
            error = await self.assertFailure(asked, WorkerDiedError)
            assert error.killed is (who == "another")
        self.flushLoggedErrors()

    async def test_a_late_worker_is_killed(self) -> None:
        worker = await self.worker()
        pid = await worker.ask(("pid",), 20)
        late, behind = worker.ask(("hang",), 0.2), worker.ask(("echo", 1), 20)
        await self.assertFailure(late, WorkerLateError)
        assert not (await self.assertFailure(behind, WorkerDiedError)).begun
        assert not Path(f"/proc/{pid}").exists()

    async def test_to_cancel_an_answer_is_to_say_that_it_is_late(self) -> None:
        worker = await self.worker()
        pid = await worker.ask(("pid",), 20)
        hung, behind = worker.ask(("hang",), 20), worker.ask(("echo", 1), 20)
        hung.cancel()
        await self.assertFailure(hung, WorkerLateError)
        await self.assertFailure(behind, WorkerDiedError)
        assert not Path(f"/proc/{pid}").exists()

    async def test_it_is_told_how_long_a_job_was_worked_on_without_those_before_it(self) -> None:
        worker = await self.worker()
        await worker.ask(("echo", 0), 20)
        took: list[float] = []
        jobs = [worker.ask(("sleep", seconds), 20, load=2.0, worked=took.append) for seconds in (0.4, 0.0)]
        assert worker.load == 4.0
        for job in jobs:
            await job
        assert worker.load == 0.0
        assert took[0] >= 0.39
        assert took[1] < took[0], "the second stood behind the first, and is not charged with it"

    async def test_jobs_go_to_the_least_load_and_some_not_to_the_last_worker(self) -> None:
        pool = await self.pool(2)
        first = await pool.ask(("pid",), 20)
        with tempfile.TemporaryDirectory() as folder:
            over = Path(folder, "over")
            heavy = pool.ask(("until", str(over)), 60, load=9.0)
            found = [await pool.ask(("pid",), 60, load=load) for load in (1.0, 1.0)]
            apart = pool.ask(("pid",), 60, apart=True)
            over.touch()
            await heavy
        assert await heavy == first not in found, "the worker with one heavy job is left alone"
        assert await apart == first

    async def test_a_pool_replaces_a_dead_worker_and_sets_it_up_again(self) -> None:
        pool = await self.pool(1)
        pool.set_up("a", ("know", "a", "told"))
        assert await pool.ask(("tell", "a"), 20) == "told"
        before = await pool.ask(("pid",), 20)
        await self.assertFailure(pool.ask(("die",), 20), WorkerDiedError)
        while not pool.pids:
            await deferLater(reactor, 0.05)
        assert await pool.ask(("pid",), 20) != before
        assert await pool.ask(("tell", "a"), 20) == "told"

    async def test_a_dangerous_job_runs_alone(self) -> None:
        pool = await self.pool(1)
        pool.set_up("a", ("know", "a", "told"))
        shared = await pool.ask(("pid",), 20)
        await self.assertFailure(pool.alone().ask(("die",), 20), WorkerDiedError)
        alone = pool.alone()
        assert await alone.ask(("tell", "a"), 20) == "told"
        assert await alone.ask(("pid",), 20) != shared
        await alone.close()
        assert await pool.ask(("pid",), 20) == shared

    async def test_a_closed_pool_leaves_nobody_behind(self) -> None:
        pool = await self.pool(1)
        pids = [await pool.ask(("pid",), 20), await pool.alone().ask(("pid",), 20)]
        late = pool.alone().ask(("pid",), 20)
        await pool.close()
        pids.append(await late)
        assert len(set(pids)) == 3
        assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]

    async def test_an_async_worker_has_many_jobs_at_once(self) -> None:
        worker = await self.worker(ASYNC)
        order: list[Any] = []
        slow = worker.ask(("slow", 0.5), 20).addCallback(order.append)
        fast = worker.ask(("fast", 0.0), 20).addCallback(order.append)
        await fast
        await slow
        assert order == ["fast", "slow"]

    async def test_a_closed_worker_ends(self) -> None:
        worker = await self.worker()
        pid = await worker.ask(("pid",), 20)
        await worker.close()
        assert not Path(f"/proc/{pid}").exists()
