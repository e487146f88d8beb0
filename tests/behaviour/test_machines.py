"""Several machines on one spool in PostgreSQL, each a twistd of its own with its own folder and journal."""

from __future__ import annotations

import base64
import os
import signal
import time
import urllib.request
from collections import Counter
from itertools import pairwise

import pytest

from bulkmail.control import Client
from bulkmail.mail import REST, Variants
from bulkmail.routing import MxHost
from bulkmail.routing.site import site_key
from bulkmail.spool import hold_campaign, lift_hold, request_cancel
from bulkmail.web import Role, User, hash_password, write_users
from tests.ports import free_port

pytestmark = pytest.mark.loopback

LEASE = 3.0
STALL = 0.1


def machine(world, dsn, name, **changes):
    """The settings file of one machine."""
    shared = {
        "spool": dsn,
        "machine": {"name": name, "folder": f"./{name}", "lease": f"{LEASE:g}s"},
        "compose": {"processes": 1},
        "smtp": {"chunking": "off"},  # few messages in flight: what the receiver's own delays add to a second is small
        "retry": {"schedule": ["500ms"], "unknown_after": "4s", "greylist_after": "500ms"},
        **changes,
    }
    path = world.settings(**shared)
    return path.rename(path.with_name(f"{name}.yaml"))


def people(count):
    return [f"user{n}@d{n % 20}.test" for n in range(count)]


def check_pace(pacing, attempts, received, rate, burst=5):
    """All machines together granted no more than the limit; what arrived differs by no more than the delays explain.

    A slot that was booked ahead may be used late, and a busy system stops a process between a grant and its note.
    """
    granted = pacing.grants(attempts, received)
    spread = pacing.smear(pacing.delays(granted, received), rate)
    arrived = {}
    for one in received:
        arrived.setdefault(one["ip"], []).append(one["at"])
    for ip, times in pacing.of_each(granted).items():
        needed = pacing.burst_needed(times, rate)
        assert needed <= burst + 2 + (pacing.UNSURE + STALL) * rate, f"to {ip} {needed:.1f} were granted at once"
        needed = pacing.burst_needed(arrived[ip], rate)
        assert needed <= burst + 2 + STALL * rate + spread, (
            f"{ip} got {needed:.1f} at once, where delays explain {spread:.1f}"
        )


def test_two_machines_send_to_one_destination_in_shares_and_one_is_killed(world, pg_server, until, pacing):
    """Both send to it, the sum keeps the limits, and the one that is left has all of it in the end."""
    dsn, rows, rate = pg_server.fresh(), 2000, 80
    world.start_names({"big.test": ["mx.big.test"]}, {"mx.big.test": "127.0.1.1"})
    world.start_mail(["127.0.1.1"], delay=0.02)
    big = {"mx": [".big.test"], "connections": 9, "rate": f"{rate}/s,burst=8", "connection_rate": "1000/s", "shares": 4}
    shaping = {"shaping": {"providers": {"big": big}}}
    configs = [machine(world, dsn, name, hostname=f"{name}.example.com", **shaping) for name in ("one", "two")]
    campaign = world.campaign("spring", [f"user{n}@big.test" for n in range(rows)])
    schema = dsn.rpartition("%3D")[2]
    shares = f"SELECT count(*) FROM {schema}.lease JOIN {schema}.machine USING (epoch) WHERE key = 'provider big'"
    each = f"{shares} AND state = 'live' GROUP BY epoch ORDER BY 1"
    owner = world.start("-c", str(campaign.yaml), "--settings", str(configs[0]))
    until(lambda: world.server.count() > rows * 0.05, "the first messages")
    assert pg_server.run(each) == [(4,)]
    helper = world.start("--settings", str(configs[1]))
    until(lambda: pg_server.run(each) == [(2,), (2,)], "both to have half of it")
    seen = world.server.count()
    until(lambda: world.server.count() > seen + rows * 0.3, "both to send")
    helper.signal(signal.SIGKILL)
    helper.process.wait()
    killed_at = world.server.received()[-1]["at"]
    until(lambda: pg_server.run(each) == [(4,)], "the first machine to have all again")
    finished = owner.wait()
    assert finished.status == 0, finished.said[-3000:]
    campaign.check_report()
    assert campaign.statuses() == Counter(delivered=rows)
    received = world.server.received()
    assert {one["to"] for one in received} == set(campaign.addresses)
    unknown = {attempt["email"] for attempt in campaign.attempts() if attempt["result"] == "unknown"}
    assert {to for to, ids in world.server.ids().items() if len(ids) > 1} <= unknown
    check_pace(pacing, campaign.attempts(), received, rate, burst=8)
    assert pacing.most_open(world.server.connections())["127.0.1.1"] <= 9
    while_both = Counter(one["helo"] for one in received[seen:] if one["at"] <= killed_at)
    assert min(while_both.values()) > 0.35 * sum(while_both.values()), while_both
    assert len(while_both) == 2
    speed = pacing.speed([one["at"] for one in received[seen:] if one["at"] <= killed_at])
    assert speed > rate * 0.8, "two halves are nearly the whole"


