"""What a real spool and real settings answer; the steering is a stand-in, its own tests are elsewhere."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from pydantic import TypeAdapter
from twisted.internet.defer import Deferred, succeed

from bulkmail.control.answers import Answers, Owners
from bulkmail.control.http import Call
from bulkmail.control.operations import OPERATIONS
from bulkmail.control.problems import RequestProblem
from bulkmail.delivery import Asked, LiveSite, MetHost
from bulkmail.delivery.lifecycle.accepting import Changed
from bulkmail.mail import Problem, Refused, UnknownName, WrongState
from bulkmail.routing import MxHost, RouteFailure, Site
from bulkmail.settings import Settings, changes
from bulkmail.spool import Reader, SiteFact, SqliteStore, Tried

NOW = 1796133900.0
_HOST = MetHost("mx.google.example", "192.0.2.7", "", "", "", "", "may", NOW, NOW, "421 no", NOW + 60, ["slow"])
BY_NAME = {operation.name: operation for operation in OPERATIONS}


class Steered:
    def __init__(self):
        self.asked = []

    async def pause(self, name, **order):
        self.asked.append(("pause", name, order))

    async def resume(self, name, **order):
        self.asked.append(("resume", name, order))

    async def cancel(self, name, **order):
        self.asked.append(("cancel", name, order))

    async def release(self, name, kind, **order):
        self.asked.append(("release", name, kind, order))

    async def choose(self, name, variant, **order):
        self.asked.append(("choose", name, variant, order))

    async def try_now(self, name, **order):
        self.asked.append(("try-now", name, order))
        return Tried(3, 1)

    async def ask(self, name, **order):
        self.asked.append(("accept", name, order))
        return Asked(Changed(name, ["body.txt.j2 changed"], 1, 3), taken=True)

    async def remove(self, name, *, without_report):
        assert not without_report
        raise WrongState(f"{name} is running")


class Suppressed:
    """The spool's front without a thread."""

    def __init__(self, path):
        self.path = path

    def __getattr__(self, name):
        def call(*given, **named):
            store = SqliteStore(self.path)
            try:
                return succeed(getattr(store, name)(*given, **named))
            finally:
                store.close()

        return call


@pytest.fixture
def asked(tmp_path):
    store = SqliteStore(str(tmp_path / "spool.sqlite3"))
    made = store.create_campaign(
        "spring", "/c", key=b"k" * 32, content={}, digests={}, files=[("r.csv", ["email"])], now=NOW
    )
    rows = [(1, 0, 1, "ann@a.example", "a.example", json.dumps(["ann@a.example"]), "ok", "")]
    store.add_rows(made.id, rows, {}, True, NOW)
    store.close()
    reader = Reader(str(tmp_path))
    site = LiveSite("mx.a.example", "mx.a.example~1", "", "ready", "", None, None, 1, 1, 1, "receiver")
    of_google = site._replace(site="mx.google.example", key="mx.google.example~1", provider="google")
    live = SimpleNamespace(
        campaigns=dict,
        sites=lambda most=None, provider=None: (
            [one for one in (site, of_google) if one.provider == provider][:most] if provider else [site][:most]
        ),
        named=lambda name: [site] if name in (site.site, site.key) else [],
        of_key=lambda key: [site] if key == site.key else [],
        waiting=lambda most: [site][most:],
        limiters=lambda _: [],
        hosts=lambda provider, most: [_HOST][:most] if provider == "google" else [],
        fault="",
        fault_since=None,
        unattributed={"failed": 1},
    )

    async def route(domain):
        if domain == "a.example":
            return Site("mx.a.example~1", (MxHost(10, "mx.a.example", ()),), "", "mx.a.example")
        return RouteFailure(True, "bad-domain", f"the domain {domain} does not exist (NXDOMAIN)")

    steered, reloads = Steered(), []

    def reload():
        return reloads[-1]()

    answers = Answers(
        Owners(
            read=lambda work: succeed(work(reader)),
            live=live,
            steering=steered,
            accepting=steered,
            settings=Settings,
            route=route,
            wall=lambda: NOW,
            machine="mta1",
            process=42,
            started_at=NOW - 60,
            suppressions=Suppressed(str(tmp_path / "spool.sqlite3")),
            reload=reload,
            choose=steered.choose,
            try_now=steered.try_now,
        )
    )

    def ask(name, *, path=None, query=None, order=None):
        operation = BY_NAME[name]
        if operation.order is not None:
            order = operation.order.model_validate(order or {})
        done = []
        work = Deferred.fromCoroutine(answers(Call(operation, path or {}, query or {}, order)))
        work.addBoth(done.append)
        (answer,) = done
        if hasattr(answer, "raiseException"):
            answer.raiseException()
        return TypeAdapter(operation.answer).validate_python(answer) and answer

    ask.steered, ask.reloads, ask.database = steered, reloads, str(tmp_path / "spool.sqlite3")
    yield ask
    reader.close()


