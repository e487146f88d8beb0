from __future__ import annotations

import pytest

from bulkmail.rehearsal.behaviour import Behaviour, Step, Then

LATER = b"451 4.3.0 later\r\n"


def test_what_is_kept(talk) -> None:
    client = talk()
    message = b"Message-ID: <x.y@b.example>\r\n\r\nhi\r\n"
    assert client.send("anna@accept.test", "bo@accept.test", message=message, sender="").startswith("250 2.0.0 Ok")
    assert client.store.kept == [
        {
            "at": 1_700_000_000.0,
            "mx": "mx.accept.test",
            "ip": "127.77.0.9",
            "source_ip": "127.0.0.1",
            "mail_from": "",
            "recipients": ["anna@accept.test", "bo@accept.test"],
            "message": message,
            "tls": "",
            "answered": True,
        }
    ]
    totals = client.network.totals
    assert (totals.messages, totals.recipients, totals.octets, totals.unanswered) == (1, 2, len(message), 0)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("MAIL FROM: <a@b.example>", "250"), ("mail from:<a@b.example> BODY=8BITMIME size=10", "250"),
        ('MAIL FROM:<"a>b"@b.example>', "250"), ("MAIL FROM:a@b.example", "501"), ("MAIL TO:<a@b.example>", "501"),
        ("MAIL FROM:<a@b.example> SIZE=50000001", "552"), ("MAIL FROM:<a@b.example> SIZE=x", "250"),
        ("MAIL FROM:<ä@b.example> SMTPUTF8", "250"),
    ],
)  # fmt: skip
def test_mail(talk, line: str, code: str) -> None:
    assert talk().say(line + "\r\n")[:3] == code


def test_mail_twice(talk) -> None:
    client = talk()
    client.envelope()
    assert client.envelope() == ["503"]


def test_smtputf8_where_it_is_not_offered(talk) -> None:
    client = talk("ascii")
    assert client.say("MAIL FROM:<a@b.example> SMTPUTF8\r\n").startswith("555")
    client.envelope()
    assert client.say("RCPT TO:<jürgen@ascii.test>\r\n").startswith("553 5.6.7")
    other = talk()
    other.say("MAIL FROM:<a@b.example> SMTPUTF8\r\n")
    assert other.say("RCPT TO:<jürgen@accept.test>\r\n").startswith("250")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("RCPT TO:<anna@accept.test>", "250"), ("rcpt to: <anna@ACCEPT.test> NOTIFY=NEVER", "250"),
        ('RCPT TO:<"an na"@accept.test>', "250"), ("RCPT TO:<anna>", "501"), ("RCPT TO:<@accept.test>", "501"),
        ("RCPT TO:anna@accept.test", "501"), ("RCPT TO:<anna@accept.test", "501"),
        ("RCPT TO:<anna@elsewhere.test>", "550"), ("RCPT TO:<anna@mx.accept.test>", "550"),
    ],
)  # fmt: skip
def test_rcpt(talk, line: str, code: str) -> None:
    client = talk()
    client.envelope()
    assert client.say(line + "\r\n")[:3] == code


def test_mail_for_somebody_elses_domain_is_not_taken(talk) -> None:
    assert talk().envelope("anna@gmail.com") == ["250", "550"]
    assert talk("relay").envelope("anna@gmail.com", "bo@x.invalid") == ["250", "250", "250"]


def test_too_many_recipients(talk) -> None:
    client = talk(recipients=2)
    assert client.envelope(*(f"u{number}@accept.test" for number in range(4))) == ["250", "250", "250", "452", "452"]


def test_data_needs_a_recipient(talk) -> None:
    client = talk()
    assert client.say("DATA\r\n").startswith("503")
    client.envelope("anna@elsewhere.test")
    assert client.say("DATA\r\n").startswith("554 5.5.1 No valid recipients")
    client.envelope()
    client.say("RCPT TO:<anna@accept.test>\r\n")
    assert client.say("DATA x\r\n").startswith("501")


def test_a_message_larger_than_announced(talk) -> None:
    client = talk("small")
    assert client.send("anna@small.test", message=b"x" * 5000 + b"\r\n").startswith("552 5.3.4")
    assert client.store.kept == []
    assert client.send("anna@small.test").startswith("250")


def test_greylisting_knows_sender_and_recipient(talk) -> None:
    client = talk("greylist", speed=600.0)
    refusal = client.say("MAIL FROM:<a@b.example>\r\nRCPT TO:<anna@greylist.test>\r\n").splitlines()[1]
    assert refusal == "451 4.7.1 Greylisted, try again in 300 seconds"
    client.say("RSET\r\n")
    client.clock.advance(0.51)
    assert client.envelope("anna@greylist.test", "bo@greylist.test", sender="a@b.example") == ["250", "250", "451"]
    client.say("RSET\r\n")
    assert client.envelope("anna@greylist.test", sender="other@b.example") == ["250", "451"]


