"""Reports that real mail servers write when the next one refuses, read by bulkmail.returns."""

from __future__ import annotations

import smtplib
import time

import pytest

from bulkmail.mail import Category
from bulkmail.returns import Kind, Source, Weight, read
from tests.interop import configurations
from tests.interop.servers import PATIENCE, greets
from tests.ports import free_port
from tests.returns.samples import CAMPAIGN, HEADER, TOKEN

pytestmark = [pytest.mark.interop, pytest.mark.loopback, pytest.mark.slow]

PATH = f"bounces+{TOKEN}@in.interop.test"
MESSAGE = f"{HEADER}\nHello,\nspring is here.\n".replace("\n", "\r\n").encode()


def reports(server, recipients, options=()):
    """Hand the server a letter for each recipient, one by one; return what it sent back, by recipient."""
    given = {}
    for recipient in recipients:
        before = {path.name for path in server.kept.iterdir()} if server.kept.is_dir() else set()
        with smtplib.SMTP("127.0.0.1", server.port, timeout=PATIENCE) as client:
            client.sendmail(PATH, [recipient], MESSAGE, rcpt_options=list(options))
        deadline = time.monotonic() + 60
        while not (new := {path.name for path in server.kept.iterdir()} - before if server.kept.is_dir() else set()):
            assert time.monotonic() < deadline, f"no report about {recipient}: {server.log()}"
            time.sleep(0.05)
        given[recipient] = read((server.kept / new.pop()).read_bytes(), recipient=PATH, sender="")
    return given


REFUSED = {
    "bounce@far.test": (550, "5.1.1", Category.BAD_MAILBOX, Weight.HARD),
    "reject@far.test": (550, "5.7.1", Category.POLICY, Weight.BLOCKED),
}
GIVEN_UP = {"busy@far.test": (451, "4.3.0", Category.OTHER, Weight.SOFT)}


@pytest.mark.parametrize("name", ["postfix", "exim", "opensmtpd"])
def test_reports_of_refusals(name, start_server):
    far = str(start_server("aiosmtpd", connections=10, messages=100).port)
    more = {"routes": {"far.test": f"127.0.0.1:{far}"}}
    wanted = REFUSED | (GIVEN_UP if name != "opensmtpd" else {})  # OpenSMTPD gives up after four days
    if name == "postfix":
        more = {
            "more": configurations.POSTFIX_RELAY.format(port=far),
            "services": configurations.POSTFIX_RELAY_SERVICE,
        }
    server = start_server(name, connections=10, messages=100, **more)
    for recipient, given in reports(server, wanted).items():
        assert given.kind is Kind.FAILED, given
        assert given.token == TOKEN
        assert given.copy.message_id == f"{CAMPAIGN}.{TOKEN}@example.com"
        assert given.candidates[1].source is Source.MESSAGE_ID
        block = given.block_for(recipient)
        assert block is not None, given
        assert (block.code, block.enhanced, block.category, block.weight) == wanted[recipient], block


def test_reports_of_success(start_server):
    far = str(start_server("aiosmtpd", connections=10, messages=100).port)
    server = start_server(
        "postfix",
        connections=10,
        messages=100,
        more=configurations.POSTFIX_RELAY.format(port=far),
        services=configurations.POSTFIX_RELAY_SERVICE,
    )
    given = reports(server, ["ok@far.test"], ["NOTIFY=SUCCESS,FAILURE"])["ok@far.test"]
    assert given.kind is Kind.RELAYED
    block = given.block_for("ok@far.test")
    assert block is not None
    assert block.weight is None


OTHERS = ["exim", "opensmtpd", "sendmail", "courier"]  # beside Postfix, see test_postfix.py


def relaying(start_server, name, refuses, returns):
    """A server that takes all, passes on what is to d0.test, and returns to the inbound domain."""
    routes = {"d0.test": f"127.0.1.1:{refuses}", "bounces.example.com": returns}
    return start_server(name, connections=50, messages=1000, routes=routes)


@pytest.mark.parametrize("name", OTHERS)
def test_what_it_returns_comes_to_the_recipients_own_return_path(name, world, start_server, until):
    world.start_mail(["127.0.1.1"])
    port = world.server.port
    server = relaying(start_server, name, port, f"127.0.1.1:{port}")
    world.start_names({"d0.test": ["mx.interop.test"]}, {"mx.interop.test": "127.0.0.1"})
    world.settings(port=server.port, inbound={"domains": ["bounces.example.com"]})
    campaign = world.campaign("spring", ["bounce-Anna+tag=x@d0.test"])

    ended = world.run("-c", "spring")

    assert ended.status == 0, ended.said[-4000:]
    (row,) = campaign.rows()
    assert row["status"] == "delivered", "it is known later only"
    until(lambda: world.server.count() == 1, f"the report of {name}")
    (report,) = world.server.received()
    assert (report["sender"], report["to"]) == ("", f"bounces+{row['token']}@bounces.example.com")


@pytest.mark.parametrize("name", OTHERS)
def test_what_it_returns_finds_its_row(name, world, start_server, until):
    """It takes every message, the next server refuses two, and its reports come into our own inbound server."""
    world.start_mail(["127.0.1.1"])
    port = free_port()
    server = relaying(start_server, name, world.server.port, f"127.0.0.1:{port}")
    world.start_names({"d0.test": ["mx.interop.test"]}, {"mx.interop.test": "127.0.0.1"})
    world.settings(port=server.port, inbound={"domains": ["bounces.example.com"], "listen": [f"127.0.0.1:{port}"]})
    (world.folder / "campaigns").mkdir()
    running = world.start("--watch", "campaigns")
    until(lambda: greets("127.0.0.1", port), "the inbound server")
    sent = ["bounce-Anna+tag=x@d0.test", "user-bob@d0.test", "reject-carol@d0.test"]
    campaign = world.campaign("spring", sent, more="bounces: each\n", parent=world.folder / "campaigns")

    def returned() -> bool:
        assert running.process.poll() is None, running.said()
        there = (campaign.report / "recipients.csv").exists()
        return there and campaign.statuses() == {"delivered": 1, "bounced": 1, "blocked": 1}

    until(returned, f"two of three to be returned by {name}", PATIENCE)
    rows = {row["email"]: (row["status"], row["category"], row["stage"], row["smtp_code"]) for row in campaign.rows()}
    assert rows[sent[0]] == ("bounced", "bad-mailbox", "dsn", "550")
    assert rows[sent[1]][:2] == ("delivered", "")
    assert rows[sent[2]][0::2] == ("blocked", "dsn")
    running.process.terminate()
    running.wait()
