"""`bulkmail test` against real servers on loopback: what leaves, what is said, and that the campaign knows nothing."""

from __future__ import annotations

import json
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import dkim
import pytest

from bulkmail.content import new_pem, record

pytestmark = pytest.mark.loopback

MORE = (
    'unsubscribe: {url: "https://example.com/u/{{ token }}?e={{ email|urlencode }}"}\nheaders: {X-Campaign: spring}\n'
)


def campaign(world: Any, **options: Any) -> Any:
    return world.campaign(
        "spring",
        ["ann-1@d0.test", "bob", "carol-1@d1.test"],
        html="<p>Hello {{ first_name }} ({{ email }})</p>",
        more=MORE,
        **options,
    )


def messages(world: Any) -> list[Any]:
    paths = sorted(Path(world.server.kept).iterdir())
    return [BytesParser(policy=policy.default).parsebytes(path.read_bytes()) for path in paths]


def test_the_row_goes_elsewhere_marked_and_signed_and_the_campaign_knows_nothing(world: Any) -> None:
    pem = new_pem("rsa")
    (world.folder / "s1.pem").write_bytes(pem)
    (world.folder / "s1.pem").chmod(0o600)
    world.settings(dkim=[{"domain": "example.com", "selector": "s1", "key": "s1.pem"}])
    spring = campaign(world)

    ended = world.bulkmail("test", "spring", "--to", "me-1@d2.test", "boss-1@d3.test", "me-1@d2.test", "--row", "3")

    assert ended.status == 0, ended.said
    assert ended.out.splitlines() == [
        "me-1@d2.test: accepted by mx2.test (127.0.1.3, in clear): 250 2.0.0 Ok: kept",
        "boss-1@d3.test: accepted by mx3.test (127.0.1.4, in clear): 250 2.0.0 Ok: kept",
    ]
    assert sorted(one["to"] for one in world.server.received()) == ["boss-1@d3.test", "me-1@d2.test"]
    for message in messages(world):
        assert message["Subject"] == "[test] Name 2, spring is here"
        assert message["To"] in {"me-1@d2.test", "boss-1@d3.test"}
        assert message["X-Campaign"] == "spring"
        assert message["List-Id"] == "<spring.example.com>"
        assert f"Hello Name 2 ({message['To']})" in message.get_body(("html",)).get_content()
        # the link works, is plainly a test, and names nobody of the list
        assert message["List-Unsubscribe"].startswith("<https://example.com/u/test-")
        assert "carol" not in message.as_string()
        assert "test-" in message["Message-ID"]
    wire = next(Path(world.server.kept).iterdir()).read_bytes()
    assert dkim.verify(wire, dnsfunc=lambda *_, **__: record(pem).encode())
    assert {path.name for path in spring.folder.iterdir()} == {"body.html.j2", "campaign.yaml", "recipients.csv"}
    assert not (world.folder / "spool").exists()

    sent = world.run("-c", "spring")
    assert sent.status == 0, sent.said
    assert spring.statuses() == {"delivered": 2, "invalid": 1}


def test_each_address_is_told_what_its_receiver_answered_whatever_the_schedule(world: Any) -> None:
    spring = campaign(world)
    spring.yaml.write_text(spring.yaml.read_text() + "schedule: {not_before: 2099-12-01T09:00+01:00}\n")
    to = ["bounce-1@d0.test", "reject-1@d1.test", "busy-1@d2.test", "me-1@d3.test", "you@gone.test"]

    ended = world.bulkmail("test", "spring", "--to", *to)

    assert ended.status == 1, ended.said
    lines = ended.out.splitlines()
    assert lines[0].startswith(
        "bounce-1@d0.test: not accepted by mx0.test (127.0.1.1) at rcpt (bounced, bad-mailbox): 550"
    )
    assert lines[1].startswith(
        "reject-1@d1.test: not accepted by mx1.test (127.0.1.2) at dot (blocked, policy): 550 5.7.1"
    )
    assert lines[2].startswith("busy-1@d2.test: not accepted by mx2.test (127.0.1.3) at rcpt (deferred, ")
    assert lines[2].endswith("; a test is not tried again")
    assert lines[3].startswith("me-1@d3.test: accepted by mx3.test")
    assert "you@gone.test: not accepted" in lines[4]
    assert "does not exist" in lines[4]
    assert [one["to"] for one in world.server.received()] == ["me-1@d3.test"]


def test_for_programs_and_while_the_campaign_is_being_sent(world: Any, until: Any) -> None:
    spring = world.campaign("spring", [f"u-{n}@d{n % 20}.test" for n in range(200)])
    world.settings(shaping={"default": {"rate": "5/s"}})
    running = world.start("-c", "spring")
    until(lambda: world.server.count() > 5, "messages")

    ended = world.bulkmail("test", "spring", "--to", "me-1@d2.test", "--json")

    assert ended.status == 0, ended.said
    (told,) = json.loads(ended.out)
    assert (told["email"], told["accepted"], told["smtp_code"]) == ("me-1@d2.test", True, 250)
    running.process.terminate()
    running.wait()
    assert "me-1@d2.test" not in {row["email"] for row in spring.rows()}


def test_where_no_server_listens(world: Any) -> None:
    campaign(world)
    world.settings(port=1)

    ended = world.bulkmail("test", "spring", "--to", "me-1@d2.test")

    assert ended.status == 1, ended.said
    assert "me-1@d2.test: not accepted" in ended.out
    assert "refused" in ended.out


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--to", "me"], 2, "argument --to: 'me' has no @"),
        ([], 2, "the following arguments are required: --to"),
        (["--to", "me@d2.test", "--row", "2"], 1, "spring/recipients.csv:3: 'bob' has no @; correct the address"),
        (["--to", "me@d2.test", "--row", "9"], 1, "there is no row 9"),
    ],
)
def test_what_is_refused(world: Any, arguments: list[str], status: int, words: str) -> None:
    campaign(world)
    ended = world.bulkmail("test", "spring", *arguments)
    assert ended.status == status
    assert words in ended.err
    assert world.server.count() == 0


def test_a_relay_that_is_not_there_is_told(world: Any) -> None:
    campaign(world)
    world.settings(relay={"host": "127.0.0.1", "port": 1})
    ended = world.bulkmail("test", "spring", "--to", "me-1@d2.test")
    assert ended.status == 1
    assert ended.out.startswith("me-1@d2.test: not accepted by 127.0.0.1 (127.0.0.1) at connect (deferred, connection)")


def test_the_letter_of_each_variant_is_sent(world: Any) -> None:
    spring = campaign(world)
    spring.yaml.write_text(spring.yaml.read_text() + "variants: {a: {}, b: {subject: 'Bye {{ first_name }}'}}\n")

    ended = world.bulkmail("test", "spring", "--to", "me-1@d2.test")

    assert ended.status == 0, ended.said
    told = "me-1@d2.test: accepted by mx2.test (127.0.1.3, in clear): 250 2.0.0 Ok: kept"
    assert ended.out.splitlines() == [f"variant a: {told}", f"variant b: {told}"]
    assert {one["Subject"] for one in messages(world)} == {"[test] Name 0, spring is here", "[test] Bye Name 0"}