def test_many_sites_behind_one_address_are_one_machines_at_a_time(world, pg_server, until, pacing):
    """The limit of an address is that of all its sites and all machines, also while they go from one to the other."""
    dsn, rows, rate = pg_server.fresh(), 5000, 30
    hosts = {f"mx{n}.d{n}.test": f"127.0.1.{n % 6 + 1}" for n in range(30)}
    world.start_names({f"d{n}.test": [f"mx{n}.d{n}.test"] for n in range(30)}, hosts)
    world.start_mail(sorted(set(hosts.values())), delay=0.02)
    shaping = {"shaping": {"default": {"connections": 6, "rate": f"{rate}/s,burst=5", "connection_rate": "1000/s"}}}
    configs = [machine(world, dsn, name, hostname=f"{name}.example.com", **shaping) for name in ("one", "two")]
    campaign = world.campaign("spring", [f"user{n}@d{n % 30}.test" for n in range(rows)])
    schema = dsn.rpartition("%3D")[2]
    held = f"SELECT count(DISTINCT epoch) FROM {schema}.lease WHERE key LIKE 'address %' AND epoch IS NOT NULL"
    owner = world.start("-c", str(campaign.yaml), "--settings", str(configs[0]))
    until(lambda: world.server.count() > rows * 0.1, "the first messages")
    while True:
        helper = world.start("--settings", str(configs[1]))
        until(lambda helper=helper: "helps to send spring" in helper.said(), "the helper")
        seen = world.server.count()
        until(lambda seen=seen: world.server.count() > seen + rows * 0.15, "some to be sent")
        if pg_server.run(held) == [(2,)]:
            break
        helper.signal(signal.SIGTERM)  # whose an address is to be is chance: once more, as another life
        helper.wait()
    until(lambda: b"two.example.com" in world.server.record.read_bytes(), "the helper to send")
    seen = world.server.count()
    until(lambda: world.server.count() > seen + rows * 0.1, "both to send")
    helper.signal(signal.SIGKILL)
    helper.process.wait()
    finished = owner.wait()
    assert finished.status == 0, finished.said[-3000:]
    campaign.check_report()
    assert campaign.statuses() == Counter(delivered=rows)
    received = world.server.received()
    check_pace(pacing, campaign.attempts(), received, rate)
    assert max(pacing.most_open(world.server.connections()).values()) <= 6
    assert {one["helo"] for one in received} == {"one.example.com", "two.example.com"}
    for ip in set(hosts.values()):
        senders = [one["helo"] for one in sorted(received, key=lambda one: one["at"]) if one["ip"] == ip]
        turns = sum(before != after for before, after in pairwise(senders))
        assert turns <= 6, f"{ip} was sent to by both at once: {turns} turns"


def test_machines_that_divide_a_destination_otherwise_do_not_share_it(world, pg_server, until):
    dsn = pg_server.fresh()
    world.start_names({"big.test": ["mx.big.test"]}, {"mx.big.test": "127.0.1.1"})
    world.start_mail(["127.0.1.1"])
    configs = []
    for name, shares in (("one", 4), ("two", 2)):
        big = {"mx": [".big.test"], "connections": 8, "rate": "20/s,burst=4", "connection_rate": "1000/s"}
        big["shares"] = shares
        shaping = {"providers": {"big": big}}
        configs.append(machine(world, dsn, name, hostname=f"{name}.example.com", shaping=shaping))
    campaign = world.campaign("spring", [f"user{n}@big.test" for n in range(1000)])
    owner = world.start("-c", str(campaign.yaml), "--settings", str(configs[0]))
    until(lambda: world.server.count() > 10, "the first messages")
    helper = world.start("--settings", str(configs[1]))
    until(lambda: "give all machines the same settings" in helper.said(), "the other to say what is wrong")
    seen = world.server.count()
    until(lambda: world.server.count() > seen + 40, "the first to go on")
    assert helper.said().count("same settings") == 1
    assert {one["helo"] for one in world.server.received()} == {"one.example.com"}
    for sending in (helper, owner):
        sending.signal(signal.SIGTERM)
        assert sending.wait().status == 3


def test_a_second_machine_helps_and_the_first_writes_the_report(world, pg_server):
    dsn = pg_server.fresh()
    one, two = machine(world, dsn, "one"), machine(world, dsn, "two")
    campaign = world.campaign("spring", people(2000))
    helper = world.start("--settings", str(two))
    sending = world.start("-c", str(campaign.yaml), "--settings", str(one))
    finished = sending.wait()
    assert finished.status == 0, finished.said[-3000:]
    campaign.check_report()
    assert campaign.statuses() == Counter(delivered=2000)
    assert Counter(map(len, world.server.ids().values())) == Counter({1: 2000})
    helper.signal(signal.SIGTERM)
    ended = helper.wait()
    assert ended.status == 3
    assert "helps to send spring" in ended.said


