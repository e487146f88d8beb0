"""Whose turn it is, and the ways a session ends."""

from __future__ import annotations

import pytest

from bulkmail.mail import Category, Stage
from bulkmail.smtp import Closed, Phase, Session, Slot


def test_a_name_that_could_break_a_command_is_no_name():
    for name in ("", "a b", "a\r\nMAIL", "mx\u00e4"):
        with pytest.raises(ValueError, match="host name"):
            Session(hostname=name)


def test_quit_waits_for_what_is_under_way(talk):
    spoken = talk().ready()
    spoken.submit()
    spoken.session.quit()
    for line in ("250 s", "250 r", "354 go"):
        spoken.hear(line)
    events = spoken.hear("250 ok")
    assert spoken.said == b"QUIT\r\n"
    assert [type(event).__name__ for event in events] == ["Settled", "TransactionOver"]


def test_quit_before_the_greeting_takes_the_first_chance(talk):
    spoken = talk()
    spoken.session.quit()
    spoken.hear("220 mx")
    assert spoken.hear("250 mx") == []
    assert spoken.said == b"QUIT\r\n"


@pytest.mark.parametrize(
    ("end", "category"),
    [
        (lambda session: session.eof("why"), Category.CONNECTION),
        (lambda session: session.deadline("why"), Category.NO_ANSWER),
        (lambda session: session.tls_failed("why"), Category.TLS),
        (lambda session: session.abandon("why"), None),
    ],
)
def test_each_end_is_told_once_and_nothing_follows(talk, end, category):
    spoken = talk()
    spoken.hear("220 mx")
    assert end(spoken.session) == [Closed(Stage.EHLO, None, "why", category)]
    assert (spoken.session.phase, spoken.session.patience, spoken.session.owed) == (Phase.CLOSED, None, None)
    assert spoken.session.output_pending is False
    assert spoken.session.receive(b"250 mx\r\n") == spoken.session.eof() == spoken.session.abandon("again") == []


def test_what_an_operator_reads_of_it(talk):
    spoken = talk()
    assert repr(spoken.session) == "<Session greeting: owed greeting; 1 asked; 0 submitted>"
    spoken.ready("PIPELINING").submit("a@x.example", "b@x.example")
    assert repr(spoken.session) == ("<Session envelope: owed MAIL, RCPT[0], RCPT[1], DATA; 4 asked; 1 submitted>")
    assert (spoken.session.owed, spoken.session.patience) == (Slot.MAIL, "mail")
