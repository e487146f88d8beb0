from __future__ import annotations

import os

import pytest

from bulkmail.rehearsal.store import MESSAGES, RECEIVED, Received, ReceivedMessage, Store, body_of, message_id_of, read

ONE = b"Received: x\r\nMessage-ID: <a.b@news.example>\r\n\r\none\r\n"
TWO = b"message-id:\r\n <c.d@news.example>\r\nSubject: x\r\n\r\ntwo \xff\r\n"


def add(store: Store, message: bytes, *recipients: str, answered: bool = True) -> None:
    store.add(
        ReceivedMessage(
            at=1_700_000_000.25,
            mx="mx.shop.example",
            ip="127.77.0.5",
            source_ip="127.0.0.1",
            mail_from="news@shop.example",
            recipients=list(recipients),
            message=message,
            tls="TLSv1.3",
            answered=answered,
        )
    )


@pytest.fixture
def folder(tmp_path) -> str:
    return str(tmp_path / "store")


def test_what_is_kept_is_read_again(folder: str) -> None:
    store = Store(folder, bodies=10)
    add(store, ONE, "anna@shop.example", '"b\\"o"@shop.example', "jürgen@shop.example")
    add(store, TWO, "\udcff@shop.example", answered=False)
    store.close()
    found = list(read(folder))
    assert found[0] == Received(
        at=1_700_000_000.25,
        mx="mx.shop.example",
        ip="127.77.0.5",
        source_ip="127.0.0.1",
        mail_from="news@shop.example",
        rcpt="anna@shop.example",
        message_id="<a.b@news.example>",
        size=len(ONE),
        offset=0,
        length=len(ONE),
        tls="TLSv1.3",
        answered=True,
    )
    assert [line.rcpt for line in found] == [
        "anna@shop.example", '"b\\"o"@shop.example', "jürgen@shop.example", "\udcff@shop.example",
    ]  # fmt: skip
    assert [body_of(folder, line) for line in found] == [ONE, ONE, ONE, TWO]
    assert (found[3].message_id, found[3].answered) == ("<c.d@news.example>", False)


def test_only_the_first_bodies_are_kept(folder: str) -> None:
    store = Store(folder, bodies=1)
    add(store, ONE, "a@x.example")
    add(store, TWO, "b@x.example")
    store.close()
    first, second = read(folder)
    assert body_of(folder, first) == ONE
    assert (second.offset, second.length, second.size) == (None, 0, len(TWO))
    with pytest.raises(LookupError, match="were not kept"):
        body_of(folder, second)
    assert os.path.getsize(os.path.join(folder, MESSAGES)) == len(ONE)


def test_it_is_held_back_until_it_is_flushed(folder: str) -> None:
    store = Store(folder, bodies=10)
    add(store, ONE, "a@x.example")
    assert list(read(folder)) == []
    store.flush()
    assert len(list(read(folder))) == 1
    store.flush()
    store.close()
    assert len(list(read(folder))) == 1


def test_not_much_is_held_back(folder: str) -> None:
    store = Store(folder, bodies=1000)
    for _ in range(50):
        add(store, b"x" * 100_000, "a@x.example")
    assert store._held <= 4_100_000
    assert os.path.getsize(os.path.join(folder, MESSAGES)) > 4_000_000
    store.close()


def test_a_torn_line_is_left_out_and_the_next_run_goes_on(folder: str) -> None:
    store = Store(folder, bodies=10)
    add(store, ONE, "a@x.example")
    add(store, ONE, "b@x.example")
    store.close()
    path = os.path.join(folder, RECEIVED)
    os.truncate(path, os.path.getsize(path) - 10)
    assert [line.rcpt for line in read(folder)] == ["a@x.example"]
    store = Store(folder, bodies=10)
    add(store, TWO, "c@x.example")
    store.close()
    found = list(read(folder))
    assert [line.rcpt for line in found] == ["a@x.example", "c@x.example"]
    assert body_of(folder, found[1]) == TWO


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (ONE, "<a.b@news.example>"), (TWO, "<c.d@news.example>"), (b"", ""), (b"Subject: x\r\n\r\n", ""),
        (b"Subject: x\r\n\r\nMessage-ID: <in@the.body>\r\n", ""), (b"Message-ID: <a@x.example>", "<a@x.example>"),
        (b"X: 1\r\nMessage-ID: <cut\r\n\r\n", ""), (b"X-Message-ID: <a@b>\r\n\r\n", ""),
        (b"\r\nMessage-ID: <in@the.body>\r\n\r\n", ""),
    ],
)  # fmt: skip
def test_the_message_id(message: bytes, expected: str) -> None:
    assert message_id_of(message) == expected
