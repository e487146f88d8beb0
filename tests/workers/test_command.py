"""Real programs, started and ended."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from bulkmail.workers import Command, CommandFailedError


class Commands(TestCase):
    timeout = 300

    def run_command(self, *words: str, within: float = 20.0) -> Any:
        return Command.start(reactor, words, within).output

    async def test_what_it_prints_comes_back(self) -> None:
        assert await self.run_command("/bin/sh", "-c", "echo token; echo chatter >&2") == b"token\n"
        assert await self.run_command("/bin/sh", "-c", "cat") == b"", "there is nothing to read"

    async def test_it_can_be_given_something_to_read(self) -> None:
        command = Command.start(reactor, ["/bin/sh", "-c", "wc -c"], 20, b"x" * 1000)
        assert (await command.output).strip() == b"1000"

    async def test_a_failure_says_how_it_ended_and_nothing_that_it_printed(self) -> None:
        error = await self.assertFailure(
            self.run_command("/bin/sh", "-c", "echo secret; echo secret >&2; exit 3"), CommandFailedError
        )
        assert str(error) == "/bin/sh ended with status 3"
        assert (error.printed, error.complained) == (b"secret\n", b"secret\n"), "for those who know what it is"
        error = await self.assertFailure(self.run_command("/bin/sh", "-c", "kill -9 $$"), CommandFailedError)
        assert str(error) == "/bin/sh was killed by 9"

    async def test_one_that_takes_too_long_is_killed(self) -> None:
        running = self.run_command("/bin/sh", "-c", "exec sleep 60", within=0.3)
        error = await self.assertFailure(running, CommandFailedError)
        assert str(error) == "/bin/sh took longer than 0.3 s"

    async def test_one_that_prints_too_much_is_killed(self) -> None:
        running = self.run_command(sys.executable, "-c", "print('x' * 100000, flush=True); input()")
        error = await self.assertFailure(running, CommandFailedError)
        assert "printed more than 16,000 bytes" in str(error)

    async def test_one_that_is_not_wanted_any_more(self) -> None:
        command = Command.start(reactor, ["/bin/sh", "-c", "exec sleep 60"], 20)
        command.kill("is not needed any more")
        error = await self.assertFailure(command.output, CommandFailedError)
        assert str(error) == "/bin/sh is not needed any more"
        command.kill("again")
