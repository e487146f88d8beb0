"""Log lines that a flood cannot multiply."""

from __future__ import annotations

from bulkmail.inbound.lines import Lines, shown


def test_so_many_a_second_and_the_rest_is_counted():
    now, written = [0.0], []
    lines = Lines(written.append, lambda: now[0], 2)
    for number in range(5):
        lines.say(f"line {number}")
    now[0] = 1.0
    lines.say("later")
    lines.close()
    assert written == ["line 0", "line 1", "inbound: 3 lines of this kind were left out", "later"]


def test_one_a_minute():
    now, written = [0.0], []
    lines = Lines(written.append, lambda: now[0], 1, 60.0)
    for now[0] in (0.0, 30.0, 59.9, 61.0):
        lines.say(f"at {now[0]:g}")
    assert written == ["at 0", "inbound: 2 lines of this kind were left out", "at 61"]


def test_a_line_that_is_left_out_is_not_made():
    made, written = [], []
    lines = Lines(written.append, lambda: 0.0, 1)
    for number in range(3):
        lines.say(lambda number=number: made.append(number) or f"line {number}")
    assert (made, written) == ([0], ["line 0"])


def test_what_clients_say_stays_on_one_line():
    assert shown("a\r\n\x1b[31mb") == "a\\r\\n\\x1b[31mb"
    assert shown("\u202e") == "\\u202e"
    assert len(shown("x" * 10_000)) == 500
