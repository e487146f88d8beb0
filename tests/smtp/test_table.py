"""The table itself, and every cell of it played."""

from __future__ import annotations

import pytest

from bulkmail.smtp import Credentials, Phase, Session, Slot, TlsMode
from bulkmail.smtp.table import RULES, SLOTS

# How to get to a slot: the lines that come before, and what becomes of each class of reply there.
BEFORE = {
    Slot.BANNER: (),
    Slot.EHLO: ("220 mx",),
    Slot.HELO: ("220 mx", "502 what"),
    Slot.STARTTLS: ("220 mx", "250-mx|250 STARTTLS"),
    Slot.TLS: ("220 mx", "250-mx|250 STARTTLS", "220 go"),
    Slot.AUTH: ("220 mx", "250-mx|250 AUTH CRAM-MD5"),
    Slot.MAIL: ("220 mx", "250 mx", "submit"),
    Slot.RCPT: ("220 mx", "250 mx", "submit", "250 sender"),
    Slot.DATA: ("220 mx", "250 mx", "submit", "250 sender", "250 recipient"),
    Slot.DOT: ("220 mx", "250 mx", "submit", "250 sender", "250 recipient", "354 go"),
    Slot.VOID: ("220 mx", "250-mx|250 PIPELINING", "submit", "550 sender", "250 recipient", "354 go"),
    Slot.RSET: ("220 mx", "250 mx", "submit", "250 sender", "550 recipient"),
    Slot.RESTART: ("220 mx", "250-mx|250-PIPELINING|250 CHUNKING", "submit", "submit_behind", "250 s|250 r|250 d"),
    Slot.BDAT: ("220 mx", "250-mx|250-PIPELINING|250 CHUNKING", "submit", "250 s|250 r"),
    Slot.QUIT: ("220 mx", "250 mx", "quit"),
}
AFTER = {
    Slot.BANNER: {2: Phase.HELLO, 4: Phase.CLOSED, 5: Phase.CLOSED},
    Slot.EHLO: {2: Phase.READY, 4: Phase.CLOSED, 5: Phase.HELLO},
    Slot.HELO: {2: Phase.READY, 4: Phase.CLOSED, 5: Phase.CLOSED},
    Slot.STARTTLS: {2: Phase.HANDSHAKE, 4: Phase.READY, 5: Phase.READY},
    Slot.TLS: {},
    Slot.AUTH: {2: Phase.READY, 3: Phase.AUTH, 4: Phase.CLOSED, 5: Phase.CLOSED},
    Slot.MAIL: {2: Phase.ENVELOPE, 4: Phase.READY, 5: Phase.READY},
    Slot.RCPT: {2: Phase.ENVELOPE, 4: Phase.RESET, 5: Phase.RESET},
    Slot.DATA: {3: Phase.BODY, 4: Phase.RESET, 5: Phase.RESET},
    Slot.DOT: {2: Phase.READY, 4: Phase.RESET, 5: Phase.RESET},
    Slot.RESTART: {2: Phase.ENVELOPE},
    Slot.BDAT: {2: Phase.READY, 4: Phase.READY, 5: Phase.READY},
    Slot.VOID: {2: Phase.READY, 4: Phase.READY, 5: Phase.READY},
    Slot.RSET: {2: Phase.READY, 4: Phase.CLOSED, 5: Phase.CLOSED},
    Slot.QUIT: {2: Phase.CLOSED, 4: Phase.CLOSED, 5: Phase.CLOSED},
}


def at(talk, slot: Slot):
    signing_in = {"tls": TlsMode.OFF, "credentials": Credentials("me", "secret")} if slot is Slot.AUTH else {}
    spoken = talk(**{"tls": TlsMode.OPPORTUNISTIC, **signing_in})
    for step in BEFORE[slot]:
        if step == "submit":
            spoken.submit()
        elif step == "submit_behind":
            spoken.submit_behind()
        elif step == "quit":
            spoken.session.quit()
            spoken.drain()
        else:
            spoken.hear(*step.split("|"))
    assert spoken.session.owed is slot
    return spoken


def test_the_table_is_whole_and_names_methods():
    assert set(SLOTS) == set(RULES) == set(Slot)
    assert RULES[Slot.TLS] == {}  # nothing is read as a reply during the handshake
    for rules in (rules for slot, rules in RULES.items() if slot is not Slot.TLS):
        assert set(rules) <= {2, 3, 4, 5}
        assert {4, 5} <= set(rules) or rules == RULES[Slot.RESTART]  # which no server refuses that keeps count
        for name in rules.values():
            assert callable(getattr(Session, name))


@pytest.mark.parametrize("slot", Slot)
@pytest.mark.parametrize("digit", [2, 3, 4, 5])
def test_each_class_of_reply_in_each_slot(talk, slot: Slot, digit: int):
    spoken = at(talk, slot)
    assert spoken.session.phase is SLOTS[slot].phase
    assert spoken.session.patience == SLOTS[slot].patience
    assert str(slot) in repr(spoken.session)
    spoken.hear(f"{digit}50 text")
    assert spoken.session.phase is AFTER[slot].get(digit, Phase.CLOSED)


@pytest.mark.parametrize("slot", Slot)
def test_421_ends_the_session_in_each_slot(talk, slot: Slot):
    spoken = at(talk, slot)
    closed = spoken.hear("421 4.3.2 shutting down")[-1]
    assert (closed.reply.code, closed.stage) == (421, SLOTS[slot].stage)
    assert spoken.session.phase is Phase.CLOSED
    assert spoken.said == b""
