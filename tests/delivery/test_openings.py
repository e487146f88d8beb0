"""When a lane opens another connection."""

from __future__ import annotations

import itertools

from bulkmail.mail import Rate


def dead(one, domain="a.example"):
    one.farm.dead = {ip for host in one.site(domain).hosts for ip in host.addresses}


def test_connections_are_opened_one_by_one_as_the_first_ones_work(world, fast):
    one = world(settings=fast())
    one.farm.connects = True
    one.farm.answers = lambda _: None
    one.campaign({"a.example": 100})
    one.start()
    one.run(0.02)
    assert len(one.farm.made) == 1
    one.run(5)
    assert 3 <= len(one.farm.made) <= 10


def test_the_whole_process_has_its_limit(world, fast):
    one = world(settings=fast(), connections=4)
    one.farm.obliging()
    run = one.campaign({f"d{n}.example": 5 for n in range(40)})
    one.send(60)
    assert one.statuses(run) == {"delivered": 200}
    assert one.farm.most == 4


def test_the_rate_of_connecting_is_honoured(world, fast):
    one = world(settings=fast(connection_rate=Rate(60, 60.0, 1), messages_per_connection=1))
    one.farm.obliging()
    run = one.campaign({"a.example": 10})
    one.send(60)
    assert one.statuses(run) == {"delivered": 10}
    times = [at for at, _ in one.farm.connected]
    assert min(b - a for a, b in itertools.pairwise(times)) > 0.99


def test_one_more_connection_refused_beside_working_ones_is_a_limit_and_no_outage(world, fast):
    one = world(settings=fast())
    one.farm.obliging()
    one.farm.answers = lambda connection: one.clock.callLater(1.0, connection.answer, 250)
    run = one.campaign({"a.example": 40})
    one.start()
    one.until(lambda: one.farm.sent, 5)
    dead(one)
    one.until(lambda: run.complete, 200)
    assert one.statuses(run) == {"delivered": 40}
    assert {attempt[1] for attempt in one.attempts()} == {1}
    assert len(one.farm.made) <= 8
