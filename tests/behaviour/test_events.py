"""Events on their way to another system: the sender and `bulkmail tail` are both killed, and nothing is missing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bulkmail.control import Client, RequestProblem

pytestmark = [pytest.mark.loopback]

SECRET = b"0123456789abcdef0123456789abcdef"
ROWS = 300


class Receiver(ThreadingHTTPServer):
    """Takes webhooks; is dead as long as ``dead``, and fails each third one after it has read it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)
        self.dead = True
        self.asked = 0
        self.taken: list[tuple[str, list[dict[str, Any]]]] = []
        self.lock = threading.Lock()


class _Requests(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name, at = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        digest = hmac.new(SECRET, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
        signed = self.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
        with self.server.lock:
            self.server.asked += 1
            good = signed and not self.server.dead
            if good:
                self.server.taken.append((name, json.loads(body)["data"]["events"]))
            self.send_response(200 if good and self.server.asked % 3 else 503)
        self.send_header("Retry-After", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Any:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_every_outcome_is_passed_on_over_kills_of_both(world: Any, until: Any, receiver: Receiver) -> None:
    kinds = {0: "bounce", 1: "later", 2: "later"}
    addresses = [f"{kinds.get(n % 30, 'user')}-{n}@d{n % 5}.test" for n in range(ROWS)]
    campaign = world.campaign("spring", addresses)
    world.start_mail(["127.0.1.1"], delay=0.005)
    world.start_names({f"d{n}.test": ["mx.test"] for n in range(5)}, {"mx.test": "127.0.1.1"})
    world.settings(events={"record": True})
    (world.folder / "secret").write_text(f"whsec_{base64.b64encode(SECRET).decode()}\n")
    url = f"http://127.0.0.1:{receiver.server_port}/events"
    words = ("bulkmail", "tail", "--from", "point", "--post", url, "--secret", "secret", "--batch", "50")

    sending = world.start("-c", "spring")
    until(lambda: world.server.count() > ROWS / 4, "a quarter of the messages")
    tail = world.start(command=words)
    until(lambda: receiver.asked, "a first post, to an endpoint that is dead")
    sending.kill_group()
    tail.process.send_signal(signal.SIGKILL)
    tail.process.wait()

    tail = world.start(command=words)
    receiver.dead = False
    ended = world.run("-c", "spring")
    assert ended.status == 0, ended.said[-2000:]
    until(lambda: len({one["seq"] for _, some in receiver.taken for one in some}) > ROWS / 2, "half of the events")
    tail.process.send_signal(signal.SIGKILL)
    tail.process.wait()
    rest = world.start("--once", command=words).wait()
    assert rest.status == 0, rest.said

    campaign.check_report()
    batches = dict(receiver.taken)
    for name, some in receiver.taken:
        assert batches[name] == some, "what is posted again is the same, under the same name"
    events = [event for some in batches.values() for event in some]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1)), "in order, and none is missing"
    told = [(one["email"], one["attempt"], one["event"]) for one in events if one["row"]]
    names = {"delivered": "delivered", "deferred": "deferred", "failed": "bounced", "unknown": "deferred"}
    lines = [(one["email"], int(one["attempt"]), names[one["result"]]) for one in campaign.attempts()]
    assert sorted(told) == sorted(lines), "an event for each attempt, and no other"
    states = [one["event"] for one in events if not one["row"]]
    assert states == ["campaign_started", "campaign_stopped", "campaign_started", "campaign_finished"]
    ids = {row["email"]: row["message_id"] for row in campaign.rows()}
    assert {one["email"]: one["message_id"] for one in events if one["row"]} == ids
    assert {one["site"] for one in events if one["event"] == "delivered"} == {"mx.test"}


def test_the_service_is_asked_for_its_events(world: Any, until: Any) -> None:
    world.settings(events={"record": True}, shaping={"default": {"rate": "5/s"}})  # for each of four sites
    world.campaign("spring", [f"user-{n}@d{n % 20}.test" for n in range(240)])
    running = world.start("-c", "spring")
    until(lambda: world.server.count() >= 5, "the first messages")
    client = Client(str(world.folder / "spool"))
    until(lambda: client.get("events")["newest"] >= 5, "events")
    first = client.get("events", most="3")
    rest = client.get("events", after="3", most="2")
    assert [event["seq"] for event in first["events"] + rest["events"]] == [1, 2, 3, 4, 5]
    assert (first["events"][0]["event"], rest["events"][0]["event"]) == ("campaign_started", "delivered")
    with pytest.raises(RequestProblem, match="after must be a whole number") as refused:
        client.get("events", after="-1")
    assert refused.value.status == 400
    running.signal(signal.SIGTERM)
    assert running.wait().status == 3
