"""What comes back by mail finds its row: a campaign is sent, then reports, complaints and answers arrive by SMTP."""

from __future__ import annotations

import contextlib
import http.client
import json
import smtplib
import socket
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from bulkmail.control import Client
from bulkmail.returns import Kind
from tests.ports import free_port
from tests.returns.samples import TOKEN
from tests.returns.written_reports import WRITTEN_REPORTS, Written

pytestmark = pytest.mark.loopback

DOMAIN = "in.example.com"
SENT = [f"user-{n}@d0.test" for n in range(7)]


def report(address: str, token: str, action: str, status: str, words: str, number: int) -> bytes:
    """A delivery report as Postfix writes them."""
    return f"""\
Message-ID: <{number}@mx.test>
From: MAILER-DAEMON@mx.test
To: bounces+{token}@{DOMAIN}
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="xx"

--xx
Content-Type: text/plain

I'm sorry.

--xx
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.test

Original-Recipient: rfc822;{address}
Final-Recipient: rfc822; {address}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {words}

--xx
Content-Type: text/rfc822-headers

Message-ID: <{"a" * 8}.{token}@example.com>

--xx--
""".replace("\n", "\r\n").encode()


def complaint(token: str) -> bytes:
    """A feedback report that names no recipient."""
    return f"""\
Message-ID: <fbl@big.test>
From: fbl@big.test
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="xx"

--xx
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: big/1
Version: 1

--xx
Content-Type: message/rfc822

Message-ID: <{"a" * 8}.{token}@example.com>
From: news@example.com
Subject: spring

Hello
--xx--
""".replace("\n", "\r\n").encode()


def greets(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 10) as one:
        return one.recv(3) == b"220"
    return False


def has_ended(campaign: Any, rows: int = len(SENT)) -> bool:
    """Whether its report has every row, each with its end."""
    if not (campaign.report / "recipients.csv").exists():
        return False
    statuses = campaign.statuses()
    return sum(statuses.values()) == rows and not {"pending", "deferred"} & set(statuses)


def written_to(row: dict[str, str], one: Written) -> bytes:
    """The report as it would be about the message of this row."""
    text = one.message.decode().replace("nobody@d.example", row["email"]).replace(TOKEN, row["token"])
    return text.replace("\r\nMIME-Version:", f"\r\nMessage-ID: <{row['row']}@mx.test>\r\nMIME-Version:", 1).encode()


_STATUS = {"hard": "bounced", "blocked": "blocked", "soft": "blocked"}
_RESULT = {Kind.FAILED: "returned", Kind.DELAYED: "returned", Kind.COMPLAINT: "complained", Kind.OTHER: ""}


