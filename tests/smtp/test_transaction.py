from __future__ import annotations

import pytest

from bulkmail.mail import Category
from bulkmail.smtp.capabilities import NONE, Capabilities
from bulkmail.smtp.table import Slot
from bulkmail.smtp.transaction import Transaction, check, envelope, mail_command, obstacle

EVERYTHING = Capabilities(size_offered=True, size=100, eight_bit=True, pipelining=True, smtputf8=True)


def make(sender: str = "s@me.example", to: str = "r@you.example", message: bytes = b"hi\r\n") -> Transaction:
    return Transaction(sender, (to,), message)


@pytest.mark.parametrize("bad", ["\r", "\n", "\0", "\x1f", "\x7f", "\udc80"])
@pytest.mark.parametrize("quoted", [False, True])
def test_control_characters_never_reach_a_command(bad: str, quoted: bool):
    address = f'"a{bad}b"@x.example' if quoted else f"a{bad}b@x.example"
    for transaction in (make(sender=address), make(to=address)):
        with pytest.raises(ValueError, match="character"):
            check(transaction)


@pytest.mark.parametrize("address", ["a@x.example> SIZE=1", "a@x>RCPT", "<a@x.example", "a b@x.example"])
def test_what_ends_a_path_is_refused(address: str):
    with pytest.raises(ValueError, match="character"):
        check(make(to=address))


def test_a_quoted_local_part_may_hold_spaces_and_brackets():
    check(make(to='"a> b<"@x.example'))


def test_recipients_are_needed_and_the_null_sender_is_not_refused():
    check(make(sender=""))
    with pytest.raises(ValueError, match="empty"):
        check(make(to=""))
    with pytest.raises(ValueError, match="needs a recipient"):
        check(Transaction("s@me.example", (), b"hi\r\n"))


def test_a_bare_line_end_in_the_message_is_refused():
    with pytest.raises(ValueError, match="bare CR or LF"):
        check(make(message=b"a\nb\r\n"))


def rcpts(transaction: Transaction, capabilities: Capabilities) -> list[str]:
    """The RCPT lines, once MAIL was seen to stand before them and each to have the index of its recipient."""
    (slot, index, line), *rest = envelope(transaction, capabilities)
    assert (slot, index, line) == (Slot.MAIL, 0, mail_command(transaction, capabilities))
    assert [(slot, index) for slot, index, _ in rest] == [(Slot.RCPT, n) for n in range(len(transaction.recipients))]
    return [line for _, _, line in rest]


def test_parameters_are_written_only_where_offered_and_needed():
    assert mail_command(make(), NONE) == "MAIL FROM:<s@me.example>\r\n"
    assert mail_command(make(), EVERYTHING) == "MAIL FROM:<s@me.example> SIZE=4\r\n"
    odd = make(to="grüße@you.example", message="ä\r\n".encode())
    assert mail_command(odd, EVERYTHING) == "MAIL FROM:<s@me.example> SIZE=4 BODY=8BITMIME SMTPUTF8\r\n"
    assert rcpts(make(), EVERYTHING) == ["RCPT TO:<r@you.example>\r\n"]


def test_reports_are_asked_for_where_dsn_is_offered():
    offered = Capabilities(dsn=True)
    asking = Transaction("s@me.example", ("a@x.example", "b@x.example"), b"\r\n", notify="FAILURE")
    assert mail_command(asking, offered) == "MAIL FROM:<s@me.example> RET=HDRS\r\n"
    assert rcpts(asking, offered) == [
        f"RCPT TO:<{n}@x.example> NOTIFY=FAILURE ORCPT=rfc822;{n}@x.example\r\n" for n in "ab"
    ]
    asking.envelope_id = "t+k=1"
    assert mail_command(asking, offered) == "MAIL FROM:<s@me.example> RET=HDRS ENVID=t+2Bk+3D1\r\n"
    assert mail_command(asking, NONE) == "MAIL FROM:<s@me.example>\r\n"
    assert rcpts(asking, NONE)[0] == rcpts(make(to="a@x.example"), offered)[0]


def test_what_the_extensions_rule_out():
    assert obstacle(make(), NONE) is None
    assert obstacle(make(message=b"x" * 98 + b"\r\n"), EVERYTHING) is None
    large = obstacle(make(message=b"x" * 99 + b"\r\n"), EVERYTHING)
    assert large is not None
    assert large.note == "5.3.4 message of 101 bytes exceeds the receiver's limit of 100"
    assert large.category is Category.TOO_LARGE
    utf8 = obstacle(make(sender="ü@me.example"), NONE)
    assert utf8 is not None
    assert utf8.note.startswith("5.6.7 ")
    eight_bit = obstacle(make(message=b"\xe4\r\n"), NONE)
    assert eight_bit is not None
    assert eight_bit.note.startswith("5.6.3 ")


def test_a_plain_message_is_neither_checked_nor_stuffed(talk):
    trusted = Transaction("s@me.example", ("r@you.example",), b"as it is\r\n", plain=True)
    check(trusted)
    spoken = talk().ready()
    spoken.told(spoken.session.submit(trusted))
    for line in ("250 s", "250 r", "354 go"):
        spoken.hear(line)
    assert spoken.said == b"as it is\r\n.\r\n"
