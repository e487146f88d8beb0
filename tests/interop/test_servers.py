"""One campaign into each mail server that others wrote, past its limits: told truly, and received to the byte."""

from __future__ import annotations

import base64
import contextlib
import email.parser
import email.policy
import re
from collections import Counter
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization

from bulkmail.content import Composer
from bulkmail.spool import Reader, SqliteStore

pytestmark = pytest.mark.interop

ROWS = 200
MANY = 1000
# what each takes, connections at once and messages on one; how many messages we put on one; whether BDAT may be used.
# We open up to eight connections.
CASES = [
    ("postfix", 2, MANY, MANY, "auto"),
    ("postfix", 2, MANY, MANY, "off"),
    ("exim", 4, MANY, MANY, "auto"),
    ("exim", 4, 20, MANY, "auto"),
    ("exim", MANY, 20, MANY, "off"),
    ("opensmtpd", MANY, 20, MANY, "auto"),
    ("aiosmtpd", MANY, 20, MANY, "auto"),
    ("smtp_server", 4, MANY, MANY, "auto"),
]
LARGE = {5: 30_000, 155: 12_000}  # row -> lines: megabytes, far more than a socket holds
# how an address begins -> (status, category, smtp_code, enhanced_code, stage)
FATES = {
    "user": ("delivered", "", "250", "", "dot"),
    "bounce": ("bounced", "bad-mailbox", "550", "5.1.1", "rcpt"),
    "reject": ("blocked", "policy", "550", "5.7.1", "dot"),
    "busy": ("deferred", "other", "451", "4.3.0", "rcpt"),
}
# the fields that a server puts in front of what it was given
ADDED = re.compile(rb"(?:(?:Return-Path|Delivered-To|X-Original-To|Received):[^\n]*\n(?:[ \t][^\n]*\n)*)*")
HTML = """\
<html><body><p>Hello {{ first_name }}, schöne Grüße, до свидания, さようなら</p>
.a line that starts with a dot
.
..
<pre>
{% for n in range(lines | int) %}.{{ n }}: one more line of a letter that is too large, 100 % = all{{ "." * (n % 5) }}
{% endfor %}</pre>
</body></html>
"""


def kind(n: int) -> str:
    return {7: "bounce", 13: "reject"}.get(n % 30, "busy" if n in (33, 34) else "user")


def cells(n: int) -> list[str]:
    return [("Zoë", "Ольга", "王小明", "O'Neil & <Co>")[n % 4], str(LARGE.get(n, 1))]


def told_in_log(name: str, messages: int) -> str:
    """What a server that tells writes down when its limit is met."""
    if name == "exim":
        return "too many connections from that IP" if messages == MANY else "too many messages in one connection"
    return "Connection concurrency limit exceeded" if name == "postfix" else ""


def composed(world: Any, campaign: Any, dates: dict[str, float]) -> dict[str, bytes]:
    """Each message once more, from what the spool knows: no socket came near these bytes."""
    store = SqliteStore(str(world.folder / "spool" / "spool.sqlite3"))
    with contextlib.closing(store):
        row = store.campaign(campaign.folder.name)
        content = store.content(row.id)  # a spool keeps no private key
        pem = (world.folder / "example.com.pem").read_bytes()
        content["dkim"] = [{**entry, "pem": pem} for entry in content["dkim"]]
    with contextlib.closing(Reader(str(world.folder / "spool"))) as reader:
        found = reader.recipients(row.id, 0, 2 * ROWS)
    jobs = [
        (each.n, each.n, each.email, dates[each.email], each.file_no, each.fields)
        for each in found
        if each.email in dates
    ]
    composer = Composer()
    composer.handle(("load", row.id, content))
    answers = composer.handle(("compose", row.id, jobs))
    return {job[2]: answer[1] for job, answer in zip(jobs, answers, strict=True)}