@pytest.mark.slow
def test_reports_of_all_sorts_are_told_alike_everywhere(world: Any, until: Callable[..., Any]) -> None:
    # in these the address is encoded
    written = [one for one in WRITTEN_REPORTS.values() if b"nobody@d.example" in one.message or not one.category]
    port, page = free_port(), free_port()
    world.start_mail(["127.0.1.1"])
    world.settings(
        inbound={"domains": [DOMAIN], "listen": [f"127.0.0.1:{port}"], "forward": {"maildir": "./inbox"}},
        public={"listen": f"127.0.0.1:{page}", "url": "https://mail.example.com"},
        events={"record": True},
    )
    (world.folder / "campaigns").mkdir()
    world.start("--watch", "campaigns")
    until(lambda: greets(port), "a greeting")
    addresses = [f"user-{number}@d0.test" for number in range(len(written))]
    more = "approval: none\nunsubscribe: built-in\n"
    campaign = world.campaign("spring", addresses, parent=world.folder / "campaigns", more=more)
    until(lambda: has_ended(campaign, len(addresses)), "the end")
    rows = campaign.rows()

    for start in range(0, len(written), 50):
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            client.ehlo("mx.test")
            for row, one in list(zip(rows, written, strict=True))[start : start + 50]:
                assert client.mail(one.sender)[0] == 250
                assert client.rcpt(one.recipient.replace(TOKEN, row["token"]))[0] == 250
                assert client.data(written_to(row, one))[0] == 250

    expected = {
        address: (_STATUS.get(one.weight, "delivered"), one.category)
        for address, one in zip(addresses, written, strict=True)
    }
    statuses = Counter(status for status, _ in expected.values())
    until(lambda: campaign.statuses() == statuses, "the report")
    assert {row["email"]: (row["status"], row["category"]) for row in campaign.rows()} == expected
    results = {(one, _RESULT.get(Kind(two.kind), "answered")) for one, two in zip(addresses, written, strict=True)}
    results = {pair for pair in results if pair[1]}
    until(lambda: said_later(campaign.attempts()) == results, "the lines of attempts.csv")
    lines = [line for line in campaign.attempts() if line["result"] == "returned" and line["category"]]
    assert {line["email"]: line["category"] for line in lines} == {
        address: category for address, (_, category) in expected.items() if category
    }
    events = [json.loads(line) for line in world.bulkmail("tail", "--from", "p", "--stdout", "--once").out.splitlines()]
    assert {(one["email"], one["event"]) for one in events if one["event"] in _LATER} == results
    counts = Counter(result for _, result in results)
    failed = statuses.total() - statuses["delivered"]
    late = {"returned": failed, "unsubscribed": 0, "complained": counts["complained"]}
    reasons = Counter(category for _, category in expected.values() if category)
    until(lambda: campaign.summary()["late"] == late, "summary.json")
    until(lambda: campaign.summary()["by_status"].items() >= statuses.items(), "its statuses")
    until(lambda: campaign.summary()["by_category"] == reasons, "its categories")
    told = f"{failed} came back later, {counts['complained']} complained"
    until(lambda: told in (campaign.report / "index.html").read_text(), "the page")
    until(lambda: told in world.bulkmail("status", "spring").said, "what status says")
    listed = world.bulkmail("suppress", "list").out.splitlines()
    gone = {address for address, (status, _) in expected.items() if status == "bounced"}
    assert {line.partition(":")[0] for line in listed if "returned mail" in line} == gone
    assert {line.partition(":")[0] for line in listed if "complained" in line} == {
        address for address, result in results if result == "complained"
    }


_LATER = {"returned", "complained", "unsubscribed", "answered"}


def said_later(lines: list[dict[str, str]]) -> set[tuple[str, str]]:
    """Who has said what after the end: the lines of attempts.csv that are no attempts."""
    return {(line["email"], line["result"]) for line in lines if line["result"] in _LATER}


