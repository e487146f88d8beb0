from __future__ import annotations

import contextlib
import json
import re
import socket

import pytest

from bulkmail.control import http
from bulkmail.control.client import Client
from bulkmail.control.place import SOCKET
from bulkmail.control.problems import RequestProblem
from bulkmail.mail import BulkmailError

pytestmark = pytest.mark.loopback


def raw(folder, request, *, patience=5.0):
    """What is answered to these octets: the status line's number, the headers, the body."""
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(patience)
        one.connect(str(folder / SOCKET))
        one.sendall(request)
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := one.recv(65536):
                data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    status = int(head.split(b" ")[1]) if head else 0
    return status, head.decode().lower(), body


def asked(method, path, *headers, body=b""):
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_an_answer_is_json(served):
    folder, _ = served
    status, head, body = raw(folder, asked("GET", "/api/v1/recipients?email=ann%40example.com"))
    assert status == 200
    assert "content-type: application/json" in head
    assert json.loads(body) == {"asked": "recipients", "email": "ann@example.com"}
    status, head, body = raw(folder, asked("HEAD", "/api/v1/health"))
    assert (status, body) == (200, b"")
    assert re.search(r"content-length: [1-9]", head)


ERRORS = [
    (asked("GET", "/"), 404, "the resources are under /api/v1/"),
    (asked("GET", "/api/v1/health", "Origin: https://evil.example"), 403, "requests of web pages"),
    (asked("GET", "/api/v1/health", "Sec-Fetch-Site: cross-site"), 403, "requests of web pages"),
    (asked("GET", "/api/v1/health").replace(b"localhost", b"evil.example"), 403, "the host 'evil.example' is not"),
    (asked("GET", "/api/v1/nothing"), 404, "there is no resource /nothing"),
    (asked("DELETE", "/api/v1/campaigns/spring"), 405, "takes GET only"),
    (asked("GET", "/api/v1/recipients"), 400, "give the parameter `email` once"),
    (asked("GET", "/api/v1/recipients?email=a&email=b"), 400, "give the parameter `email` once"),
    (asked("GET", "/api/v1/health?x=1"), 400, "has no parameter 'x'"),
    (asked("GET", "/api/v1/campaigns?ended=all"), 400, "ended must be a whole number"),
    (asked("POST", "/api/v1/campaigns/spring/pause", body=b"for=2h"), 415, "application/json"),
    (
        asked("POST", "/api/v1/campaigns/spring/pause", "Content-Type: application/json", body=b"{"),
        422,
        "Invalid JSON",
    ),
    (
        asked("POST", "/api/v1/campaigns/spring/pause", "Content-Type: application/json", body=b'{"for": "soon"}'),
        422,
        "for: 'soon' is not a duration",
    ),
    (
        asked("POST", "/api/v1/campaigns/spring/pause", "Content-Type: application/json", body=b"[" * 70_000),
        413,
        "longer than 64000 octets",
    ),
    (asked("POST", "/api/v1/campaigns/sprig/resume"), 404, "the nearest is 'spring'"),
    (asked("POST", "/api/v1/campaigns/spring/cancel"), 409, "is finished already"),
    (asked("POST", "/api/v1/campaigns/spring/remove"), 503, "the disk is full"),
    (asked("GET", "/api/v1/sites"), 500, "the service has an error in itself"),
]


def test_every_error_is_a_problem_object(served):
    folder, _ = served
    for request_, status, words in ERRORS:
        got, head, body = raw(folder, request_)
        assert got == status, request_[:200]
        assert "content-type: application/problem+json" in head
        problem = json.loads(body)
        assert words in problem["detail"]
        assert (problem["status"], problem["type"]) == (status, "about:blank")
        if status == 405:
            assert "allow: get" in head
        if "for" in problem["detail"][:4]:
            assert problem["errors"] == [{"at": "for", "detail": problem["detail"][5:]}]


def test_what_is_no_http_is_closed(served):
    folder, _ = served
    assert raw(folder, b"\r\nhello\r\n\r\n")[0] in (0, 400)
    assert raw(folder, asked("GET", "/api/v1/health", "X: " + "y" * 70_000))[0] in (0, 400)
    assert Client(str(folder)).get("health") == {"asked": "health"}


def test_connections_are_bounded(served, until):
    folder, _ = served
    held = [socket.socket(socket.AF_UNIX) for _ in range(http.MOST_CONNECTIONS)]
    try:
        for one in held:
            one.connect(str(folder / SOCKET))
            one.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert all(one.recv(20).startswith(b"HTTP/1.1 200") for one in held)
        with pytest.raises(Exception, match="closed the connection"):
            Client(str(folder)).get("health")
    finally:
        for one in held:
            one.close()
    until(lambda: answers(folder), "the connections to end")


def answers(folder):
    """Whether the service answers."""
    with contextlib.suppress(BulkmailError):
        return Client(str(folder)).get("health") == {"asked": "health"}


def test_requests_are_answered_while_others_wait(served):
    folder, _ = served
    with socket.socket(socket.AF_UNIX) as slow:
        slow.connect(str(folder / SOCKET))
        slow.sendall(asked("GET", "/api/v1/providers"))
        assert Client(str(folder)).get("health") == {"asked": "health"}
        assert slow.recv(20).startswith(b"HTTP/1.1 200")


def test_one_that_goes_away_is_not_answered(served):
    folder, process = served
    with socket.socket(socket.AF_UNIX) as gone:
        gone.connect(str(folder / SOCKET))
        gone.sendall(asked("GET", "/api/v1/providers"))
    with pytest.raises(RequestProblem, match="an error in itself"):
        Client(str(folder)).get("sites")
    Client(str(folder)).get("providers")
    assert process.poll() is None
