"""Counts the work a message makes, not its time: lines and calls of our own code, writes, transactions, memory."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from types import FrameType, SimpleNamespace
from typing import Any
from unittest import mock

from twisted.internet.task import Clock

sys.path.insert(0, str(Path(__file__).parent))
import _lab as lab
from _indoors import LETTER, NOW, House, Line, Server

import bulkmail
from bulkmail.content import Composer, rsa_batch
from bulkmail.delivery import Clocks, Pause, Run
from bulkmail.delivery.ledger import Ledger
from bulkmail.delivery.message import Message
from bulkmail.delivery.queueing.composing import BATCH
from bulkmail.mail import Fate, Outcome, Peer, Reply, Stage
from bulkmail.settings import Retry, Settings
from bulkmail.smtp import DotNext, Session, Transaction
from bulkmail.spool import Spool
from bulkmail.spool.opening import open_all
from bulkmail.workers import Frames, frame

BASELINE = Path(__file__).with_name("work.json")
TOLERANCE = 0.05
"""So much more than the baseline is no regression: versions of Python and of the libraries differ a little."""

MESSAGES = 128  # in each count; a multiple of the composer's batch
BEFORE = 2048  # so many are composed before they are counted, to other people
_OURS = str(Path(bulkmail.__file__).parent)
_MEMORY = "KB at the peak"


def counted(work: Callable[[], object], messages: int = MESSAGES) -> dict[str, float]:
    """Lines of our modules that ran, and calls into and out of them."""
    lines = calls = 0

    def follow(frame_: FrameType, event: str, _arg: object) -> Any:
        nonlocal lines
        if event == "call":
            return follow if frame_.f_code.co_filename.startswith(_OURS) else None
        if event == "line":
            lines += 1
        return follow

    def call(frame_: FrameType, event: str, _arg: object) -> None:
        nonlocal calls
        if event in ("call", "c_call") and frame_.f_code.co_filename.startswith(_OURS):
            calls += 1

    before = sys.gettrace(), sys.getprofile()
    sys.setprofile(call)
    sys.settrace(follow)
    try:
        work()
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
    return {"lines": lines / messages, "calls": calls / messages}


def composing(signed: bool) -> dict[str, float]:
    """The composer, as a worker runs it; also the bytes of its answers and the most memory that a batch takes."""
    rows, campaigns = lab.letters_of_welcome(lab.new_key(), BEFORE + MESSAGES)
    batches = [rows[at : at + BATCH] for at in range(0, len(rows), BATCH)]
    composer = Composer()
    answers: list[bytes] = []

    def work(batches: Sequence[Sequence[tuple[Any, ...]]]) -> None:
        answers[:] = [frame((1, True, composer.handle(("compose", 1, batch)))) for batch in batches]

    # Without the library of the extra avx512, which not every machine can use
    with mock.patch.object(rsa_batch, "crypto_mb", return_value=None):
        composer.handle(("load", 1, campaigns[signed]))
        work(batches[: BEFORE // BATCH])  # what is remembered from one message to the next is remembered now
        found = counted(lambda: work(batches[BEFORE // BATCH :]))
        tracemalloc.start()
        composer.handle(("compose", 1, batches[0]))
        found[_MEMORY] = tracemalloc.get_traced_memory()[1] / BATCH / 1024
        tracemalloc.stop()
    return {**found, "bytes in the pipe": sum(map(len, answers)) / MESSAGES}


def unpacking() -> dict[str, float]:
    """What the main process does with the composer's answers."""
    batch = [(n, b"x" * 12_000, "bounces@example.com", None) for n in range(BATCH)]
    answers = [frame((n, True, batch)) for n in range(MESSAGES // BATCH)]
    frames = Frames()
    return counted(lambda: [list(frames.feed(answer)) for answer in answers])


def converse(session: Session, events: list[Any], more: Iterator[Transaction], server: Server) -> int:
    """One dialogue until it has nothing more to say; says in how many round trips."""
    trips = 0
    while True:
        for event in events:
            if isinstance(event, DotNext) and session.may_pipeline:
                following = next(more, None)
                if following is not None:
                    session.submit_behind(following)
        said = session.take_output()
        if not said:
            return trips
        trips += 1
        events = session.receive(server.told(said))


def talking() -> dict[str, float]:
    """One connection, each message announced behind the one before; a write is a round trip."""
    session, server, trips = Session(hostname="mta.example.com", tls="off"), Server(), 0
    more = (
        Transaction("s@example.com", (f"r{n}@example.net",), LETTER, notify="NEVER", plain=True)
        for n in range(MESSAGES)
    )
    converse(session, session.receive(Server.GREETING), more, server)

    def work() -> None:
        nonlocal trips
        trips = converse(session, session.submit(next(more)), more, server)

    return {**counted(work), "writes": trips / MESSAGES}


def recording(place: Path) -> dict[str, float]:
    """From the claim to the settled outcome: ledger, journal and spool, for messages that are accepted."""
    store, journal, lock, _recovered = open_all(str(place), "boot", Retry(), NOW)
    campaign = store.create_campaign(
        "work", "/work", key=b"k" * 32, content={"name": "work"}, digests={}, files=[("r.csv", ["email"])], now=NOW,
        on_unknown="retry",
    )  # fmt: skip
    domains = [f"d{n}.example" for n in range(4)]
    rows = [
        (n, 0, n, f"r{n}@{domains[n % 4]}", domains[n % 4], f'["r{n}@{domains[n % 4]}"]', "ok", "")
        for n in range(1, MESSAGES + 1)
    ]
    clock = Clock()
    clock.advance(NOW)
    store.add_rows(campaign.id, rows, {}, True, NOW)
    store.set_state(campaign.id, "running", NOW)
    spool = Spool(store, journal, Line(clock), clock, clock=clock.seconds, lock=lock)  # type: ignore[arg-type]
    run = Run(campaign.id, "work", "/work", {}, "retry", NOW, input_rows=MESSAGES, import_done=True)
    clocks = Clocks(clock, clock.seconds)
    ledger = Ledger(
        spool=spool,
        retry=Settings().retry,
        pause=Pause(clocks),
        clocks=clocks,
        rng=Random(1),
        changed=lambda _: None,
    )
    peer = Peer("mx.example.net", "192.0.2.1", "192.0.2.9", "TLSv1.3")
    reply = Reply(250, ("2.0.0 Ok: queued as 4TfK2x1Qz9",))
    writes = transactions = settled = 0

    def write(descriptor: int, data: bytes) -> int:
        nonlocal writes
        writes += 1
        return os.write(descriptor, data)

    def traced(statement: str) -> None:
        nonlocal transactions
        transactions += statement.startswith("COMMIT")

    def work() -> None:
        nonlocal settled
        holder: Any = SimpleNamespace()
        for queue_id, _campaign, domain in store.backlog(0, 10):
            claims: list[Any] = []
            spool.claim(queue_id, MESSAGES).addCallback(claims.extend)
            clock.pump([0, 0, 0])
            for claimed in claims:
                message = Message(claimed, domain, run, holder, b"x", 1, "s@example.com", clock.seconds())
                assert message.recipient
                ledger.about_to_dot(message)
                ledger.record(message, Outcome(Fate.ACCEPTED, Stage.DOT, reply, "", peer), "", message.began)
                settled += 1
        clock.pump([0.3, 0, 0])

    store.database._connection.set_trace_callback(traced)  # noqa: SLF001
    with mock.patch("bulkmail.spool.journal.os", SimpleNamespace(**{**vars(os), "write": write})):
        found = counted(work)
    assert settled == MESSAGES == run.delivered
    assert not spool.unsettled
    store.close()
    journal.close()
    lock.release()
    return {**found, "journal writes": writes / MESSAGES, "transactions": transactions / MESSAGES}


def sending(place: Path) -> dict[str, float]:
    """All that the main process does for a message, from the claim to the settled outcome, several servers at once."""
    house = House(place, MESSAGES * 4)  # enough that the first messages of each connection do not count
    try:
        found = counted(house.send, MESSAGES * 4)
        assert house.run.delivered == MESSAGES * 4
        return {**found, "writes": house.writes / MESSAGES / 4, "timers": house.reactor.timers / MESSAGES / 4}
    finally:
        house.close()


def measure() -> dict[str, dict[str, float]]:
    """All of it, by part."""
    place = Path(tempfile.mkdtemp(prefix="bulkmail-work-"))
    try:
        return {
            "composing, unsigned": composing(signed=False),
            "composing, signed": composing(signed=True),
            "unpacking": unpacking(),
            "talking": talking(),
            "recording": recording(place / "recording"),
            "sending": sending(place / "sending"),
        }
    finally:
        shutil.rmtree(place)


def worse(found: dict[str, dict[str, float]], baseline: dict[str, dict[str, float]]) -> list[str]:
    """One sentence for each figure that is higher than the baseline allows."""
    return [
        f"{part}: {found[part][what]:.2f} {what} a message, and the baseline has {allowed:.2f}"
        for part, figures in baseline.items()
        for what, allowed in figures.items()
        if found[part][what] > allowed * (1 + TOLERANCE * (2 if what == _MEMORY else 1))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help=f"make this the baseline: bench/{BASELINE.name}")
    given = parser.parse_args()
    found = measure()
    known = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    rows = [
        [part, what, value, known.get(part, {}).get(what, "")]
        for part, figures in found.items()
        for what, value in figures.items()
    ]
    print(lab.table(["part", "a message", "now", "baseline"], rows))
    if given.update:
        rounded = {part: {what: round(value, 3) for what, value in figures.items()} for part, figures in found.items()}
        BASELINE.write_text(json.dumps(rounded, indent=2) + "\n")
    else:
        print("\n".join(worse(found, known)))


if __name__ == "__main__":
    main()