def test_each_finds_its_row_once(world: Any, until: Callable[..., Any]) -> None:
    port = free_port()
    world.start_mail(["127.0.1.1"])
    inbound = {"domains": [DOMAIN], "listen": [f"127.0.0.1:{port}"], "forward": {"maildir": "./inbox"}}
    world.settings(inbound=inbound)
    (world.folder / "campaigns").mkdir()
    running = world.start("--watch", "campaigns")
    until(lambda: greets(port), "a greeting")
    campaign = world.campaign("spring", SENT, parent=world.folder / "campaigns", more="approval: none\n")
    until(lambda: has_ended(campaign), "the end")
    tokens = {row["email"]: row["token"] for row in campaign.rows()}

    def send(name: str, who: str, message: bytes, sender: str = "") -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            client.ehlo("mx.test")
            assert client.mail(sender)[0] == 250
            assert client.rcpt(f"{name}+{who}@{DOMAIN}" if who else f"{name}@{DOMAIN}")[0] == 250
            assert client.data(message)[0] == 250

    words = {"domain": "d0.test", "match": "rejected as spam", "category": "authentication"}
    world.settings(inbound=inbound, classification=[words])
    reloaded = world.bulkmail("reload")
    assert reloaded.status == 0, reloaded.said
    gone = "550 5.1.1 No such user"
    for _ in range(2):  # the second time its server had lost our answer
        send("bounces", tokens[SENT[0]], report(SENT[0], tokens[SENT[0]], "failed", "5.1.1", gone, 0))
    blocked = "550 5.7.1 Message rejected as spam"
    send("bounces", tokens[SENT[1]], report(SENT[1], tokens[SENT[1]], "failed", "5.7.1", blocked, 1))
    full = "452 4.2.2 Mailbox full"
    send("bounces", tokens[SENT[2]], report(SENT[2], tokens[SENT[2]], "delayed", "4.2.2", full, 2))
    send("abuse", "", complaint(tokens[SENT[3]]), "fbl@big.test")
    send("abuse", "", b"Subject: Re: spring\r\nFrom: x@d0.test\r\n\r\nThis is spam\r\n", "x@d0.test")
    send("unsubscribe", tokens[SENT[4]], b"Subject: unsubscribe\r\nFrom: x@d0.test\r\n\r\n", "x@d0.test")
    vacation = b"Message-ID: <v@d0.test>\r\nSubject: Auto: away\r\nAuto-Submitted: auto-replied\r\n\r\nI am away\r\n"
    send("bounces", tokens[SENT[5]], vacation)
    # of another's address, and with a token that nobody has
    send("bounces", tokens[SENT[6]], report("bob@d0.test", tokens[SENT[6]], "failed", "5.1.1", gone, 6))
    send("bounces", "a" * 26, report(SENT[6], "a" * 26, "failed", "5.1.1", gone, 7))

    until(lambda: campaign.statuses() == {"delivered": 5, "bounced": 1, "blocked": 1}, "the report")
    rows = {row["email"]: row for row in campaign.rows()}
    first = rows[SENT[0]]
    assert (first["status"], first["category"], first["stage"], first["smtp_code"], first["attempts"]) == (
        "bounced", "bad-mailbox", "dsn", "550", "1")  # fmt: skip
    # what the operator says of the words of a reply counts for those that come back, too
    assert (rows[SENT[1]]["status"], rows[SENT[1]]["category"]) == ("blocked", "authentication")
    until(lambda: len([line for line in campaign.attempts() if line["result"] != "delivered"]) == 6, "the lines")
    lines = {(line["email"], line["result"]) for line in campaign.attempts()} - {(one, "delivered") for one in SENT}
    assert lines == {
        (SENT[0], "returned"),
        (SENT[1], "returned"),
        (SENT[2], "returned"),
        (SENT[3], "complained"),
        (SENT[4], "unsubscribed"),
        (SENT[5], "answered"),
    }
    told = "After the messages were taken, 2 came back later, 1 complained, 1 unsubscribed."
    until(lambda: told in (campaign.folder / "STATUS.txt").read_text("utf-8"), "the figures in STATUS.txt")
    unread = list((world.folder / "spool" / "inbound" / "unread").glob("*.eml"))
    assert len(unread) == 2
    assert len(list((world.folder / "inbox" / "new").iterdir())) == 2  # what came to abuse@, the complaint as well
    assert Client(str(world.folder / "spool")).get("health")["unattributed"] == {"failed": 2}

    autumn = world.campaign("autumn", SENT, parent=world.folder / "campaigns", more="approval: none\nlist: spring\n")
    until(lambda: has_ended(autumn), "the end")
    assert {row["email"]: (row["status"], row["category"]) for row in autumn.rows()} == {
        SENT[0]: ("suppressed", "bounced-before"),
        SENT[1]: ("delivered", ""),  # a receiver's policy is no fault of the address
        SENT[2]: ("delivered", ""),
        SENT[3]: ("suppressed", "complained"),
        SENT[4]: ("suppressed", "unsubscribed"),
        SENT[5]: ("delivered", ""),
        SENT[6]: ("delivered", ""),
    }
    # a receipt goes to who left the list, and not to who complained or is not there
    more = "approval: none\nlist: spring\nkind: transactional\n"
    receipts = world.campaign("receipts", SENT, parent=world.folder / "campaigns", more=more)
    until(lambda: has_ended(receipts), "the end")
    left_out = {row["email"]: row["category"] for row in receipts.rows() if row["status"] == "suppressed"}
    assert left_out == {SENT[0]: "bounced-before", SENT[3]: "complained"}
    assert receipts.statuses() == {"delivered": 5, "suppressed": 2}

    # weeks later, when the campaign has left the spool
    removed = world.bulkmail("remove", "spring")
    assert removed.status == 0, removed.said
    send("bounces", tokens[SENT[5]], report(SENT[5], tokens[SENT[5]], "failed", "5.1.1", gone, 8))
    send("bounces", tokens[SENT[6]], report("bob@d0.test", tokens[SENT[6]], "failed", "5.1.1", gone, 9))
    assert "returned mail" in world.bulkmail("suppress", "check", SENT[5]).out
    assert world.bulkmail("suppress", "check", SENT[6]).status == 1
    assert len(list((world.folder / "spool" / "inbound" / "unread").glob("*.eml"))) == 3
    running.process.terminate()
    assert running.wait().status == 3


