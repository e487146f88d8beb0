from __future__ import annotations

import pytest

from bulkmail.rehearsal.behaviour import Behaviour, Step, Then, Tls

WHOLE = (
    b"EHLO me.example\r\n"
    b"MAIL FROM:<news@shop.example> SIZE=60\r\nRCPT TO:<anna@accept.test>\r\nDATA\r\n"
    b"Subject: one\r\n\r\n..stuffed\r\n.\r\n"
    b"MAIL FROM:<news@shop.example>\r\nRCPT TO:<bo@accept.test>\r\nDATA\r\n"
    b"Subject: two\r\n\r\n.\r\n"
    b"QUIT\r\n"
)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 17, 64, 4096])
def test_the_same_is_said_however_the_bytes_are_cut(talk, size: int) -> None:
    client = talk(hello=False)
    said = "".join(client.say(WHOLE[at : at + size]) for at in range(0, len(WHOLE), size))
    assert [line[:4] for line in said.splitlines() if line[3] == " "] == [
        "250 ", "250 ", "250 ", "354 ", "250 ", "250 ", "250 ", "354 ", "250 ", "221 ",
    ]  # fmt: skip
    assert [kept["message"] for kept in client.store.kept] == [
        b"Subject: one\r\n\r\n.stuffed\r\n",
        b"Subject: two\r\n\r\n",
    ]
    assert client.closed


def test_the_greeting_names_the_host(talk) -> None:
    client = talk(hello=False)
    assert client.connect() == "220 mx.accept.test ESMTP\r\n"


def test_ehlo_offers_what_the_persona_has(talk) -> None:
    offered = talk().say("EHLO me.example\r\n")
    for keyword in ("PIPELINING", "8BITMIME", "SIZE 50000000", "STARTTLS", "ENHANCEDSTATUSCODES", "SMTPUTF8"):
        assert keyword in offered
    assert "CHUNKING" not in offered
    assert offered.splitlines()[-1][3] == " "
    assert all(line[3] == "-" for line in offered.splitlines()[:-1])
    less = talk(pipelining=False, tls=Tls.NONE, smtputf8=False, eight_bit=False, chunking=True)
    less = less.say("EHLO me.example\r\n")
    for keyword in ("PIPELINING", "STARTTLS", "SMTPUTF8", "8BITMIME"):
        assert keyword not in less
    assert "CHUNKING" in less
    assert talk(hello=False).say("HELO me.example\r\n") == "250 mx.accept.test\r\n"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("EHLO \r\n", "501"), ("HELO\r\n", "501"), ("WHAT\r\n", "500"), ("\r\n", "500"), ("NOOP x\r\n", "250"),
        ("noop\r\n", "250"), ("VRFY anna\r\n", "252"), ("RSET\r\n", "250"), ("STARTTLS now\r\n", "501"),
        ("MAIL FROM:<a@b.example>\nRCPT TO:<c@accept.test>\r\n", "500"), ("RCPT TO:<c@accept.test>\r\n", "503"),
        ("DATA\r\n", "503"), ("BDAT 3\r\n", "501"), ("NO\0OP\r\n", "500"),
    ],
)  # fmt: skip
def test_commands_out_of_the_ordinary(talk, line: str, code: str) -> None:
    assert talk().say(line)[:3] == code


def test_mail_needs_a_greeting(talk) -> None:
    assert talk(hello=False).say("MAIL FROM:<a@b.example>\r\n").startswith("503")


def test_twenty_errors_are_answered_and_no_more(talk) -> None:
    client = talk()
    said = client.say(b"SPAM\r\n" * 100)
    assert said.count("500") == 21
    assert said.endswith("421 4.7.0 Too many errors\r\n")
    assert client.closed
    assert client.say("NOOP\r\n") == ""


def test_a_line_without_end_is_cut_off(talk) -> None:
    client = talk()
    assert client.say(b"x" * 5000).startswith("500")
    assert client.closed
    assert client.session.backlog == 0


def test_pipelining_that_was_not_offered(talk) -> None:
    client = talk(pipelining=False)
    said = client.say("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@accept.test>\r\n")
    assert said.splitlines()[-1].startswith("554 5.5.0 Synchronization")
    assert client.closed
    polite = talk(pipelining=False)
    lines = ["MAIL FROM:<a@b.example>\r\n", "RCPT TO:<c@accept.test>\r\n", "DATA\r\n", "Subject: x\r\n\r\nhi\r\n.\r\n"]
    assert [polite.say(line)[:3] for line in lines] == ["250", "250", "354", "250"]


