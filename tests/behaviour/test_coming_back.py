"""What comes back by mail finds its row: a campaign is sent, then reports, complaints and answers arrive by SMTP."""

from __future__ import annotations

import contextlib
import smtplib
import socket
from collections.abc import Callable
from typing import Any

import pytest

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


def has_ended(campaign: Any) -> bool:
    """Whether its report has every row, each with its end."""
    if not (campaign.report / "recipients.csv").exists():
        return False
    statuses = campaign.statuses()
    return sum(statuses.values()) == len(SENT) and not {"pending", "deferred"} & set(statuses)


def test_each_finds_its_row_once(world: Any, until: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    world.start_mail(["127.0.1.1"])
    world.settings(inbound={"domains": [DOMAIN], "listen": [f"127.0.0.1:{port}"], "forward": {"maildir": "./inbox"}})
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
            assert client.rcpt(f"{name}+{who}@{DOMAIN}")[0] == 250
            assert client.data(message)[0] == 250

    gone = "550 5.1.1 No such user"
    for _ in range(2):  # the second time its server had lost our answer
        send("bounces", tokens[SENT[0]], report(SENT[0], tokens[SENT[0]], "failed", "5.1.1", gone, 0))
    blocked = "550 5.7.1 Message rejected as spam"
    send("bounces", tokens[SENT[1]], report(SENT[1], tokens[SENT[1]], "failed", "5.7.1", blocked, 1))
    full = "452 4.2.2 Mailbox full"
    send("bounces", tokens[SENT[2]], report(SENT[2], tokens[SENT[2]], "delayed", "4.2.2", full, 2))
    send("complaints", tokens[SENT[3]], complaint(tokens[SENT[3]]), "fbl@big.test")
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
    assert rows[SENT[1]]["status"] == "blocked"
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
    running.process.terminate()
    assert running.wait().status == 3


@pytest.mark.parametrize("point", ["mid-late", "after-late"])
def test_killed_while_a_report_is_recorded(world: Any, until: Callable[..., Any], point: str) -> None:
    """Its server has heard no 250, so it brings the report again, and the row has it once."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
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