def test_one_machine_is_killed_and_one_frozen_past_its_lease(world, pg_server, until, pacing):
    """Nothing is lost, a double needs an unanswered attempt, and no limit is exceeded by the sum of the machines."""
    dsn, rows, rate = pg_server.fresh(), 6000, 150
    world.start_mail([f"127.0.1.{n}" for n in range(1, 5)], delay=0.02)
    shaping = {"shaping": {"default": {"connections": 6, "rate": f"{rate}/s,burst=5", "connection_rate": "1000/s"}}}
    configs = [machine(world, dsn, name, **shaping) for name in ("one", "two", "three")]
    campaign = world.campaign("spring", people(rows))
    killed, frozen = [world.start("--settings", str(config)) for config in configs[1:]]
    for helper in (killed, frozen):
        until(lambda helper=helper: "machines on this spool: 2" in helper.said(), "two machines to know each other")
    sending = world.start("-c", str(campaign.yaml), "--settings", str(configs[0]))
    until(lambda: world.server.count() > rows * 0.15, "the first messages")
    killed.signal(signal.SIGKILL)
    killed.process.wait()
    os.kill(frozen.pid, signal.SIGSTOP)
    stopped_at = world.server.count()
    until(lambda: world.server.count() > stopped_at + rows * 0.5, "the others to go on without them")
    os.kill(frozen.pid, signal.SIGCONT)
    until(lambda: frozen.said().count("this machine helps to send spring") == 2, "it to begin anew")
    assert "was not heard of for longer than its lease" in frozen.said()
    finished = sending.wait()
    assert finished.status == 0, finished.said[-3000:]
    campaign.check_report()
    assert campaign.statuses() == Counter(delivered=rows)
    received = world.server.received()
    assert {one["to"] for one in received} == set(campaign.addresses), "somebody was lost"
    doubles = [to for to, ids in world.server.ids().items() if len(ids) > 1]
    unknown = {attempt["email"] for attempt in campaign.attempts() if attempt["result"] == "unknown"}
    assert set(doubles) <= unknown, "a double without an unanswered attempt"
    assert all(len(set(ids)) == 1 for ids in world.server.ids().values()), "a double with another Message-ID"
    check_pace(pacing, campaign.attempts(), received, rate)
    frozen.signal(signal.SIGTERM)
    assert frozen.wait().status == 3


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "another took it over"])
def test_the_machine_with_the_folder_is_frozen_past_its_lease(world, pg_server, until, alone):
    """It goes on with its campaign in a new life, unless another machine was given the folder meanwhile."""
    dsn, rows = pg_server.fresh(), 3000
    world.start_mail([f"127.0.1.{n}" for n in range(1, 5)], delay=0.01)
    shaping = {"shaping": {"default": {"connections": 6, "rate": "150/s,burst=5", "connection_rate": "1000/s"}}}
    one, two = (machine(world, dsn, name, **shaping) for name in ("one", "two"))
    campaign = world.campaign("spring", people(rows))
    helper = world.start("--settings", str(two))
    owner = world.start("-c", str(campaign.yaml), "--settings", str(one))
    until(lambda: world.server.count() > rows * 0.2, "the first messages")
    os.kill(owner.pid, signal.SIGSTOP)
    until(lambda: "has not been heard of" in helper.said(), "the other to declare it gone")
    if not alone:
        helper.signal(signal.SIGTERM)
        assert helper.wait().status == 3
        other = world.start("-c", str(campaign.yaml), "--settings", str(two))
        until(lambda: "machines on this spool" in other.said() or "spring:" in other.said(), "the other to send it")
        seen = world.server.count()
        until(lambda: world.server.count() > seen + 50, "the other to send it")
    os.kill(owner.pid, signal.SIGCONT)
    finished = owner.wait()
    assert "was not heard of for longer than its lease" in finished.said
    if alone:
        assert finished.status == 0, finished.said[-3000:]
        helper.signal(signal.SIGTERM)
        assert helper.wait().status == 3
    else:
        assert finished.status == 3, finished.said[-3000:]
        assert finished.err.count("'spring' is being sent from machine two") == 1
        assert other.wait().status == 0
    campaign.check_report()
    assert campaign.statuses() == Counter(delivered=rows)
    assert {one["to"] for one in world.server.received()} == set(campaign.addresses), "somebody was lost"
    unknown = {attempt["email"] for attempt in campaign.attempts() if attempt["result"] == "unknown"}
    assert {to for to, ids in world.server.ids().items() if len(ids) > 1} <= unknown