def test_sent_away_at_the_limit(talk) -> None:
    client = talk("busy", hello=False)
    assert client.connect(welcome=False).startswith("421 4.7.0 Too many")
    assert client.closed
    assert client.network.totals.rejected_at_limit == 1


def test_a_wait_holds_up_all_that_follows(talk) -> None:
    client = talk("accept", Behaviour(Step.RCPT, wait=60.0), speed=10.0)
    said = client.say("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@accept.test>\r\nNOOP\r\n")
    assert said == "250 2.1.0 Ok\r\n"
    assert client.say("RSET\r\n") == ""
    client.clock.advance(5.9)
    assert client.heard() == ""
    client.clock.advance(0.2)
    assert [line[:9] for line in client.heard().splitlines()] == ["250 2.1.5", "250 2.0.0", "250 2.0.0"]


def test_a_slow_greeting_comes_first(talk) -> None:
    client = talk("accept", Behaviour(Step.CONNECT, wait=3.0), hello=False)
    assert client.connect() == ""
    assert client.say("EHLO me.example\r\n") == ""
    client.clock.advance(3)
    assert client.heard().startswith("220 ")


@pytest.mark.parametrize(
    ("then", "closed"), [(Then.GO_ON, ""), (Then.CLOSE, "closed"), (Then.ABORT, "aborted"), (Then.SILENCE, "")]
)
def test_what_is_done_after_a_reply(talk, then: Then, closed: str) -> None:
    client = talk("accept", Behaviour(Step.EHLO, b"421 no\r\n", then), hello=False)
    said = client.say("EHLO me.example\r\nNOOP\r\n")
    assert said.startswith("421 no\r\n") == (then is not Then.ABORT)
    assert ("250" in said) == (then is Then.GO_ON)
    assert client.closed == closed
    assert bool(client.say("NOOP\r\n")) == (then is Then.GO_ON)


def test_nothing_said_and_nothing_done(talk) -> None:
    client = talk("mute", hello=False)
    assert client.connect() == ""
    assert client.say("EHLO me.example\r\n") == ""
    assert not client.closed


def test_a_share_is_drawn_by_recipient_and_stays(talk) -> None:
    def refused() -> set[int]:
        client = talk("accept", Behaviour(Step.RCPT, b"550 5.1.1 no\r\n", share=0.3), recipients=1000)
        codes = client.envelope(*(f"u{number}@accept.test" for number in range(500)))
        return {number for number, code in enumerate(codes[1:]) if code == "550"}

    first = refused()
    assert 100 < len(first) < 200
    assert refused() == first


def test_the_first_tries_only(talk) -> None:
    client = talk("accept", Behaviour(Step.RCPT, b"451 later\r\n", tries=2))
    codes = []
    for _ in range(4):
        codes.append(client.envelope("c@accept.test")[1])
        client.say("RSET\r\n")
    assert codes == ["451", "451", "250", "250"]
    assert client.envelope("d@accept.test")[1] == "451"


def test_a_share_of_the_messages_is_drawn_anew_each_time(talk) -> None:
    client = talk("goodbye")
    codes = []
    for _ in range(200):
        codes.append(client.envelope()[0])
        if client.closed:
            client.connect()
            client.hello()
        else:
            client.say("RSET\r\n")
            client.session.client.messages += 1
    assert 25 < codes.count("421") < 75


def test_only_some_local_parts(talk) -> None:
    client = talk("accept", Behaviour(Step.RCPT, b"550 no\r\n", local=("unknown",)))
    assert client.envelope("unknown7@accept.test", "Unknown@accept.test", "known@accept.test") == [
        "250", "550", "550", "250",
    ]  # fmt: skip


def test_the_first_behaviour_that_applies_is_the_one(talk) -> None:
    client = talk(
        "accept",
        Behaviour(Step.RCPT, b"551 x\r\n", local=("x",)),
        Behaviour(Step.RCPT, b"552 y\r\n", local=("x", "y")),
    )
    assert client.envelope("x@accept.test", "y@accept.test", "z@accept.test") == ["250", "551", "552", "250"]


def test_lost_while_a_reply_waits(talk) -> None:
    client = talk("accept", Behaviour(Step.RCPT, wait=60.0))
    client.envelope("c@accept.test")
    client.session.lost()
    client.clock.advance(100)
    assert client.heard() == ""
    assert client.store.kept == []
