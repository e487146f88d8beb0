"""Reports of known truth, mutated: what a reader makes of them must blame nobody but whom they were about."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

from bulkmail.mail import token
from bulkmail.returns import Action, Return, Weight
from tests.returns import samples
from tests.returns.samples import ADDRESS, TOKEN, block, blocks, octets, report

KEY = b"k" * 32
PEOPLE = 200  # recipients of the same campaign, whose tokens and addresses stand beside the report's own


@cache
def known_tokens() -> dict[str, str]:
    """The addresses of the campaign by their tokens."""
    others = {token(KEY, number): f"person{number}@d.example" for number in range(1, PEOPLE)}
    return {TOKEN: ADDRESS, **others}


@cache
def _others() -> tuple[str, ...]:
    return tuple(one for one in known_tokens() if one != TOKEN)


def _meaning(token: str) -> tuple[int, int] | None:
    """The campaign and the number of a token, as `mail.read_token` gives them."""
    return (1, 1 + list(known_tokens()).index(token)) if token in known_tokens() else None


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mutated report, the envelope recipient it came to, and whose failure it may tell of (with which weights)."""

    message: bytes
    recipient: str
    failed: dict[str, frozenset[Weight]]

    def wrong(self, given: Return) -> str:
        """What is wrong with a reading, a sentence, else ``""``: it blames somebody who did not fail, or too hard."""
        token = given.attributed(_meaning)
        blamed = known_tokens().get(token)
        if blamed is None:
            return ""
        found = given.block_for(blamed, token)
        if found is None or found.action is not Action.FAILED or found.weight is None:
            return ""
        allowed = self.failed.get(blamed)
        if allowed is None:
            return f"{blamed} did not fail, and is said to have"
        if found.weight is Weight.HARD and found.weight not in allowed:
            return f"{blamed} failed {sorted(allowed)}, and is said to have failed hard"
        return ""


_ANY = frozenset(Weight)
_HARD = frozenset({Weight.HARD})
_BLOCKED = frozenset({Weight.BLOCKED})
_SOFT = frozenset({Weight.SOFT})


@cache
def _bases() -> tuple[tuple[bytes, dict[str, frozenset[Weight]]], ...]:
    neighbour = known_tokens()[_others()[0]]
    both = report(
        blocks(
            block(neighbour, diagnostic=f"smtp; 550 5.1.1 <{neighbour}> User unknown"),
            block(ADDRESS, status="5.0.0", diagnostic="smtp; 550 5.7.1 blocked by policy"),
        ),
        text=f"<{neighbour}>: 550 5.1.1 User unknown\n\n<{ADDRESS}>: 550 5.7.1 blocked by policy\n",
    )
    mixed = report(
        blocks(
            block(neighbour, diagnostic=f"smtp; 550 5.1.1 <{neighbour}> User unknown"),
            block(ADDRESS, action="delayed", status="4.2.2", diagnostic="smtp; 452 4.2.2 over quota"),
        ),
        text=f"<{neighbour}>: 550 5.1.1 User unknown\n\n<{ADDRESS}>: 452 4.2.2 over quota\n",
    )
    shown = octets(
        f"To: {samples.PATH}\nFrom: Mailer-Daemon@gw.example\nSubject: Message status - undeliverable\n\n"
        f"The attached file had the following undeliverable recipient(s):\n\t{neighbour}\n\t{ADDRESS}\n\n"
        f"Transcript of session follows:\n  Command: RCPT TO:<{neighbour}>\n  Response: 550 5.1.1 User unknown\n"
        f"  Command: RCPT TO:<{ADDRESS}>\n  Response: 550 5.7.1 blocked by policy\n\n{samples.HEADER}"
    )
    soft = report(blocks(block(status="5.4.7")), text=f"{ADDRESS}: Envelope expired\n")
    one = {ADDRESS: _HARD}
    return (
        *((samples.FAILURES[name], one) for name in ("postfix", "exim", "opensmtpd", "courier", "dma")),
        # where two recipients' lines may change places any weight may come out; whom it is about may not
        (samples.SENDMAIL, {ADDRESS: _ANY}),
        (samples.QMAIL, {ADDRESS: _ANY}),
        (samples.NULLMAILER, {}),
        (samples.DOVECOT_FULL, {ADDRESS: _BLOCKED}),
        (both, {ADDRESS: _ANY, neighbour: _HARD}),
        (shown, {ADDRESS: _ANY, neighbour: _ANY}),
        (mixed, {neighbour: _HARD, ADDRESS: _SOFT}),  # where the two Action lines change places
        (soft, {ADDRESS: _SOFT}),
        *((message, {}) for message in samples.OTHERS.values()),
    )


def _lines(dice: random.Random, message: bytes) -> bytes:
    """Drop, double, swap or cut a line."""
    lines = message.split(b"\r\n")
    at, to = dice.randrange(len(lines)), dice.randrange(len(lines))
    what = dice.randrange(5)
    if what == 0:
        del lines[at]
    elif what == 1:
        lines.insert(to, lines[at])
    elif what == 2:
        lines[at], lines[to] = lines[to], lines[at]
    elif what == 3:
        lines[at] = lines[at][: dice.randrange(len(lines[at]) + 1)]
    else:
        del lines[min(at, to) : min(at, to) + dice.randrange(1, 12)]
    return b"\r\n".join(lines)


def _octets(dice: random.Random, message: bytes) -> bytes:
    """Change, drop or add an octet, or cut the message off."""
    at = dice.randrange(len(message) or 1)
    what = dice.randrange(5)
    if what == 0:
        return message[:at] + bytes([dice.randrange(256)]) + message[at + 1 :]
    if what == 1:
        return message[:at] + message[at + 1 :]
    if what == 2:
        return message[:at] + dice.choice((b"\r\n", b" ", b"\x00", b":", b"<", b"--", b"\r\n\r\n")) + message[at:]
    if what == 3 and at > 300:
        return message[:at]
    other = dice.randrange(len(message) or 1)
    return message[:at] + message[other : other + dice.randrange(200)] + message[at:]


def _texts(dice: random.Random, message: bytes) -> bytes:
    """Let texts of other letters, other people's tokens and addresses come in, at the end or in front."""
    stranger = dice.choice(_others())
    piece = dice.choice(
        (
            f"In-Reply-To: <abcdefgh.{stranger}@example.com>\r\n",
            f"X-Seen: {stranger} {known_tokens()[stranger]}\r\n",
            f"References: <q2w3e4r5.{stranger}@example.com>\r\n",
            f"Cc: {known_tokens()[stranger]}\r\n",
        )
    ).encode()
    if dice.randrange(2):
        return piece + message
    return message + b"\r\n" + piece


def mutant(dice: random.Random) -> Mutant:
    """Make one: a report of known truth, changed in one to eight places."""
    message, failed = dice.choice(_bases())
    for _ in range(dice.randrange(1, 9)):
        message = dice.choice((_lines, _lines, _octets, _octets, _texts))(dice, message)
    if (
        not failed
        and message.count(b"Final-Recipient") == 1
        and b"nullmailer" not in message
        and b"x-loc" not in message
    ):
        failed = {ADDRESS: _ANY}  # nothing is left of whom it was about: this is a report about this one recipient
    recipient = samples.PATH if dice.randrange(3) else "bounces@in.example.com"
    return Mutant(message, recipient, failed)
