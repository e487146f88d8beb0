"""Two thousand personalised, signed messages into a real Postfix over TLS, each checked as its reader would see it."""

from __future__ import annotations

import base64
import email
import email.policy
import re
from collections import Counter
from email.message import EmailMessage
from typing import Any

import dkim
import jinja2
import pytest
from cryptography.hazmat.primitives import serialization

from tests.interop.servers import greets
from tests.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.slow]

ROWS = 2000
NAMES = (
    "Anna",
    "Zoë Müller",
    "Ольга",
    "Γιώργος",
    "王小明",
    "さくら",
    "מרים",
    "ليلى",
    "José “Pepe” Núñez",
    "😀 Smile",
    "O'Neil & <Co>",
)
CITIES = ("Zürich", "", "São Paulo", "Łódź")

HTML = """\
<!DOCTYPE html>
<html><body>
<h1>Hello {{ first_name }}{% if city %} in {{ city }}{% endif %}!</h1>
<ul>
{% for n in range(items | int) %}<li class="offer">Offer {{ loop.index }} for {{ first_name }}: {{ n * 5 }} %</li>
{% else %}<li>No offers today</li>
{% endfor %}</ul>
<p>{{ "A line that is far longer than any line of a message may be. " * 30 }}</p>
<p>
.A line that starts with a dot
.
From the shop
</p>
</body></html>
"""
TEXT = """\
Hello {{ first_name }}{% if city %} in {{ city }}{% endif %}!

{% for n in range(items | int) -%}
* Offer {{ loop.index }}: {{ n * 5 }} %
{% else -%}
No offers today
{% endfor %}
.
..two dots
From the shop = 100 % good
"""


def row(n: int) -> list[str]:
    return [NAMES[n % len(NAMES)], CITIES[n % len(CITIES)], str(n % 4)]


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None, f"no {kind} part"
    content: str = part.get_content()
    return content.replace("\r\n", "\n").rstrip("\n")


@pytest.fixture(scope="module")
def expected() -> Any:
    """What plain Jinja2 renders: (html, text) of row n."""
    escaping = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    plain = jinja2.Environment(autoescape=False, undefined=jinja2.StrictUndefined)
    html, text = escaping.from_string(HTML), plain.from_string(TEXT)

    def render(n: int) -> tuple[str, str]:
        values = dict(zip(("first_name", "city", "items"), row(n), strict=True))
        return html.render(values).rstrip("\n"), text.render(values).rstrip("\n")

    return render


