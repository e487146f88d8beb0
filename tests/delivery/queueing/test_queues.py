from __future__ import annotations

import pytest

from bulkmail.delivery.queueing.queues import Queue, Queues
from bulkmail.delivery.run import Run

RUN = Run(1, "spring", "/c", {}, "retry", 0.0)


def test_queues_are_served_in_turn():
    queues = Queues()
    three = [Queue(n, RUN, f"d{n}.example") for n in range(3)]
    for queue in three:
        queues.add(queue)
    assert [queues.next() for _ in range(4)] == [*three, three[0]]
    queues.discard(three[1])
    queues.discard(three[1])
    assert (len(queues), three[1] in queues, three[2] in queues) == (2, False, True)
    assert [queues.next() for _ in range(3)] == [three[2], three[0], three[2]]
    assert set(queues) == {three[0], three[2]}
    queues.clear()
    assert not queues
    with pytest.raises(StopIteration):
        queues.next()
