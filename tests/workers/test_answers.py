from __future__ import annotations

import os

from bulkmail.workers.answers import Answers


class Reactor:
    def __init__(self) -> None:
        self.readers: list[Answers] = []

    def addReader(self, reader: Answers) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Answers) -> None:
        self.readers.remove(reader)


def test_it_reads_what_is_there_and_tells_the_end_once() -> None:
    reactor, got, ends = Reactor(), [], []
    reading, writing = os.pipe()
    answers = Answers(reactor, reading, got.append, lambda: ends.append(1))
    answers.doRead()
    assert got == []
    os.write(writing, b"x" * 50_000)
    answers.doRead()
    assert got == [b"x" * 50_000]
    os.close(writing)
    answers.drain()
    answers.connectionLost(None)  # type: ignore[arg-type]
    assert ends == [1]
    assert reactor.readers == []
    assert answers.fileno() == -1


def test_at_most_so_much_is_taken_in_one_turn_and_the_rest_in_the_next() -> None:
    reactor, got, ends = Reactor(), [], []
    reading, writing = os.pipe()
    answers = Answers(reactor, reading, got.append, lambda: ends.append(1), 10)
    os.write(writing, b"x" * 25)
    answers.doRead()
    assert got == [b"x" * 10]
    answers.doRead()
    os.close(writing)
    answers.drain()
    assert got == [b"x" * 10, b"x" * 10, b"x" * 5]
    assert ends == [1]


def test_what_is_left_when_the_writer_is_gone_is_still_read() -> None:
    reactor, got, ends = Reactor(), [], []
    reading, writing = os.pipe()
    answers = Answers(reactor, reading, got.append, lambda: ends.append(1))
    os.write(writing, b"last words")
    os.close(writing)
    answers.drain()
    assert got == [b"last words"]
    assert ends == [1]
