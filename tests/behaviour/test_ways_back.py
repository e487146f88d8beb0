"""One token, from MAIL FROM to the report: by it everything that comes back finds its row."""

from __future__ import annotations

import email
import email.policy
import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from bulkmail.content import new_pem
from tests.interop.servers import greets, write_certificate
from tests.ports import free_port

pytestmark = pytest.mark.loopback

DOMAIN = "bounces.example.com"
INBOUND = {"domains": [DOMAIN, "other.example.com"]}
PUBLIC = {"url": "https://mail.example.com"}
MORE = "list: readers\nunsubscribe: built-in\n"


@pytest.fixture
def signing(world: Any) -> dict[str, Any]:
    """Settings that sign, and that take what comes back."""
    (world.folder / "k.pem").write_bytes(new_pem("rsa"))
    (world.folder / "k.pem").chmod(0o600)
    page = {**PUBLIC, "listen": f"127.0.0.1:{free_port()}"}
    return {"dkim": [{"domain": "example.com", "selector": "s1", "key": "k.pem"}], "inbound": INBOUND, "public": page}


def letters(kept: Path) -> list[Any]:
    """What the receiver kept, parsed."""
    return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in kept.iterdir()]


def test_one_token_stands_in_all_that_can_come_back(world: Any, signing: dict[str, Any]) -> None:
    world.start_mail(["127.0.1.1"])
    world.settings(**signing)
    sent = [f"{kind}-{n}@d0.test" for kind in ("user", "later", "vanish") for n in range(3)]
    campaign = world.campaign("spring", sent, more=MORE)

    ended = world.run("-c", "spring")

    assert ended.status == 0, ended.said
    campaign.check_report()
    rows = {row["email"]: row for row in campaign.rows()}
    assert len({row["token"] for row in rows.values()}) == len(sent)
    received = world.server.received()
    assert sum(one["to"].startswith("vanish") for one in received) == 6, "each was sent twice"
    for one in received:  # also what was sent again: the same return path, and the same bytes
        assert one["sender"] == f"bounces+{rows[one['to']]['token']}@{DOMAIN}"
    assert len({(one["to"], one["sender"], one["digest"]) for one in received}) == len(sent)
    for letter in letters(world.server.kept):
        row = rows[letter["To"]]
        token = row["token"]
        assert letter["Message-ID"] == row["message_id"]
        assert re.fullmatch(rf"<[a-z2-7]{{8}}\.{token}@example\.com>", letter["Message-ID"])
        assert letter["List-Unsubscribe"] == (
            f"<https://mail.example.com/u/{token}>, <mailto:unsubscribe+{token}@{DOMAIN}?subject=unsubscribe>"
        )
        assert letter["CFBL-Address"] == f"complaints+{token}@{DOMAIN}; report=arf"
        assert letter["CFBL-Feedback-ID"] == token
        assert letter["List-Id"] == "<readers.example.com>"
        assert letter["Feedback-ID"].split(":")[1:3] == ["readers", "marketing"]


def test_one_message_for_all_shares_a_transaction_only_where_all_share_a_return_path(
    world: Any, signing: dict[str, Any]
) -> None:
    world.start_mail(["127.0.1.1"])
    world.settings(**signing)
    sent = [f"user-{n}@d0.test" for n in range(20)]
    for name, more in (("each", ""), ("shared", "bounces: shared\n")):
        campaign = world.campaign(name, sent, html="<p>Dear readers, spring is here.</p>", more=more)
        letter = campaign.yaml.read_text().replace("{{ first_name }}, spring", "Spring")
        campaign.yaml.write_text(letter + 'to: "Our readers <readers@example.com>"\n')
        before = world.server.count()

        ended = world.run("-c", name)

        assert ended.status == 0, ended.said
        received = world.server.received()[before:]
        rows = {row["email"]: row["token"] for row in campaign.rows()}
        (message_id,) = {one["message_id"] for one in received}
        if name == "each":
            assert {one["of"] for one in received} == {1}
            assert {one["to"]: one["sender"] for one in received} == {
                to: f"bounces+{token}@{DOMAIN}" for to, token in rows.items()
            }
        else:
            assert max(one["of"] for one in received) > 1
            campaign_token = message_id.partition(".")[2].partition("@")[0]
            assert {one["sender"] for one in received} == {f"bounces+{campaign_token}@{DOMAIN}"}
            assert campaign_token not in rows.values()


def test_a_test_message_has_a_token_of_its_own_that_says_so(world: Any, signing: dict[str, Any]) -> None:
    world.start_mail(["127.0.1.1"])
    world.settings(**signing)
    world.campaign("spring", ["user-0@d0.test"], more=MORE)

    ended = world.bulkmail("test", "spring", "--to", "user-me@d0.test")

    assert ended.status == 0, ended.said
    (one,) = world.server.received()
    assert re.fullmatch(rf"bounces\+test-[a-z2-7]{{26}}@{re.escape(DOMAIN)}", one["sender"])
    (letter,) = letters(world.server.kept)
    token = one["sender"].partition("+")[2].partition("@")[0]
    assert letter["CFBL-Feedback-ID"] == token
    assert f"<https://mail.example.com/u/{token}>" in letter["List-Unsubscribe"]


def test_doctor_finds_the_real_server_that_takes_what_comes_back(world: Any, until: Any) -> None:
    world.start_names({DOMAIN: ["in.interop.test"]}, {"in.interop.test": "127.0.0.1"})
    port = free_port()
    write_certificate(world.folder)
    world.settings(
        inbound={
            "listen": [f"127.0.0.1:{port}"],
            "hostname": "in.interop.test",
            "domains": [DOMAIN],
            "tls": {"certificate": "cert.pem", "key": "key.pem"},
        }
    )
    service = world.start("--settings", "bulkmail.yaml")
    until(lambda: greets("127.0.0.1", port), "the inbound server")

    ended = world.bulkmail("doctor", "--json", "--server", f"127.0.0.1:{world.server.port}")

    found = [(line["result"], line["message"]) for line in json.loads(ended.out) if line["name"] == "inbound"]
    where = f"in.interop.test (127.0.0.1 port {port})"
    assert found[:2] == [
        ("ok", f"{DOMAIN}: its mail comes to in.interop.test"),
        ("ok", f"{where} takes reports, and relays nothing"),
    ]
    assert found[2][0] == "warning"
    assert found[2][1].startswith(f"the certificate of {where} is not valid for its name"), "nobody has signed it"
    assert found[3][1].startswith("it answers here alone"), "it does not listen on port 25"
    service.signal(signal.SIGTERM)
    service.wait()
