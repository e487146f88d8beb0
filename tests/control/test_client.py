from __future__ import annotations

import signal
import socket

import pytest

from bulkmail.control.client import Client
from bulkmail.control.place import SOCKET, NotRunningError
from bulkmail.control.problems import RequestProblem
from bulkmail.mail import BulkmailError

pytestmark = pytest.mark.loopback


def test_an_order_is_sent_without_what_was_not_said(served):
    folder, _ = served
    answer = Client(str(folder)).post("campaigns", "spring sale/ü", "pause", provider=None, reason="wrong price")
    assert answer == {
        "name": "spring sale/ü",
        "order": {"provider": "", "for": None, "reason": "wrong price", "who": ""},
    }
    assert Client(str(folder)).post("campaigns", "spring", "pause", **{"for": "2h"})["order"]["for"] == "2h"


def test_a_refusal_is_raised_with_its_sentence(served):
    folder, _ = served
    with pytest.raises(RequestProblem, match="there is no campaign 'sprig'; the nearest is 'spring'") as told:
        Client(str(folder)).post("campaigns", "sprig", "resume")
    assert told.value.status == 404


def test_a_service_that_was_killed_is_told_apart(served):
    folder, process = served
    process.send_signal(signal.SIGKILL)
    process.wait()
    with pytest.raises(NotRunningError, match="has died"):
        Client(str(folder)).get("health")


def test_a_service_that_does_not_answer(served):
    folder, process = served
    process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(BulkmailError, match=r"has not answered for 0\.3 s"):
            Client(str(folder), timeout=0.3).get("health")
    finally:
        process.send_signal(signal.SIGCONT)


def test_what_is_no_service_of_ours(tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / SOCKET))
        server.listen()
        with pytest.raises(BulkmailError, match="has not answered"):
            Client(str(tmp_path), timeout=0.1).get("health")