def test_a_machine_that_comes_and_goes_gets_its_share_and_gives_it_back(world, pg_server, until, pacing):
    dsn, rows, rate = pg_server.fresh(), 6000, 150
    shaping = {"shaping": {"default": {"connections": 6, "rate": f"{rate}/s,burst=5", "connection_rate": "1000/s"}}}
    one, two = (machine(world, dsn, name, **shaping) for name in ("one", "two"))
    campaign = world.campaign("spring", people(rows))
    schema = dsn.rpartition("%3D")[2]
    held = f"SELECT count(DISTINCT epoch) FROM {schema}.lease WHERE key NOT LIKE 'campaign %' AND epoch IS NOT NULL"
    owner = world.start("-c", str(campaign.yaml), "--settings", str(one))
    until(lambda: world.server.count() > rows * 0.1, "the first messages")
    assert pg_server.run(held) == [(1,)]
    helper = world.start("--settings", str(two))
    until(lambda: pg_server.run(held) == [(2,)], "the second machine to get its share")
    seen = world.server.count()
    until(lambda: world.server.count() > seen + rows * 0.2, "both to send")
    helper.signal(signal.SIGTERM)
    assert helper.wait().status == 3
    assert pg_server.run(held) == [(1,)], "what it had is free as soon as it has ended"
    finished = owner.wait()
    assert finished.status == 0, finished.said[-3000:]
    campaign.check_report()
    assert campaign.statuses() == Counter(delivered=rows)
    assert Counter(map(len, world.server.ids().values())) == Counter({1: rows}), "nobody is mailed twice"
    check_pace(pacing, campaign.attempts(), world.server.received(), rate)


def test_the_machine_with_the_folder_is_killed_and_the_other_goes_on(world, pg_server, until):
    """Started again, it finds by its journal what it had sent, and writes the whole report."""
    dsn, rows = pg_server.fresh(), 6000
    world.start_mail([f"127.0.1.{n}" for n in range(1, 5)], delay=0.01)
    shaping = {"shaping": {"default": {"connections": 6, "rate": "250/s,burst=5", "connection_rate": "1000/s"}}}
    shaping["retry"] = {"schedule": ["500ms"], "unknown_after": "20s", "greylist_after": "500ms"}
    one, two = (machine(world, dsn, name, **shaping) for name in ("one", "two"))
    campaign = world.campaign("spring", people(rows))
    helper = world.start("--settings", str(two))
    owner = world.start("-c", str(campaign.yaml), "--settings", str(one))
    until(lambda: world.server.count() > rows * 0.3, "the first messages")
    owner.signal(signal.SIGKILL)
    owner.process.wait()
    killed_at = world.server.count()
    until(lambda: world.server.count() > killed_at + rows * 0.3, "the helper to go on with both machines' destinations")
    finished = world.run("-c", str(campaign.yaml), "--settings", str(one))
    assert finished.status == 0, finished.said[-3000:]
    assert "found after an unclean end" in finished.said
    campaign.check_report()
    assert campaign.statuses() == Counter(delivered=rows)
    assert {one["to"] for one in world.server.received()} == set(campaign.addresses)
    unknown = {attempt["email"] for attempt in campaign.attempts() if attempt["result"] == "unknown"}
    assert {to for to, ids in world.server.ids().items() if len(ids) > 1} <= unknown
    assert len(unknown) <= 6 * 4, "only what had its dot on the wire is ambiguous"
    helper.signal(signal.SIGTERM)
    assert helper.wait().status == 3


def test_postgresql_is_stopped_and_started_again_while_two_machines_send(world, own_pg_server, until):
    """Nothing is lost, nothing is sent twice, and no machine is declared gone for the server's absence."""
    dsn, rows = own_pg_server.fresh(), 6000
    shaping = {"shaping": {"default": {"connections": 6, "rate": "300/s,burst=5", "connection_rate": "1000/s"}}}
    one, two = (machine(world, dsn, name, **shaping) for name in ("one", "two"))
    campaign = world.campaign("spring", people(rows))
    helper = world.start("--settings", str(two))
    owner = world.start("-c", str(campaign.yaml), "--settings", str(one))
    until(lambda: world.server.count() > rows * 0.2, "the first messages")
    own_pg_server.stop()
    until(lambda: "sending is paused" in owner.said() and "sending is paused" in helper.said(), "both to pause")
    own_pg_server.start()
    finished = owner.wait()
    assert finished.status == 0, finished.said[-3000:]
    campaign.check_report()
    assert campaign.statuses() == Counter(delivered=rows)
    assert Counter(map(len, world.server.ids().values())) == Counter({1: rows})
    assert helper.process.poll() is None
    helper.signal(signal.SIGTERM)
    assert helper.wait().status == 3


