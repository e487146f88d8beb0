from __future__ import annotations

import pytest

from bulkmail.delivery.queueing.queues import Queue, Queues, Ring
from bulkmail.delivery.run import Run

RUN = Run(1, "spring", "/c", {}, "retry", 0.0)
OTHER = Run(2, "autumn", "/d", {}, "retry", 0.0)


def ring_of(count):
    ring, queues = Ring(), [Queue(n, RUN, f"d{n}.example") for n in range(count)]
    for queue in queues:
        ring.add(queue)
    return ring, queues


def test_queues_are_served_in_turn():
    ring, three = ring_of(3)
    assert [ring.next() for _ in range(4)] == [*three, three[0]]
    ring.discard(three[1])
    ring.discard(three[1])
    assert (len(ring), three[1] in ring, three[2] in ring) == (2, False, True)
    assert [ring.next() for _ in range(3)] == [three[2], three[0], three[2]]
    assert set(ring) == {three[0], three[2]}
    with pytest.raises(StopIteration):
        Ring().next()


def test_deep_queues_are_claimed_from_one_by_one_and_small_ones_several_at_once():
    ring, queues = ring_of(10)
    assert ring.next_claims(8) == [(queues[0], 8)]
    for _ in range(3):
        ring.spread(emptied=True)
    assert [limit for _, limit in ring.next_claims(8)] == [2, 2, 2, 2]
    ring.spread(emptied=False)
    assert [limit for _, limit in ring.next_claims(8)] == [2, 2, 2, 2]
    ring.spread(emptied=False)
    assert [limit for _, limit in ring.next_claims(8)] == [4, 4]


def test_a_queue_whose_claim_is_under_way_is_left_out():
    ring, queues = ring_of(3)
    queues[0].claiming = queues[2].claiming = True
    assert ring.next_claims(8) == [(queues[1], 8)]
    queues[1].claiming = True
    assert ring.next_claims(8) == []


def test_each_campaign_has_a_ring_of_its_own():
    queues, mine, other = Queues(), Queue(1, RUN, "a.example"), Queue(2, OTHER, "a.example")
    assert not queues
    assert (queues.add(mine), queues.add(mine), queues.add(other)) == (True, True, True)
    assert queues.add(Queue(3, RUN, "b.example")) is False
    assert (len(queues), mine in queues, list(queues.rings)) == (3, True, [RUN, OTHER])
    assert {queue.id for queue in queues} == {1, 2, 3}
    assert (queues.discard(other), queues.discard(other), queues.discard(mine)) == (True, False, False)
    assert other not in queues
    queues.clear()
    assert not queues
