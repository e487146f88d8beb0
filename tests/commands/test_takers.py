from __future__ import annotations

import errno
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bulkmail.commands.takers import AppendedFile, NotTakenError, Program, Webhook, json_lines, read_secrets, signature
from bulkmail.mail import BulkmailError

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def events(first, last):
    return [
        {"seq": n, "at": f"2026-12-01T00:00:{n:02}.000Z", "reply": "zażółć\n\u2028"} for n in range(first, last + 1)
    ]


def numbers(path):
    return [json.loads(line)["seq"] for line in path.read_bytes().splitlines()]


def test_an_event_is_one_line_of_ascii():
    assert json_lines(events(1, 2)).count(b"\n") == 2
    assert json_lines(events(1, 1)).isascii()


def test_signatures_are_those_of_the_scheme():
    (secret,) = read_secrets(SECRET)
    body = b'{"test": 2432232314}'
    known = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body) == known


@pytest.mark.parametrize("text", ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_?", "whsec_YWJj"])
def test_what_is_no_secret_is_refused_without_being_told(text):
    with pytest.raises(BulkmailError, match="whsec_") as refused:
        read_secrets(text)
    assert not text or text == "whsec_" or text not in str(refused.value)


def test_a_file_is_continued_without_a_torn_or_a_second_line(tmp_path):
    path = tmp_path / "events.jsonl"
    AppendedFile(str(path), 10**9, 3).take("a", events(1, 3))
    with path.open("ab") as file:
        file.write(b'{"seq": 4, "at"')  # killed here
    again = AppendedFile(str(path), 10**9, 3)
    again.take("b", events(3, 5))
    again.take("b", events(3, 5))
    assert numbers(path) == [1, 2, 3, 4, 5]


def test_a_file_of_another_stream_is_refused(tmp_path):
    path = tmp_path / "events.jsonl"
    AppendedFile(str(path), 10**9, 3).take("a", events(50, 51))
    with pytest.raises(BulkmailError, match="has event 51 already, and the next would be 1"):
        AppendedFile(str(path), 10**9, 3).take("a", events(1, 3))


def test_a_file_is_begun_anew_and_so_many_stay(tmp_path):
    path = tmp_path / "events.jsonl"
    for n in range(1, 6):
        AppendedFile(str(path), 10, 2).take("a", events(n, n))
    assert [numbers(tmp_path / name) for name in sorted(os.listdir(tmp_path))] == [[5], [4], [3]]
    one = AppendedFile(str(path), 10, 2)
    path.unlink()  # beneath it
    one.take("a", events(6, 6))
    assert numbers(path) == [6]
    os.rename(path, tmp_path / "events.jsonl.1")  # by logrotate, and then a restart
    AppendedFile(str(path), 10**9, 2).take("a", events(6, 7))
    assert numbers(path) == [7]


def test_a_full_disk_leaves_whole_lines(tmp_path, monkeypatch):
    path = tmp_path / "events.jsonl"
    one = AppendedFile(str(path), 10**9, 2)
    one.take("a", events(1, 1))
    real = os.write

    def full(descriptor, data):
        if len(data) > 20:
            return real(descriptor, bytes(data[:20]))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("bulkmail.commands.takers.os.write", full)
    with pytest.raises(NotTakenError, match="cannot be written"):
        one.take("b", [{"seq": 2, "x": "y"}])
    monkeypatch.undo()
    assert numbers(path) == [1]
    one.take("b", events(2, 2))
    assert numbers(path) == [1, 2]


@pytest.mark.process
def test_a_program_gets_a_batch_on_its_stdin(tmp_path):
    out = tmp_path / "out"
    code = f"import os, sys; open({str(out)!r}, 'a').write(os.environ['BULKMAIL_BATCH'] + ' ' + sys.stdin.read())"
    Program([sys.executable, "-c", code]).take("b_1_2", events(1, 2))
    assert out.read_text() == "b_1_2 " + json_lines(events(1, 2)).decode()
    with pytest.raises(NotTakenError, match="ended with the status 3"):
        Program([sys.executable, "-c", "raise SystemExit(3)"]).take("b", events(1, 9))
    with pytest.raises(NotTakenError, match="cannot be started"):
        Program([str(tmp_path / "none")]).take("b", events(1, 1))


class Receiver(BaseHTTPRequestHandler):
    """Answers what it was told to, one after the other, and remembers what it got."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        status, headers = self.server.answers.pop(0) if self.server.answers else (204, {})
        if status == "close":
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.got, server.answers = [], []
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.loopback
def test_a_batch_is_posted_and_signed_with_every_secret(receiver):
    secrets = read_secrets(f"{SECRET}\nwhsec_{'A' * 32}\n")
    webhook = Webhook(f"{receiver.url}/in?x=1", secrets, lambda: 1700000000.9)
    webhook.take("b_1_2", events(1, 2))
    receiver.answers = [("close", {})]
    webhook.take("b_3_3", events(3, 3))  # on a connection that was closed meanwhile: a new one
    webhook.close()
    (path, headers, body), *more = receiver.got
    assert path == "/in?x=1"
    assert json.loads(body) == {
        "type": "bulkmail.events", "timestamp": events(2, 2)[0]["at"], "data": {"events": events(1, 2)}
    }  # fmt: skip
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("b_1_2", "1700000000")
    signed = [signature(secret, "b_1_2", "1700000000", body) for secret in secrets]
    assert headers["webhook-signature"] == " ".join(signed)
    assert {one[1]["webhook-id"] for one in more} == {"b_3_3"}


@pytest.mark.loopback
def test_what_is_not_taken_is_told_with_the_wait_that_is_asked_for(receiver):
    webhook = Webhook(receiver.url, read_secrets(SECRET), lambda: 1700000000.0)
    date = "Tue, 14 Nov 2023 22:14:20 GMT"  # a minute later
    receiver.answers = [
        (503, {}), (429, {"Retry-After": "7"}), (503, {"Retry-After": date}), (302, {"Location": "/x"}),
        (503, {"Retry-After": "soon"}), (503, {"Retry-After": "99999999"}),
    ]  # fmt: skip
    waits = []
    for _ in range(6):
        with pytest.raises(NotTakenError, match=r"answered (503|429|302)") as error:
            webhook.take("b", events(1, 1))
        waits.append(error.value.after)
    assert waits == [None, 7.0, 60.0, None, None, 3600.0]
    receiver.answers = [(410, {})]
    with pytest.raises(BulkmailError, match="wants no events any more"):
        webhook.take("b", events(1, 1))
    webhook.close()


@pytest.mark.loopback
def test_a_receiver_that_is_not_there():
    with pytest.raises(NotTakenError, match="cannot be reached"):
        Webhook("http://127.0.0.1:1/", read_secrets(SECRET), lambda: 0.0).take("b", events(1, 1))


@pytest.mark.parametrize("url", ["ftp://a/", "http:///x", "https://u:p@a/", "http://a:99999/", "a"])
def test_an_address_that_is_none(url):
    with pytest.raises(BulkmailError, match="must be http:// or https://"):
        Webhook(url, read_secrets(SECRET), lambda: 0.0)