def test_the_database_fails_over_to_its_standby(world, pg_pair, until):
    """What the primary had confirmed the standby has: nobody is lost, and a double needs an unanswered attempt."""
    dsn, rows = pg_pair.fresh(), 6000
    world.start_mail([f"127.0.1.{n}" for n in range(1, 5)], delay=0.01)
    shaping = {"shaping": {"default": {"connections": 6, "rate": "150/s,burst=5", "connection_rate": "1000/s"}}}
    one, two = (machine(world, dsn, name, **shaping) for name in ("one", "two"))
    campaign = world.campaign("spring", people(rows))
    helper = world.start("--settings", str(two))
    owner = world.start("-c", str(campaign.yaml), "--settings", str(one))
    until(lambda: world.server.count() > rows * 0.3, "the first messages")
    pg_pair.primary.stop()
    until(lambda: "sending is paused" in owner.said() and "sending is paused" in helper.said(), "both to pause")
    time.sleep(LEASE)  # their leases run out by their own clocks
    left = world.server.count()
    time.sleep(1.0)
    assert world.server.count() == left, "nothing leaves while nobody knows whose it is"
    pg_pair.standby.promote()
    finished = owner.wait()
    assert finished.status == 0, finished.said[-3000:]
    campaign.check_report()
    assert campaign.statuses() == Counter(delivered=rows)
    assert {one["to"] for one in world.server.received()} == set(campaign.addresses), "somebody was lost"
    unknown = {attempt["email"] for attempt in campaign.attempts() if attempt["result"] == "unknown"}
    assert {to for to, ids in world.server.ids().items() if len(ids) > 1} <= unknown
    assert all(len(set(ids)) == 1 for ids in world.server.ids().values())
    assert helper.process.poll() is None
    helper.signal(signal.SIGTERM)
    assert helper.wait().status == 3
    schema = dsn.rpartition("%3D")[2]
    stored = pg_pair.standby.run(f"SELECT status, count(*) FROM {schema}.outcome GROUP BY 1")
    assert stored == [("delivered", rows)]
    assert pg_pair.standby.run(f"SELECT count(*) FROM {schema}.claim") == [(0,)]
    assert pg_pair.standby.run(f"SELECT count(*) FROM {schema}.due") == [(0,)]


def test_stopping_a_campaign_costs_nobody_who_waits_to_be_composed_elsewhere(world, pg_server, until):
    """The machine that helps leaves it in the middle of composing; what it had not composed is not condemned."""
    dsn, rows = pg_server.fresh(), 6000
    one, two = (machine(world, dsn, name) for name in ("one", "two"))
    long = "<html><body>{% for n in range(3000) %}{{ n }} {{ first_name }} {% endfor %}</body></html>\n"
    campaign = world.campaign("spring", people(rows), html=long)
    helper = world.start("--settings", str(two))
    owner = world.start("-c", str(campaign.yaml), "--settings", str(one))
    until(lambda: "helps to send spring" in helper.said() and world.server.count() > 50, "both to be at it")
    owner.signal(signal.SIGTERM)
    assert owner.wait().status == 3
    until(lambda: "spring is stopped" in helper.said(), "it to leave")
    helper.signal(signal.SIGTERM)
    assert helper.wait().status == 3
    schema = dsn.rpartition("%3D")[2]
    found = dict(pg_server.run(f"SELECT status, count(*) FROM {schema}.outcome GROUP BY 1"))
    assert set(found) == {"delivered"}
    assert pg_server.run(f"SELECT count(*) FROM {schema}.claim") == [(0,)]


def test_once_ends_after_the_first_attempts_of_all_machines(world, pg_server, until):
    """Whoever waits for a retry, or for a site that cannot be used, remains; the next run goes on with them."""
    dsn = pg_server.fresh()
    hosts = {f"mx{n}.test": f"127.0.1.{n + 1}" for n in range(4)} | {"gone.test": "127.0.1.99"}
    domains = {f"d{n}.test": [f"mx{n % 4}.test"] for n in range(20)} | {"dead.test": ["gone.test"]}
    world.start_names(domains, hosts)
    retry = {"retry": {"schedule": ["10m"], "unknown_after": "4s", "greylist_after": "10m"}}
    one, two = (machine(world, dsn, name, **retry) for name in ("one", "two"))
    addresses = [
        *people(900),
        *(f"later-{n}@d{n % 20}.test" for n in range(60)),
        *(f"u{n}@dead.test" for n in range(9)),
    ]
    campaign = world.campaign("spring", addresses)
    helper = world.start("--settings", str(two))
    first = world.run("-c", str(campaign.yaml), "--settings", str(one), "--once")
    assert first.status == 3, first.said[-3000:]
    assert campaign.statuses() == Counter(delivered=900, deferred=61, pending=8)
    assert "helps to send spring" in helper.said()
    assert "spring is stopped" in until(lambda: "spring is stopped" in helper.said() and helper.said(), "it to leave")
    attempts = Counter(attempt["attempt"] for attempt in campaign.attempts())
    assert attempts == Counter({"1": 961})
    helper.signal(signal.SIGTERM)
    assert helper.wait().status == 3