def test_a_rate(talk) -> None:
    client = talk("rate")
    said = [client.send(f"u{number}@rate.test")[:3] for number in range(30)]
    assert said.count("250") == 20
    assert "450" in client.envelope()[0]
    client.clock.advance(1.01)
    assert client.send("anna@rate.test").startswith("250")


def test_a_rate_that_is_kept_by_421_to_rcpt(talk) -> None:
    client = talk("secret")
    for number in range(37):
        assert client.send(f"u{number}@secret.test").startswith("250")
    assert client.envelope("anna@secret.test")[-1].startswith("421")
    assert client.closed


def test_closing_without_a_word_after_the_last_message(talk) -> None:
    client = talk("hang-up")
    for _ in range(4):
        assert client.send("anna@hang-up.test").startswith("250")
        assert not client.closed
    assert client.send("anna@hang-up.test").startswith("250"), "the last one is answered"
    assert client.closed == "closed"
    client.connect()
    assert not client.closed


def test_421_to_the_mail_that_is_too_many(talk) -> None:
    client = talk("short")
    for _ in range(5):
        assert client.send("anna@short.test").startswith("250")
    assert not client.closed
    assert client.envelope() == ["421"]
    assert client.closed
    assert client.network.totals.rejected_at_limit == 1


def test_two_codes_at_the_dot(talk) -> None:
    client = talk("accept", Behaviour(Step.DOT, LATER, share=0.5))
    said = [client.send(f"u{number}@accept.test")[:3] for number in range(100)]
    assert 25 < said.count("451") < 75
    assert len(client.store.kept) == said.count("250")
    assert client.network.totals.deferred == said.count("451")


@pytest.mark.parametrize(("then", "closed"), [(Then.CLOSE, "closed"), (Then.SILENCE, "")])
def test_a_message_kept_whose_reply_never_comes(talk, then: Then, closed: str) -> None:
    client = talk("accept", Behaviour(Step.DOT, b"", then, stores=True, tries=1))
    assert client.send("anna@accept.test") == ""
    assert client.closed == closed
    client.connect()
    assert client.hello().send("anna@accept.test").startswith("250")
    assert [kept["answered"] for kept in client.store.kept] == [False, True]
    assert client.network.totals.unanswered == 1


def test_a_client_that_leaves_while_its_message_waits(talk) -> None:
    client = talk("accept", Behaviour(Step.DOT, wait=5.0))
    assert client.send("anna@accept.test") == ""
    client.session.lost()
    assert [kept["answered"] for kept in client.store.kept] == [False]
    client.clock.advance(10)
    assert len(client.store.kept) == 1


def test_a_client_that_waits(talk) -> None:
    client = talk("accept", Behaviour(Step.DOT, wait=5.0))
    client.send("anna@accept.test")
    client.clock.advance(5)
    assert client.heard().startswith("250")
    client.session.lost()
    assert [kept["answered"] for kept in client.store.kept] == [True]


def test_what_an_address_asks_for(talk) -> None:
    client = talk()
    codes = client.envelope(
        "bounce@accept.test", "bounce+553@accept.test", "tempfail+1@accept.test", "full@accept.test", "anna@accept.test"
    )
    assert codes == ["250", "550", "553", "451", "552", "250"]
    client.say("RSET\r\n")
    assert client.envelope("tempfail+1@accept.test", "tempfail@accept.test") == ["250", "250", "451"]


def test_what_an_address_asks_for_at_the_dot(talk) -> None:
    client = talk()
    assert client.send("anna@accept.test", "spam@accept.test").startswith("550 5.7.1")
    assert client.send("anna@accept.test").startswith("250"), "it is over with its message"
    assert client.send("keep-silent@accept.test") == ""
    client.connect()
    assert client.hello().send("keep-silent@accept.test").startswith("250")


def test_wrong_answers_to_data(talk) -> None:
    client = talk("wrong-class")
    client.envelope("anna@wrong-class.test")
    assert client.say("DATA\r\n").startswith("250")
    assert client.say("Subject: x\r\n").startswith("500"), "it does not read a message"


