from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time

import pytest
from twisted.internet import reactor

from bulkmail.mail import CLICKS, OwnFault, Refused, campaign_key, click_path, quoted_target
from bulkmail.mail import token as token_of
from bulkmail.public import PublicServer
from bulkmail.settings import Public
from tests.interop.servers import write_certificate
from tests.public.conftest import ROOT, SERVE
from tests.public.known import KEY, RIGHT, SLOW, WRONG, Known

pytestmark = [pytest.mark.loopback, pytest.mark.process]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def ask(port, method, path, body=None, headers=FORM):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request(method, path, body, headers)
        with connection.getresponse() as response:
            return response.status, response.read().decode()


def test_it_is_served_on_a_port(serving):
    served = serving(name="Example Shop")
    status, text = ask(served.port, "GET", f"/u/{RIGHT}")
    assert (status, "Example Shop" in text) == (200, True)
    assert ask(served.port, "POST", f"/u/{RIGHT}", "List-Unsubscribe=One-Click")[0] == 200
    assert served.asked() == [["find", RIGHT], ["find", RIGHT], ["unsubscribe", RIGHT, "one-click"]]


def test_a_counted_link_leads_on_and_nowhere_else(serving, until):
    served = serving()
    token = token_of(campaign_key(KEY, 3), 1)
    path = CLICKS + click_path(KEY, token, "abcdefgh", quoted_target("https://shop.example/ü?a=1&b=[0]#c"))
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)) as connection:
        connection.request("GET", path, headers={"User-Agent": "Mozilla/5.0"})
        with connection.getresponse() as response:
            assert (response.status, response.read()) == (302, b"")
            assert response.headers["Location"] == "https://shop.example/%C3%BC?a=1&b=[0]#c"
            assert response.headers["Referrer-Policy"] == "no-referrer"
    assert ask(served.port, "GET", path.replace("shop", "evil"))[0] == 404
    assert ask(served.port, "POST", path)[0] == 405
    served.process.terminate()  # what is held is counted then
    until(lambda: ["clicked", "3", "abcdefgh", "1", "0"] in served.asked(), "the click is counted")


def test_what_was_asked_for_is_done_although_the_client_has_gone(serving, until):
    served = serving()
    with socket.create_connection(("127.0.0.1", served.port)) as one:
        one.sendall(
            f"POST /u/{RIGHT} HTTP/1.1\r\nHost: x\r\nContent-Length: 26\r\n\r\nList-Unsubscribe=One-Click".encode()
        )
    until(lambda: ["unsubscribe", RIGHT, "one-click"] in served.asked(), "the unsubscribe")