def test_what_is_known_of_a_site_is_known_to_whoever_sends_to_it_until_it_is_forgotten(world, pg_server, until):
    """A site that had complained to another machine gets a twentieth of the rate; `forget` gives it the whole again."""
    dsn = pg_server.fresh()
    shaping = {"shaping": {"default": {"connections": 6, "rate": "100/s,burst=5", "connection_rate": "1000/s"}}}
    one, two = (machine(world, dsn, name, **shaping) for name in ("one", "two"))
    campaign = world.campaign("spring", people(1200))
    helper = world.start("--settings", str(two))
    schema = dsn.rpartition("%3D")[2]
    until(lambda: helper.process.poll() is None and _machines(pg_server, schema), "it to be at work")
    key = site_key([MxHost(10, "mx0.test", ())])
    fact = f"'{key}', 'rate', 0.05, {time.time()}, {time.time() + 3600}"
    pg_server.run(f"INSERT INTO {schema}.site_facts VALUES ({fact})")
    owner = world.start("-c", str(campaign.yaml), "--settings", str(one))
    until(lambda: world.server.count() >= 900, "the others to have theirs")
    slow = [message for message in world.server.received() if message["ip"] == "127.0.1.1"]
    assert len(slow) < 100, "a twentieth of 100/s"
    assert key in world.bulkmail("status", "--sites", "--settings", str(two)).out
    assert world.bulkmail("forget", "mx0.test", "--settings", str(two)).out == "1 fact is forgotten\n"
    forgotten = time.time()
    finished = owner.wait()
    assert finished.status == 0, finished.said[-3000:]
    times = [message["at"] for message in world.server.received() if message["ip"] == "127.0.1.1"]
    times = sorted(at for at in times if at > forgotten)
    quickest = min(later - one for one, later in zip(times, times[20:], strict=False))
    assert quickest < 2, "at 5/s twenty messages take 3 s at least"
    assert world.bulkmail("status", "--sites", "--settings", str(two)).out == "nothing is remembered of any site\n"
    helper.signal(signal.SIGTERM)
    assert helper.wait().status == 3


def _machines(server, schema):
    return server.run(f"SELECT to_regclass('{schema}.machine')") != [(None,)] and server.run(
        f"SELECT 1 FROM {schema}.machine WHERE state = 'live'"
    )


def test_a_campaign_is_sent_from_one_folder(world, pg_server, until):
    dsn = pg_server.fresh()
    one, two = (machine(world, dsn, name) for name in ("one", "two"))
    campaign = world.campaign("spring", people(40), more="")
    world.start_mail([f"127.0.1.{n}" for n in range(1, 5)], delay=1.0)
    one, two = (machine(world, dsn, name, shaping={"default": {"connections": 1}}) for name in ("one", "two"))
    owner = world.start("-c", str(campaign.yaml), "--settings", str(one))
    until(lambda: world.server.count() > 0, "the first message")
    second = world.run("-c", str(campaign.yaml), "--settings", str(two))
    assert second.status == 1
    assert "'spring' is being sent from machine one" in second.said
    status = world.bulkmail("status", "--settings", str(two))
    assert "spring: sending, 40 rows" in status.out
    owner.signal(signal.SIGTERM)
    assert owner.wait().status == 3
    assert "spring: stopped" in world.bulkmail("status", "--settings", str(two)).out


def test_without_a_campaign_a_folder_is_no_spool_to_wait_at(world):
    ended = world.run("--settings", str(world.settings()))
    assert ended.status == 2
    assert "spool must be postgresql://" in ended.err


def test_a_pause_and_a_cancel_are_obeyed_by_every_machine(world, pg_server, until):
    """Both are rows of the shared spool, written by a command; from a second later on no machine begins a message."""
    dsn, rows = pg_server.fresh(), 20_000
    hosts = {f"mx{n}.d{n}.test": f"127.0.1.{n % 6 + 1}" for n in range(20)}
    world.start_names({f"d{n}.test": [f"mx{n}.d{n}.test"] for n in range(20)}, hosts)
    world.start_mail(sorted(set(hosts.values())), delay=0.01)
    shaping = {"shaping": {"default": {"connections": 4, "rate": "100/s", "connection_rate": "1000/s"}}}
    configs = [machine(world, dsn, name, hostname=f"{name}.example.com", **shaping) for name in ("one", "two")]
    campaign = world.campaign("spring", people(rows))
    owner = world.start("-c", str(campaign.yaml), "--settings", str(configs[0]))
    until(lambda: world.server.count() > 100, "the first messages")
    helper = world.start("--settings", str(configs[1]))
    until(lambda: len({one["helo"] for one in world.server.received()[-200:]}) == 2, "both to send")

    paused = time.time()
    hold_campaign(dsn, "spring", now=paused, reason="for a test", who="ann")
    time.sleep(4.0)
    resumed = time.time()
    assert [one for one in world.server.received() if one["mail_at"] > paused + 1.0] == []
    lift_hold(dsn, "spring", now=resumed)
    since = lambda: {one["helo"] for one in world.server.received() if one["at"] > resumed}  # noqa: E731
    until(lambda: since() == {"one.example.com", "two.example.com"}, "both to go on")

    cancelled = time.time()
    request_cancel(dsn, "spring", now=cancelled, who="ann")
    ended = owner.wait()
    helper.signal(signal.SIGTERM)
    helper.wait()
    assert ended.status == 3, ended.said[-3000:]
    campaign.check_report()
    received = world.server.received()
    assert [one for one in received if one["mail_at"] > cancelled + 1.0] == []
    assert {one["to"] for one in received} == {row["email"] for row in campaign.rows() if row["status"] == "delivered"}
    statuses = campaign.statuses()
    assert statuses == Counter(delivered=len(received), cancelled=rows - len(received))
    assert campaign.summary()["state"] == "cancelled"