def test_the_hosts_of_a_provider_are_told(asked):
    (host,) = asked("hosts_of", path={"name": "google"})
    assert (host["host"], host["state"], host["tls"], host["tls_policy"]) == (
        "mx.google.example",
        "failed",
        "none",
        "may",
    )
    assert (host["why"], host["learnt"]) == ("421 no", ["slow"])
    assert host["until"] > host["failed_at"]
    assert asked("hosts_of", path={"name": "google"}, query={"most": "0"}) == []
    with pytest.raises(UnknownName, match="google"):
        asked("hosts_of", path={"name": "gogle"})


def test_every_operation_has_an_answer():
    rooms = ("/suppressions", "/sites/", "/policies/", "/events", "/trace")
    elsewhere = {name for name in BY_NAME if BY_NAME[name].path.startswith(rooms)}
    elsewhere |= {"recent", "variants", "over_time", "over_time_of", "rows", "rows_of", "replied", "domains"}
    elsewhere |= {"hosts_of", "unfetched_of", "best", "bests"}
    assert not [name for name in BY_NAME if not hasattr(Answers, f"_{name}") and name not in elsewhere]


def test_suppressions_are_asked_of_the_spool(asked):
    assert asked("suppress", order={"entries": [{"address": "ann@a.example"}]}) == {"changed": 1}
    assert asked("suppressions", query={"address": "ann@a.example"})[0]["reason"] == "listed"


def test_what_is_read(asked):
    assert [found["campaign"] for found in asked("campaigns")] == ["spring"]
    assert asked("campaign", path={"name": "spring"})["situation"]["word"] == "ready"
    assert asked("recipients", query={"email": "ann@a.example"})[0]["status"] == "pending"
    assert asked("sites")[0]["site"] == "mx.a.example"
    assert asked("sites", query={"most": "0"}) == []
    assert [one["site"] for one in asked("sites_of", path={"name": "google"})] == ["mx.google.example"]
    assert asked("sites_of", path={"name": "google"}, query={"most": "0"}) == []
    with pytest.raises(UnknownName):
        asked("sites_of", path={"name": "gogle"})
    assert asked("recent", path={"name": "spring"})["attempts"] == 0
    with pytest.raises(UnknownName):
        asked("recent", path={"name": "sprin"})
    google = next(found for found in asked("providers") if found["provider"] == "google")
    assert (google["connections"], google["tls"], google["open"]) == (5, "required", 0)
    health = asked("health")
    assert (health["machine"], health["process"], health["fault"]) == ("mta1", 42, "")
    assert health["unattributed"] == {"failed": 1}
    assert asked("openapi")["openapi"] == "3.1.0"