def test_every_message_arrives_whole_and_signed(
    world: Any, postfix: Any, until: Any, dkim_key: Any, expected: Any
) -> None:
    addresses = [f"user{n}@d{n % 20}.test" for n in range(ROWS)]
    world.start_names({f"d{n}.test": ["mx.interop.test"] for n in range(20)}, {"mx.interop.test": "127.0.0.1"})
    pem = dkim_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key_file = world.folder / "example.com.pem"
    key_file.write_bytes(pem)
    key_file.chmod(0o600)
    world.settings(
        port=postfix.port,
        tls={"mode": "opportunistic"},
        dkim=[{"domain": "example.com", "selector": "s1", "key": "example.com.pem"}],
    )
    campaign = world.campaign(
        "spring",
        addresses,
        html=HTML,
        columns=("first_name", "city", "items"),
        cells=row,
        more='unsubscribe: {url: "https://example.com/u/{{ token }}"}\nenvelope_from: bounces@example.com\n',
    )
    (campaign.folder / "body.txt.j2").write_text(TEXT, "utf-8")
    campaign.yaml.write_text(
        campaign.yaml.read_text("utf-8").replace("{html: body.html.j2}", "{html: body.html.j2, text: body.txt.j2}")
    )

    ended = world.run("-c", "spring")

    assert ended.status == 0, ended.said[-4000:]
    campaign.check_report()
    rows = {found["email"]: found for found in campaign.rows()}
    assert {(found["status"], found["tls"], found["attempts"]) for found in rows.values()} == {
        ("delivered", "TLSv1.3", "1")
    }
    assert campaign.summary()["by_status"]["delivered"] == ROWS

    until(lambda: postfix.count() >= ROWS, "Postfix to put everything into the maildir")
    public = base64.b64encode(
        dkim_key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    record = b"v=DKIM1; k=rsa; p=" + public

    def published(name: bytes, timeout: int = 5) -> bytes:
        assert name == b"s1._domainkey.example.com."
        return record

    arrived: Counter[str] = Counter()
    for raw in postfix.messages():
        assert b"\r" not in raw, "Postfix ends lines with LF here, so a CR was a bare one"
        assert b"\0" not in raw
        assert max(map(len, raw.split(b"\n"))) <= 998
        message = email.message_from_bytes(raw, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        assert not message.defects
        assert not any(part.defects for part in message.walk())
        address = str(message["To"].addresses[0].addr_spec)
        arrived[address] += 1
        assert message["X-Original-To"] == address
        assert str(message["Return-Path"]) == "<bounces@example.com>"
        n = int(re.match(r"user(\d+)@", address)[1])  # type: ignore[index]
        html, text = expected(n)
        assert body(message, "html") == html
        assert body(message, "plain") == text
        assert message["Subject"] == f"{row(n)[0]}, spring is here"
        assert message["Message-ID"] == rows[address]["message_id"]
        assert rows[address]["token"] in message["List-Unsubscribe"]
        assert dkim.verify(raw.replace(b"\n", b"\r\n"), dnsfunc=published)
    assert arrived == dict.fromkeys(addresses, 1), "each exactly once"
    assert len(re.findall(r"status=sent", postfix.log())) == ROWS


@pytest.mark.parametrize(("mode", "status", "tls"), [("required", 0, "TLSv1.3"), ("verify", 3, ""), ("off", 0, "")])
def test_how_much_tls_is_asked_for(world: Any, postfix: Any, mode: str, status: int, tls: str) -> None:
    """Postfix's certificate is nobody's: `required` takes it, `verify` does not and delivers nothing."""
    world.start_names({"d0.test": ["mx.interop.test"]}, {"mx.interop.test": "127.0.0.1"})
    world.settings(port=postfix.port, tls={"mode": mode}, retry={"schedule": ["1h"]})
    campaign = world.campaign("spring", [f"user{n}@d0.test" for n in range(10)])

    ended = world.run("-c", "spring", "--once")

    assert ended.status == status, ended.said[-4000:]
    campaign.check_report()
    if status == 0:
        assert {(row["status"], row["tls"]) for row in campaign.rows()} == {("delivered", tls)}
    else:
        assert campaign.statuses()["delivered"] == 0
        assert campaign.statuses()["deferred"] == 1, "one recipient probes a dead site for all"
        (attempt,) = campaign.attempts()
        assert (attempt["stage"], attempt["mx_host"]) == ("starttls", "mx.interop.test")
        assert "certificate" in attempt["reply"].lower()
        assert postfix.count() == 0


def test_a_test_message_reaches_it_over_tls_and_its_words_are_told(world: Any, postfix: Any, until: Any) -> None:
    world.start_names({"d0.test": ["mx.interop.test"]}, {"mx.interop.test": "127.0.0.1"})
    world.settings(port=postfix.port, tls={"mode": "opportunistic"})
    world.campaign("spring", ["ann@d0.test"])

    ended = world.bulkmail("test", "spring", "--to", "me@d0.test")

    assert ended.status == 0, ended.said
    assert ended.out.startswith("me@d0.test: accepted by mx.interop.test (127.0.0.1, TLSv1.3): 250 2.0.0 Ok: ")
    assert re.search(r"queued as \w+\n\Z", ended.out)
    until(lambda: postfix.count() == 1, "Postfix to put it into the maildir")


def relaying(refuses: str, returns: str) -> dict[str, str]:
    """Settings of a Postfix that takes all, passes on what is to d0.test, and returns to the inbound domain."""
    return {
        "more": "smtpd_recipient_restrictions = reject_unauth_destination\nheader_checks =\ntransport_maps = inline:{{ "
        f"{{{{ d0.test = smtp:{refuses} }}}}, {{{{ bounces.example.com = smtp:{returns} }}}} }}}}\n",
        "services": "smtp unix - - n - - smtp\n",
    }


def test_what_it_returns_comes_to_the_recipients_own_return_path(
    world: Any, start_server: Any, until: Any, dkim_key: Any
) -> None:
    """It takes every message, passes on those to d0.test, and returns the refused ones; δοκιμή@d1.test it keeps."""
    world.start_mail(["127.0.1.1"])
    both = f"[127.0.1.1]:{world.server.port}"
    server = start_server("postfix", connections=50, messages=0, **relaying(both, both))
    world.start_names({f"d{n}.test": ["mx.interop.test"] for n in range(2)}, {"mx.interop.test": "127.0.0.1"})
    world.settings(port=server.port, inbound={"domains": ["bounces.example.com"]})
    refused = ["bounce-Anna+tag=x@d0.test", "bounce-bob@d0.test", "reject-carol@d0.test"]
    campaign = world.campaign("spring", [*refused, "user-dave@d0.test", "δοκιμή@d1.test"])

    ended = world.run("-c", "spring")

    assert ended.status == 0, ended.said[-4000:]
    assert campaign.statuses() == {"delivered": 5}, "it is known later only"
    tokens = {row["email"]: row["token"] for row in campaign.rows()}
    until(lambda: world.server.count() >= 4, "the message to Dave, and three returned ones")
    until(lambda: server.count() == 1, "Postfix to keep the fifth")
    received = {one["to"]: one["sender"] for one in world.server.received()}
    assert received == {
        "user-dave@d0.test": f"bounces+{tokens['user-dave@d0.test']}@bounces.example.com",
        **{f"bounces+{tokens[address]}@bounces.example.com": "" for address in refused},
    }
    reports = {}
    for path in world.server.kept.iterdir():
        text = path.read_text("utf-8")
        if found := re.search(r"^Original-Envelope-Id: (.*?)\r?$", text, re.MULTILINE):
            (who,) = re.findall(r"^Original-Recipient: rfc822;(.*?)\r?$", text, re.MULTILINE)
            reports[who] = found[1]
            assert "text/rfc822-headers" in text, "the headers alone, as we asked"
    assert reports == {address: tokens[address] for address in refused}
    (kept,) = server.messages()
    assert f"Return-Path: <bounces+{tokens['δοκιμή@d1.test']}@bounces.example.com>".encode() in kept


@pytest.mark.parametrize("bounces", ["each", "shared", "one message"])
def test_what_it_returns_finds_its_row(world: Any, start_server: Any, until: Any, bounces: str) -> None:
    """Into our own inbound server.

    Where all share a return path, the Message-ID of the copy tells whose it is; of one message that all get, the ENVID
    of the transaction and the Original-Recipient tell it together.
    """
    world.start_mail(["127.0.1.1"])
    port = free_port()
    server = start_server(
        "postfix",
        connections=50,
        messages=0,
        **relaying(f"[127.0.1.1]:{world.server.port}", f"[127.0.0.1]:{port}"),
    )
    world.start_names({"d0.test": ["mx.interop.test"]}, {"mx.interop.test": "127.0.0.1"})
    world.settings(port=server.port, inbound={"domains": ["bounces.example.com"], "listen": [f"127.0.0.1:{port}"]})
    (world.folder / "campaigns").mkdir()
    running = world.start("--watch", "campaigns")
    until(lambda: greets("127.0.0.1", port), "the inbound server")
    sent = ["bounce-Anna+tag=x@d0.test", "user-bob@d0.test", "reject-carol@d0.test"]
    one_message = bounces == "one message"
    if one_message:
        sent[2] = "bounce-carol@d0.test"  # a refusal of the message itself would be everybody's
    aside = world.campaign("spring", sent, html="<p>Dear readers, spring is here.</p>", parent=world.folder / "aside")
    letter = aside.yaml.read_text("utf-8")
    if one_message:
        letter = letter.replace("{{ first_name }}", "Readers") + 'to: "Readers <readers@example.com>"\n'
    aside.yaml.write_text(letter + f"bounces: {'each' if bounces == 'each' else 'shared'}\n", "utf-8")
    campaign = type(aside)(aside.folder.rename(world.folder / "campaigns" / "spring"), sent)

    def returned() -> bool:
        there = (campaign.report / "recipients.csv").exists()
        ends = {"bounced": 2} if one_message else {"bounced": 1, "blocked": 1}
        return there and campaign.statuses() == {"delivered": 1, **ends}

    until(returned, "two of three to be returned")
    rows = {row["email"]: (row["status"], row["category"], row["stage"], row["smtp_code"]) for row in campaign.rows()}
    assert rows[sent[0]] == ("bounced", "bad-mailbox", "dsn", "550")
    assert rows[sent[1]][:2] == ("delivered", "")
    assert rows[sent[2]][0::2] == ("bounced" if one_message else "blocked", "dsn")
    assert len({row["message_id"] for row in campaign.rows()}) == (1 if one_message else 3)
    running.process.terminate()
    running.wait()