def test_a_change_is_accepted_on_any_machine(world, pg_server, until):
    """The machine that is asked has not the folder; the one that has it takes the change."""
    dsn = pg_server.fresh()
    world.start_mail([f"127.0.1.{n}" for n in range(1, 5)])
    slow = {"shaping": {"default": {"rate": "2/s", "connections": 1}}}
    one, two = (machine(world, dsn, name, **slow) for name in ("one", "two"))
    campaign = world.campaign("spring", people(200))
    owner = world.start("-c", str(campaign.yaml), "--settings", str(one))
    until(lambda: world.server.count() > 0, "the first message")
    helper = world.start("--settings", str(two))
    until((world.folder / "two" / "control.sock").exists, "the helper's socket")
    with campaign.yaml.open("a") as file:
        file.write("envelope_from: new@example.com\n")

    accepted = world.bulkmail("accept", "spring", "--settings", str(two))
    assert accepted.status == 0, accepted.said
    assert "The machine that has its folder takes what was changed there" in accepted.out
    until(lambda: any(one["sender"] == "new@example.com" for one in world.server.received()), "the change to be sent")
    assert "envelope_from was added; taken for the rows that are still to be sent" in owner.said()
    for process in (owner, helper):
        process.signal(signal.SIGTERM)
        process.wait()


def test_the_better_variant_is_chosen_on_one_machine_and_sent_by_both(world, pg_server, until):
    dsn, rows = pg_server.fresh(), 600
    hosts = {f"mx{n}.d{n}.test": f"127.0.1.{n % 6 + 1}" for n in range(20)}
    world.start_names({f"d{n}.test": [f"mx{n}.d{n}.test"] for n in range(20)}, hosts)
    world.start_mail(sorted(set(hosts.values())), delay=0.01)
    shaping = {"shaping": {"default": {"connections": 4, "rate": "10/s", "connection_rate": "1000/s"}}}
    configs = []
    for name in ("one", "two"):  # with a lease that no busy system outlasts: none is to be taken for dead
        own = {"machine": {"name": name, "folder": f"./{name}", "lease": "60s"}, "hostname": f"{name}.example.com"}
        configs.append(machine(world, dsn, name, **own, **shaping))
    more = 'variants: {a: {share: 30%}, b: {share: 30%, subject: "Last chance"}}\nwinner: {after: 1s, by: manual}\n'
    campaign = world.campaign("spring", people(rows), more=more)
    variants = Variants([("a", 300_000, False), ("b", 300_000, False)])
    rest = {one for one in campaign.addresses if variants.of(one) == REST}
    owner = world.start("-c", str(campaign.yaml), "--settings", str(configs[0]))
    until(lambda: world.server.count() > 0, "the first message")
    helper = world.start("--settings", str(configs[1]))
    until(lambda: "helps to send spring" in helper.said(), "the helper")
    waits = lambda: world.bulkmail("status", "spring", "--settings", str(configs[1]))  # noqa: E731
    until(lambda: "Waiting for a choice" in waits().out, "the wait", every=0.5)
    assert not rest & {one["to"] for one in world.server.received()}

    chosen = world.bulkmail("choose", "spring", "b", "--by", "ann", "--settings", str(configs[1]))
    assert chosen.status == 0, chosen.said
    ended = owner.wait()
    helper.signal(signal.SIGTERM)
    helper.wait()
    assert ended.status == 0, ended.said[-3000:]
    campaign.check_report()
    received = world.server.received()
    assert {one["helo"] for one in received if one["to"] in rest} == {"one.example.com", "two.example.com"}
    assert Counter(one["to"] for one in received) == Counter(campaign.addresses)
    chance = [path for path in world.server.kept.iterdir() if b"\r\nSubject: Last chance\r\n" in path.read_bytes()]
    assert len(chance) == sum(variants.of(one) in ("b", REST) for one in campaign.addresses)
    assert {row["variant"] for row in campaign.rows() if row["email"] in rest} == {"b"}
    assert campaign.summary()["winner"] == {"variant": "b", "why": "chosen by ann"}