def test_what_is_explained(asked):
    for of in ("a.example", "ann@a.example", "mx.a.example"):
        assert asked("explain", query={"of": of})["binds"] == "receiver"
    assert asked("explain", query={"of": "google"})["provider"] == "google"
    assert asked("explain", query={"of": "google"})["binds"] == "receiver"
    assert asked("explain", query={"of": "google"})["key"] == ""
    assert asked("explain", query={"of": "a.example"})["key"].startswith("mx.a.example~")
    assert "NXDOMAIN" in asked("explain", query={"of": "gone.example"})["sentence"]
    with pytest.raises(Exception, match="neither a domain nor an address"):
        asked("explain", query={"of": "gogle"})


def test_what_was_learnt_of_a_site_or_provider_is_explained(asked):
    store = SqliteStore(asked.database)
    facts = ["gone.mx.example~1", "provider google", "provider google from b", "provider googly", "mx.a.example~1"]
    store.remember([SiteFact(of, "pace", 0.5, NOW, NOW + 60) for of in facts])
    store.close()
    learnt = {of: len(asked("explain", query={"of": of})["learnt"]) for of in ("google", "a.example", "mx.a.example~1")}
    assert learnt == {"google": 2, "a.example": 1, "mx.a.example~1": 1}
    found = asked("explain", query={"of": "gone.mx.example"})  # nothing is sent to it now
    assert (found["site"], len(found["learnt"])) == ("gone.mx.example~1", 1)


def test_what_is_steered(asked):
    name = {"name": "spring"}
    assert asked("pause", path=name, order={"for": "2 hours", "reason": "why", "who": "ann"})["done"] == "paused"
    asked("pause", path=name, order={"provider": "Google"})
    asked("resume", path=name, order={"who": "bob"})
    asked("cancel", path=name)
    assert asked("approve", path=name, order={"who": "ann"})["done"] == "approved"
    assert asked("choose", path=name, order={"variant": "b", "who": "ann"})["done"] == "chosen"
    tried = asked("try_now", path=name, order={"provider": "google", "who": "ann"})
    assert (tried["done"], tried["rows"], tried["doubtful"]) == ("tried now", 3, 1)
    accepted = asked("accept", path=name, order={"who": "ann"})
    assert (accepted["done"], accepted["taken"], accepted["changes"]) == ("accepted", True, ["body.txt.j2 changed"])
    assert (accepted["sent"], accepted["rows"]) == (1, 3)
    assert asked.steered.asked == [
        ("pause", "spring", {"provider": None, "until": NOW + 7200, "reason": "why", "who": "ann"}),
        ("pause", "spring", {"provider": "google", "until": None, "reason": "", "who": ""}),
        ("resume", "spring", {"provider": None, "who": "bob"}),
        ("cancel", "spring", {"reason": "", "who": ""}),
        ("release", "spring", "approval", {"who": "ann"}),
        ("choose", "spring", "b", {"who": "ann"}),
        ("try-now", "spring", {"provider": "google", "site": "", "who": "ann"}),
        ("accept", "spring", {"who": "ann", "now": NOW}),
    ]
    with pytest.raises(WrongState):
        asked("remove", path=name)


def test_an_unknown_campaign_is_told_with_the_nearest(asked):
    with pytest.raises(UnknownName, match="the nearest is 'spring'"):
        asked("campaign", path={"name": "sprig"})


def test_a_reload_names_what_has_changed_and_what_is_wrong_with_its_place(asked):
    new = Settings.model_validate({"hostname": "mta9.example.com", "stop_within": "1s"})
    asked.reloads.append(lambda: changes(Settings(), new))
    found = asked("reload")
    assert (found["live"], found["anew"], found["restart"]) == (["stop_within"], ["hostname"], [])
    assert found["sentences"][0] == "used from now on: stop_within"

    def wrong():
        raise Refused([Problem("/etc/bulkmail.yaml", 3, 7, "retry.schedule: must be a list")])

    asked.reloads.append(wrong)
    with pytest.raises(RequestProblem) as caught:
        asked("reload")
    assert caught.value.status == 422
    assert "nothing was changed" in str(caught.value)
    (error,) = caught.value.plain()["errors"]
    assert error == {"at": "/etc/bulkmail.yaml:3:7", "detail": "retry.schedule: must be a list"}
