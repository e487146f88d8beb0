"""The octets of a message: its end, its dots, its line ends, its size."""

from __future__ import annotations

from tempfile import TemporaryFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.inbound.body import Body
from bulkmail.inbound.limits import Room
from bulkmail.inbound.octets import IN_MEMORY
from bulkmail.smtp import stuff

LINES = st.lists(st.binary(max_size=6).filter(lambda line: not set(b"\r\n") & set(line)), max_size=8)


def body(limit=1000, memory=1_000_000, spill=TemporaryFile):
    room = Room(memory)
    return Body(limit, room.share("192.0.2.1"), spill), room


@given(LINES, st.lists(st.integers(1, 9), max_size=30), st.binary(max_size=5))
def test_what_was_stuffed_comes_out_wherever_it_is_cut(lines, cuts, behind):
    message = b"".join(line + b"\r\n" for line in lines)
    wire = stuff(message) + b".\r\n" + behind
    reading, _ = body()
    rest = None
    while rest is None:
        cut = cuts.pop() if cuts else len(wire)
        rest, wire = reading.feed(wire[:cut]), wire[cut:]
    assert reading.message().whole() == message
    assert rest + wire == behind
    assert reading.refusal is None


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n\r.\r\n", b"\r\r\n.\r\r\n"]
)
@pytest.mark.parametrize("whole", [True, False])
def test_no_other_end_ends_it_and_it_is_refused(end, whole):
    reading, _ = body()
    wire = b"Subject: x\r\n\r\ntext" + end + b"MAIL FROM:<evil@example.com>\r\n"
    found = [reading.feed(piece) for piece in ([wire] if whole else [bytes([one]) for one in wire])]
    assert set(found) == {None}
    assert reading.hopeless
    assert reading.refusal.code == 554


def test_a_dot_in_the_first_line_counts():
    reading, _ = body()
    assert reading.feed(b".\r\n") == b""
    assert reading.message().whole() == b""
    reading, _ = body()
    assert reading.feed(b".x\r\n..\r\n.\r\n") == b""
    assert reading.message().whole() == b"x\r\n.\r\n"


def test_what_is_too_large_is_read_to_its_end_and_gives_its_memory_back():
    reading, room = body(limit=100)
    assert reading.feed(b"a" * 90 + b"\r\n") is None
    assert room.free == 1_000_000 - 92
    assert reading.feed(b"b" * 50) is None
    assert room.free == 1_000_000
    assert reading.feed(b"\r\n.") is None
    assert reading.feed(b"\r\nQUIT\r\n") == b"QUIT\r\n"
    assert reading.refusal.code == 552
    assert not reading.hopeless


def test_what_has_no_end_is_given_up():
    reading, _ = body(limit=100)
    for _ in range(2):
        assert reading.feed(b"b" * 100) is None
    assert not reading.hopeless
    assert reading.feed(b"b") is None
    assert reading.hopeless


def test_the_limit_is_that_of_the_message_without_its_end():
    reading, _ = body(limit=10)
    assert reading.feed(b"12345678\r\n.\r\n") == b""
    assert reading.refusal is None
    reading, _ = body(limit=10)
    assert reading.feed(b"123456789\r\n.\r\n") == b""
    assert reading.refusal.code == 552


def test_where_memory_is_short_the_client_is_to_come_back():
    reading, _ = body(limit=1000, memory=400)
    assert reading.feed(b"a" * 150 + b"\r\n.\r\n") == b""
    assert reading.refusal.code == 452
    reading, room = body(limit=1000, memory=400)
    assert reading.feed(b"a" * 150) is None
    assert (reading.refusal.code, reading.hopeless, room.free) == (452, True, 400)


def test_what_is_beyond_some_octets_goes_into_a_file_at_once(tmp_path):
    made = []

    def spill():
        made.append(TemporaryFile(dir=tmp_path))  # noqa: SIM115 - it is the body's to close
        return made[-1]

    reading, _ = body(limit=10 * IN_MEMORY, memory=100 * IN_MEMORY, spill=spill)
    line = b"..x" * 1000 + b"\r\n"
    lines = 4 * IN_MEMORY // len(line)
    for number in range(lines):
        assert reading.feed(line[:7]) is None
        assert reading.feed(line[7:]) is None
        assert len(made) == (number * (len(line) - 1) + len(line) - 3 > IN_MEMORY)
    assert reading.feed(b".\r\nQUIT\r\n") == b"QUIT\r\n"
    message = reading.message()
    assert message.whole() == line[1:] * lines
    assert not message.in_memory
    message.close()
    assert made[0].closed
    assert list(tmp_path.iterdir()) == []


def test_what_was_kept_of_a_message_that_is_refused_is_dropped():
    made = []

    def spill():
        made.append(TemporaryFile())  # noqa: SIM115 - it is the body's to close
        return made[-1]

    reading, room = body(limit=2 * IN_MEMORY, spill=spill)
    reading.feed(b"x" * (IN_MEMORY + 1))
    reading.feed(b"\r\n")
    assert not made[0].closed
    reading.feed(b"x" * (IN_MEMORY + 10))
    assert (reading.refusal.code, made[0].closed, room.free) == (552, True, 1_000_000)


def test_a_disk_that_is_full_is_told_as_such():
    def spill():
        raise OSError(28, "No space left on device")

    reading, room = body(limit=2 * IN_MEMORY, spill=spill)
    assert reading.feed(b"x" * (IN_MEMORY + 1)) is None
    assert (reading.refusal.code, reading.refusal.enhanced, reading.hopeless) == (452, "4.3.1", True)
    assert "No space left" in reading.refusal.text
    assert room.free == 1_000_000