def test_who_was_put_off_is_tried_at_once_by_whoever_sends_there_and_all_pages_count_the_same(world, pg_server, until):
    """Each machine obeys what the other was told, and counts the rows of both."""
    pytest.importorskip("prometheus_client", reason="prometheus-client is not installed (the extra `metrics`)")
    dsn = pg_server.fresh()
    hosts = {f"mx{n}.d{n}.test": f"127.0.1.{n % 6 + 1}" for n in range(20)}
    world.start_names({f"d{n}.test": [f"mx{n}.d{n}.test"] for n in range(20)}, hosts)
    world.start_mail(sorted(set(hosts.values())), delay=0.01)
    write_users(str(world.folder / "web-users"), {"ann": User("ann", Role.LOOK, hash_password("horse", b"s" * 16))})
    ports = {name: free_port() for name in ("one", "two")}
    configs = {}
    for name, port in ports.items():  # with a lease that no busy system outlasts: none is to be taken for dead
        own = {"machine": {"name": name, "folder": f"./{name}", "lease": "60s"}, "hostname": f"{name}.example.com"}
        own["shaping"] = {"default": {"connections": 4, "rate": "20/s", "connection_rate": "1000/s"}}
        web = {"listen": f"127.0.0.1:{port}", "users": str(world.folder / "web-users")}
        configs[name] = machine(world, dsn, name, **own, retry={"schedule": ["1h"]}, web=web)
    kinds = [f"{kind}-{n}@d{n % 20}.test" for n in range(200) for kind in ("user", "later")]
    # half of them are put off: no rest is to wait for that
    campaign = world.campaign("spring", kinds, more="canary: none\n")
    owner = world.start("-c", str(campaign.yaml), "--settings", str(configs["one"]))
    until(lambda: world.server.count() > 0, "the first message")
    helper = world.start("--settings", str(configs["two"]))
    clients = {name: Client(str(world.folder / name)) for name in ports}
    until((world.folder / "two" / "control.sock").exists, "the helper's socket")

    def counts(name):
        found = clients[name].get("campaigns", "spring")["by_status"]
        return {status: count for status, count in found.items() if count}

    wanted = {"delivered": 200, "deferred": 200}
    until(lambda: counts("one") == wanted, "the first tries", every=0.3)
    assert counts("two") == wanted
    sent = [one["helo"] for one in world.server.received()]
    assert set(sent) == {"one.example.com", "two.example.com"}
    for port in ports.values():
        told = metrics_of(port)
        rows = {status: told[f'bulkmail_campaign_rows{{campaign="spring",status="{status}"}}'] for status in wanted}
        assert rows == wanted
        assert sum(count for name, count in told.items() if name.startswith("bulkmail_campaign_rows{")) == 400

    asked = time.time()
    tried = world.bulkmail("try-now", "spring", "--settings", str(configs["two"]))
    assert tried.out.startswith("spring: 200 deferred rows are tried at once."), tried.said
    ended = owner.wait()
    helper.signal(signal.SIGTERM)
    helper.wait()
    assert ended.status == 0, ended.said[-3000:]
    campaign.check_report()
    assert campaign.statuses() == Counter(delivered=400)
    assert Counter(map(len, world.server.ids().values())) == Counter({1: 400})
    again = {one["helo"] for one in world.server.received() if one["at"] > asked}
    assert again == {"one.example.com", "two.example.com"}


def metrics_of(port):
    """What a machine's page tells programs."""
    given = base64.b64encode(b"ann:horse").decode("ascii")
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Basic {given}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        lines = answer.read().decode("utf-8").splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines) if name[:1] != "#"}


def test_a_new_source_has_one_budget_a_day_on_two_machines(world, pg_server, until):
    """Both send from one source that warms up, as behind a proxy that both use: together no more than its day's."""
    dsn, budget = pg_server.fresh(), 800
    source = {"name": "new", "address": "127.0.2.9", "warmup": {"start": "2026-01-01", "plan": [budget, 2000]}}
    shared = {"sources": [source], "shaping": {"default": {"rate": "25/s"}}}
    configs = [machine(world, dsn, name, hostname=f"{name}.example.com", **shared) for name in ("one", "two")]
    campaign = world.campaign("spring", people(2000), more="canary: none\n")
    owner = world.start("-c", str(campaign.yaml), "--settings", str(configs[0]))
    until(world.server.count, "the first messages")
    helper = world.start("--settings", str(configs[1]))
    until(lambda: b"two.example.com" in world.server.record.read_bytes(), "the helper to send")
    explain = ("explain", "d0.test", "--settings", str(configs[0]))
    told = f"{budget} of today's {budget} messages are used, {budget} delivered"
    until(lambda: told in world.bulkmail(*explain).said, "the day's messages to be sent")
    assert world.server.count() == budget
    for one in (owner, helper):
        one.signal(signal.SIGTERM)
        one.wait()
    assert world.server.count() == budget