def test_slow_and_silent_clients_are_cut_off_and_hold_nobody_up(serving):
    served = serving(trusted_proxies=["192.0.2.1/32"])
    ends = []

    def hang():
        with socket.create_connection(("127.0.0.1", served.port)) as one:
            one.settimeout(0.5)
            with contextlib.suppress(ConnectionError):
                one.sendall(b"POST /u/x HTTP/1.1\r\nX: ")
                while True:
                    one.sendall(b"a")
                    with contextlib.suppress(TimeoutError):
                        if not one.recv(1):
                            break
            ends.append(time.monotonic())

    threads = [threading.Thread(target=hang) for _ in range(12)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    assert ask(served.port, "GET", f"/u/{RIGHT}")[0] == 200
    for thread in threads:
        thread.join(90)
    assert len(ends) == 12
    assert min(ends) - begun > 5.0


def test_a_unix_socket_is_made_for_the_group_and_replaced_after_a_kill(tmp_path, popen, end):
    path = tmp_path / "public.sock"
    settings = json.dumps({"listen": f"unix:{path}", "url": "https://mail.example.com"})
    for _ in range(2):
        words = [sys.executable, "-c", SERVE, settings, str(tmp_path)]
        process = popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        try:
            assert process.stdout.readline() == "listening\n"
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            with socket.socket(socket.AF_UNIX) as one:
                one.connect(str(path))
                one.sendall(f"HEAD /u/{RIGHT} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                assert one.recv(12) == b"HTTP/1.1 200"
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert path.exists()
        finally:
            end(process)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Twisted 24.11 forgets its socket
def test_a_place_that_is_taken_is_a_fault_of_ours():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = Public(listen=f"127.0.0.1:{port}", url="https://mail.example.com")
        with pytest.raises(OwnFault, match=rf"public\.listen: cannot listen on 127\.0\.0\.1:{port} \(.*in use"):
            PublicServer(reactor, settings, Known()).open()


def test_wrong_texts_are_refused_before_anything_is_opened(tmp_path):
    (tmp_path / "de.yaml").write_text("nonsense: x\n")
    settings = Public(listen="127.0.0.1:1", url="https://mail.example.com", texts=str(tmp_path))
    with pytest.raises(Refused, match="`nonsense` is not a known key"):
        PublicServer(reactor, settings, Known()).open()


def test_a_thousand_wrong_tokens_are_refused_and_cost_no_memory(serving):
    served = serving()
    body = "List-Unsubscribe=One-Click"
    proxied = FORM | {"X-Forwarded-For": "192.0.2.1"}
    before = resident(served.process.pid)
    statuses = [ask(served.port, "POST", f"/u/{WRONG}", body, proxied)[0] for _ in range(1000)]
    assert statuses[0] == 200
    assert statuses.count(200) < 300
    assert set(statuses) == {200, 429}
    assert ask(served.port, "POST", f"/u/{RIGHT}", body, FORM | {"X-Forwarded-For": "192.0.2.2"})[0] == 200
    assert resident(served.process.pid) - before < 8_000_000


def resident(pid):
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_requests_under_way_are_cut_at_the_end(serving):
    served = serving()
    with socket.create_connection(("127.0.0.1", served.port)) as one:
        one.sendall(f"GET /u/{SLOW} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        served.process.terminate()
        assert one.recv(100) == b""


def test_a_certificate_of_its_own_is_read_again_when_it_changes(serving, tmp_path, until):
    write_certificate(tmp_path, "mail.example.com")
    served = serving(tls={"certificate": "cert.pem", "key": "key.pem"})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def shown():
        with socket.create_connection(("127.0.0.1", served.port)) as one, context.wrap_socket(one) as secure:
            secure.sendall(f"HEAD /u/{RIGHT} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert secure.recv(12) == b"HTTP/1.1 200"
            assert secure.version() in ("TLSv1.2", "TLSv1.3")
            return secure.getpeercert(binary_form=True)

    before = shown()
    write_certificate(tmp_path, "mail.example.com")
    until(lambda: shown() != before, "the new certificate")
    assert served.send(b"GET /u/x HTTP/1.1\r\nHost: x\r\n\r\n").count(b"HTTP/") == 0  # in clear


def test_a_client_that_only_begins_with_tls_is_cut_off(serving, tmp_path):
    write_certificate(tmp_path)
    served = serving(tls={"certificate": "cert.pem", "key": "key.pem"})
    begun = time.monotonic()
    assert served.send(b"\x16\x03\x01\x02\x00\x01", patience=60.0) == b""
    assert time.monotonic() - begun > 5.0


def test_a_key_of_another_certificate_is_a_fault_of_ours(tmp_path):
    write_certificate(tmp_path)
    key = (tmp_path / "key.pem").read_bytes()
    write_certificate(tmp_path)
    (tmp_path / "key.pem").write_bytes(key)
    tls = {"certificate": f"{tmp_path}/cert.pem", "key": f"{tmp_path}/key.pem"}
    settings = Public(listen="127.0.0.1:1", url="https://mail.example.com", tls=tls)
    with pytest.raises(OwnFault, match=r"the key .*key\.pem is not the one of the certificate .*cert\.pem"):
        PublicServer(reactor, settings, Known()).open()