@pytest.mark.parametrize(("name", "connections", "messages", "ours", "chunking"), CASES)
def test_each_server_gets_each_message_once_and_whole(
    world: Any,
    start_server: Any,
    until: Any,
    dkim_key: Any,
    name: str,
    connections: int,
    messages: int,
    ours: int,
    chunking: str,
) -> None:
    server = start_server(name, connections=connections, messages=messages)
    world.start_names({f"d{n}.test": ["mx.interop.test"] for n in range(6)}, {"mx.interop.test": "127.0.0.1"})
    key_file = world.folder / "example.com.pem"
    key_file.write_bytes(
        dkim_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    key_file.chmod(0o600)
    world.settings(
        smtp={"port": server.port, "chunking": chunking},
        dkim=[{"domain": "example.com", "selector": "s1", "key": "example.com.pem"}],
        shaping={"default": {"connections": 8, "messages_per_connection": ours}},
        retry={"schedule": ["1h"]},
    )
    addresses = [f"{kind(n)}{n}@d{n % 6}.test" for n in range(ROWS)]
    campaign = world.campaign("spring", addresses, html=HTML, columns=("first_name", "lines"), cells=cells)

    ended = world.run("-c", "spring", "--once")

    assert ended.status == 3, ended.said[-4000:]  # the busy ones are left
    campaign.check_report()
    rows = {row["email"]: row for row in campaign.rows()}
    tls = "" if name == "opensmtpd" and "smtp tls ciphers=" not in server.log() else "TLSv1.3"
    for n, address in enumerate(addresses):
        row = rows[address]
        status, category, code, enhanced, stage = FATES[kind(n)]
        if (name, kind(n)) == ("opensmtpd", "reject"):
            stage = "rcpt"  # its filters see the recipient only there
        if (name, kind(n)) == ("postfix", "busy"):
            category = "policy"  # it says "Recipient address rejected" in front
        told = (row["status"], row["category"], row["smtp_code"], row["stage"], row["tls"])
        assert told == (status, category, code, stage, tls), row
        assert (row["enhanced_code"] == enhanced) or not enhanced, row
        assert row["attempts"] == "1", row
    assert told_in_log(name, messages) in server.log(), "its limit was never met"
    if name == "exim":
        assert re.search(r" <= .* L[.*]? ", server.log()), "nothing was pipelined"
        assert (re.search(r" <= .* K ", server.log()) is not None) == (chunking == "auto")
    if name == "postfix":
        assert (" bdat=" in server.log()) == (chunking == "auto")

    wanted = [address for n, address in enumerate(addresses) if kind(n) == "user"]
    until(lambda: server.count() >= len(wanted), "the server to put everything where it keeps it")
    public = base64.b64encode(
        dkim_key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )

    def published(name: bytes, timeout: int = 5) -> bytes:
        assert name == b"s1._domainkey.example.com."
        return b"v=DKIM1; k=rsa; p=" + public

    arrived: Counter[str] = Counter()
    received: dict[str, bytes] = {}
    dates: dict[str, float] = {}
    for raw in server.messages():
        message = email.parser.BytesHeaderParser(policy=email.policy.default).parsebytes(raw)
        address = str(message["To"].addresses[0].addr_spec)
        arrived[address] += 1
        received[address] = raw
        dates[address] = message["Date"].datetime.timestamp()
    assert arrived == dict.fromkeys(wanted, 1), "each exactly once"
    whole = composed(world, campaign, dates)
    assert len(whole) == len(wanted)
    for address, wire in whole.items():
        kept = received[address].replace(b"\r\n", b"\n")
        start = ADDED.match(kept)
        assert start is not None
        assert kept[start.end() :] == wire.replace(b"\r\n", b"\n"), "not what was composed"
        assert int(rows[address]["bytes"]) == len(wire)
        if len(wire) < 100_000:
            assert dkim.verify(wire, dnsfunc=published)
    assert min(len(received[f"user{n}@d{n % 6}.test"]) for n in LARGE) > 1_000_000