def is_waiting(campaign: Any) -> bool:
    """Whether all of its rows are read, and nothing of it is sent yet."""
    found = (campaign.report / "summary.json").exists() and campaign.summary()
    return found and found["input_complete"] and found["by_status"]["pending"] == len(SENT)


def page(port: int, method: str, token: str, body: str = "") -> tuple[int, str]:
    """What a machine's page answers for a token: the status, and the heading."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request(method, f"/u/{token}", body or None, {"Content-Type": "application/x-www-form-urlencoded"})
        with connection.getresponse() as response:
            return response.status, response.read().decode().partition("<h1>")[2].partition("</h1>")[0]


def mailed(port: int, to: str, message: bytes) -> int:
    """Bring a message to the inbound server; what its end is answered."""
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.ehlo("mx.test")
        client.mail("")
        assert client.rcpt(f"{to}@{DOMAIN}")[0] == 250
        return client.data(message)[0]


def test_what_comes_to_one_machine_counts_at_once_on_the_other(
    world: Any, until: Callable[..., Any], pg_server: Any
) -> None:
    """Two machines share a spool in PostgreSQL: one has the folders, both have the page and an inbound server."""
    dsn = pg_server.fresh()
    ports = {}
    for name in ("one", "two"):
        ports[name] = free_port(), free_port()
        written = world.settings(
            spool=dsn,
            machine={"name": name, "folder": f"./{name}", "lease": "3s"},
            compose={"processes": 1},
            public={"url": "https://mail.example.com", "listen": f"127.0.0.1:{ports[name][0]}"},
            inbound={"domains": [DOMAIN], "listen": [f"127.0.0.1:{ports[name][1]}"]},
        )
        written.rename(written.with_name(f"{name}.yaml"))
    more = "list: readers\nunsubscribe: built-in\n"
    spring, summer = (world.campaign(name, SENT, more=more) for name in ("spring", "summer"))
    assert world.run("-c", str(spring.yaml), "--settings", "one.yaml").status == 0
    token = {row["email"]: row["token"] for row in spring.rows()}
    yaml = summer.yaml.read_text("utf-8")
    summer.yaml.write_text(yaml + "schedule: {not_before: 2099-01-01T00:00Z}\n", "utf-8")
    waiting = world.start("-c", str(summer.yaml), "--settings", "one.yaml")
    helping = world.start("--settings", "two.yaml")
    until(lambda: is_waiting(summer) and greets(ports["two"][1]), "the rows to be read, and the other machine")

    web, mail = ports["two"]
    assert page(web, "POST", token[SENT[0]], "List-Unsubscribe=One-Click") == (
        200, "You are unsubscribed from “<bdi>readers</bdi>”")  # fmt: skip
    assert page(web, "POST", token[SENT[1]], "action=leave")[0] == 200
    assert mailed(mail, f"unsubscribe+{token[SENT[2]]}", b"Subject: off\r\nFrom: x@d0.test\r\n\r\n") == 250
    gone = report(SENT[3], token[SENT[3]], "failed", "5.1.1", "550 5.1.1 No such user", 3)
    assert mailed(mail, f"bounces+{token[SENT[3]]}", gone) == 250
    assert mailed(mail, f"complaints+{token[SENT[4]]}", complaint(token[SENT[4]])) == 250
    assert page(web, "POST", "a" * 26, "List-Unsubscribe=One-Click") == (200, "This link does not work")
    # the page of the other machine knows it, and takes one of them back
    assert page(ports["one"][0], "GET", token[SENT[0]])[1].startswith("You are unsubscribed")
    assert page(ports["one"][0], "POST", token[SENT[1]], "action=return")[0] == 200
    until(lambda: spring.statuses() == {"delivered": len(SENT) - 1, "bounced": 1}, "the report of spring")
    until(lambda: len([line for line in spring.attempts() if line["result"] != "delivered"]) == 6, "the lines")
    waiting.process.terminate()
    assert waiting.wait().status == 3
    summer.yaml.write_text(yaml, "utf-8")
    assert world.run("-c", str(summer.yaml), "--settings", "one.yaml").status == 0
    assert {row["email"]: (row["status"], row["category"]) for row in summer.rows()} == {
        SENT[0]: ("suppressed", "unsubscribed"),
        SENT[1]: ("delivered", ""),
        SENT[2]: ("suppressed", "unsubscribed"),
        SENT[3]: ("suppressed", "bounced-before"),
        SENT[4]: ("suppressed", "complained"),
        SENT[5]: ("delivered", ""),
        SENT[6]: ("delivered", ""),
    }
    got = Counter(one["to"] for one in world.server.received())
    assert got == {one: 2 if one in (SENT[1], SENT[5], SENT[6]) else 1 for one in SENT}
    helping.process.terminate()
    assert helping.wait().status == 3


@pytest.mark.parametrize("point", ["mid-late", "after-late"])
def test_killed_while_a_report_is_recorded(world: Any, until: Callable[..., Any], point: str) -> None:
    """Its server has heard no 250, so it brings the report again, and the row has it once."""
    port = free_port()
    world.start_mail(["127.0.1.1"])
    world.settings(inbound={"domains": [DOMAIN], "listen": [f"127.0.0.1:{port}"]})
    campaign = world.campaign("spring", SENT)
    assert world.run("-c", str(campaign.yaml)).status == 0
    row = campaign.rows()[0]
    message = report(row["email"], row["token"], "failed", "5.1.1", "550 5.1.1 No such user", 0)

    def bring() -> int:
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            client.ehlo("mx.test")
            client.mail("")
            client.rcpt(f"bounces+{row['token']}@{DOMAIN}")
            return client.data(message)[0]

    dying = world.failing(f"{point}:kill", "--settings", "bulkmail.yaml")
    until(lambda: greets(port), "a greeting")
    with pytest.raises(smtplib.SMTPServerDisconnected):
        bring()
    dying.process.wait()
    running = world.start("--settings", "bulkmail.yaml")
    until(lambda: greets(port), "a greeting")
    assert bring() == 250
    until(lambda: campaign.statuses() == {"delivered": len(SENT) - 1, "bounced": 1}, "the report")
    until(lambda: [line for line in campaign.attempts() if line["result"] == "returned"], "the line")
    assert [line["row"] for line in campaign.attempts() if line["result"] == "returned"] == ["1"]
    running.process.terminate()
    assert running.wait().status == 3