class TestChunking:
    def test_two_chunks_and_the_last(self, talk) -> None:
        client = talk("chunking")
        assert client.envelope("anna@chunking.test") == ["250", "250"]
        assert client.say(b"BDAT 6\r\na\r\n.\r\n") == "250 2.0.0 6 bytes\r\n"
        assert client.say(b"BDAT 3 LAST\r\nb\r\nQUIT\r\n").startswith("250 2.0.0 Ok: queued")
        assert client.store.kept[0]["message"] == b"a\r\n.\r\nb\r\n"

    @pytest.mark.parametrize("size", [1, 3, 1000])
    def test_many_in_one_write(self, talk, size: int) -> None:
        client = talk("chunking")
        one = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<anna@chunking.test>\r\nBDAT 4 LAST\r\n..x\n"
        wire = one * 3 + b"QUIT\r\n"
        said = "".join(client.say(wire[at : at + size]) for at in range(0, len(wire), size))
        assert [line[:3] for line in said.splitlines()] == ["250"] * 9 + ["221"]
        assert [kept["message"] for kept in client.store.kept] == [b"..x\n"] * 3

    def test_an_empty_last_chunk(self, talk) -> None:
        client = talk("chunking")
        client.envelope("anna@chunking.test")
        client.say(b"BDAT 2\r\nhi")
        assert client.say(b"BDAT 0 LAST\r\n").startswith("250 2.0.0 Ok: queued")
        assert client.store.kept[0]["message"] == b"hi"

    def test_without_a_recipient_its_bytes_are_read_all_the_same(self, talk) -> None:
        client = talk("chunking")
        client.envelope()
        assert client.say(b"BDAT 6\r\nNOOP\r\nNOOP\r\n") == "503 5.5.1 RCPT first\r\n250 2.0.0 Ok\r\n"
        assert client.say(b"BDAT 6 LAST\r\nNOOP\r\n") == "554 5.5.1 No valid recipients\r\n"
        assert client.store.kept == []

    def test_data_in_the_middle(self, talk) -> None:
        client = talk("chunking")
        client.envelope("anna@chunking.test")
        client.say(b"BDAT 2\r\nhi")
        assert client.say("DATA\r\n").startswith("503")
        assert client.say("RSET\r\n").startswith("250")
        assert client.send("anna@chunking.test").startswith("250")

    @pytest.mark.parametrize("line", ["BDAT", "BDAT x", "BDAT -1", "BDAT 12 last now", "BDAT 1234567890"])
    def test_nonsense(self, talk, line: str) -> None:
        assert talk("chunking").say(line + "\r\n").startswith("501")


class TestInTheMiddle:
    def test_refused_before_it_is_complete(self, talk) -> None:
        client = talk("accept", Behaviour(Step.BODY, b"550 5.7.1 not this\r\n", Then.CLOSE, after=100))
        client.envelope("anna@accept.test")
        client.say("DATA\r\n")
        assert client.say(b"x" * 78 + b"\r\n") == ""
        assert client.say(b"y" * 78 + b"\r\n") == "550 5.7.1 not this\r\n"
        assert client.closed
        assert client.store.kept == []

    def test_a_whole_message_at_once_is_refused_too(self, talk) -> None:
        client = talk("accept", Behaviour(Step.BODY, b"550 5.7.1 not this\r\n", Then.CLOSE))
        assert client.send("anna@accept.test") == "550 5.7.1 not this\r\n"
        assert client.store.kept == []

    def test_said_early_and_read_to_the_end(self, talk) -> None:
        client = talk("accept", Behaviour(Step.BODY, b"250 early\r\n"))
        said = client.send("anna@accept.test")
        assert said.startswith("250 early\r\n250 2.0.0 Ok")
        assert len(client.store.kept) == 1

    def test_only_at_the_first_tries(self, talk) -> None:
        client = talk("accept", Behaviour(Step.BODY, b"", Then.ABORT, tries=1))
        assert client.send("anna@accept.test") == ""
        assert client.closed == "aborted"
        client.connect()
        assert client.hello().send("anna@accept.test").startswith("250")


def test_a_message_is_asked_for_though_nobody_gets_it(talk) -> None:
    client = talk("accept", Behaviour(Step.RCPT, b"550 no\r\n"), open_data=True)
    assert client.envelope("anna@accept.test") == ["250", "550"]
    assert client.say("DATA\r\n").startswith("354")
    assert client.say(".\r\n").startswith("554")
    assert client.store.kept == []


class TestHostileChunking:
    def test_refused_although_offered(self, talk) -> None:
        client = talk("chunking", Behaviour(Step.CHUNK, b"502 5.5.1 no\r\n"))
        client.envelope("anna@chunking.test")
        assert client.say(b"BDAT 4 LAST\r\nNOOPNOOP\r\n") == "502 5.5.1 no\r\n250 2.0.0 Ok\r\n", "its bytes are read"
        assert client.store.kept == []
        assert client.say("MAIL FROM:<a@b.example>\r\n").startswith("503"), "the transaction is still open"
        client.say("RSET\r\n")
        assert client.send("anna@chunking.test").startswith("250"), "DATA it takes"

    def test_answered_twice(self, talk) -> None:
        client = talk("chunking", Behaviour(Step.DOT, b"250 a\r\n250 b\r\n", does=True))
        client.envelope("anna@chunking.test")
        assert client.say(b"BDAT 2 LAST\r\nhi") == "250 a\r\n250 b\r\n"
        assert len(client.store.kept) == 1
