"""Reports that real mail servers write when the next one refuses, read by bulkmail.returns."""

from __future__ import annotations

import smtplib
import time

import pytest

from bulkmail.mail import Category
from bulkmail.returns import Kind, Source, Weight, read
from tests.interop import configurations
from tests.interop.servers import PATIENCE
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
    more = {"relay": far}
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
