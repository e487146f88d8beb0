from __future__ import annotations

import json
import os
import signal
import socket
import sys

import pytest

from bulkmail.rehearsal import read, run
from bulkmail.rehearsal.command import _descriptors, _in_words
from tests.ports import free_port


def test_it_shows_the_domains(capsys) -> None:
    assert run(["--hosts"]) == 0
    assert "greylist.test" in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv",
    [["--speed", "0"], ["--speed", "fast"], ["--all", "goggle"], ["--bodies", "-1"], ["--what"], ["--smtp-port", "x"]],
)
def test_wrong_usage(argv: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        run(argv)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_there_is_no_way_to_listen_elsewhere(capsys) -> None:
    with pytest.raises(SystemExit):
        run(["--help"])
    options = capsys.readouterr().out
    assert "host" not in options.replace("--hosts", "").replace("loopback", "")
    assert "interface" not in options


def test_descriptors_are_as_many_as_allowed() -> None:
    assert _descriptors() >= 256


@pytest.mark.loopback
def test_it_says_where_it_is_and_ends_with_its_input(process, tmp_path) -> None:
    world = process("--store", str(tmp_path / "new"), "--seed", "3", "--speed", "real")
    assert world.ready["dns"].startswith("127.0.0.1:")
    assert world.ready["store"] == str(tmp_path / "new")
    assert world.ready["speed"] == 1
    assert world.ready["relay"] == "127.77.0.1"
    assert os.path.exists(world.ready["ca"])
    assert world.stop()["messages"] == 0
    assert list(read(str(tmp_path / "new"))) == []


@pytest.mark.loopback
def test_sigterm_ends_it_and_sigint_does_not(process) -> None:
    world = process()
    world.child.send_signal(signal.SIGINT)
    assert world.hosts("example.org") == ["mx.example.org"]
    world.child.send_signal(signal.SIGTERM)
    assert json.loads(world.child.stdout.readline())["dns_queries"] == 1
    assert world.child.wait() == 0


@pytest.mark.loopback
def test_what_is_held_back_is_written_at_the_end(process, tmp_path) -> None:
    world = process("--store", str(tmp_path), "--bodies", "0", "--all", "keep-silent")
    ip, port = world.exchanger("gmail.com")
    with socket.create_connection((ip, port), timeout=300) as client:
        client.sendall(b"HELO me\r\nMAIL FROM:<>\r\nRCPT TO:<u@gmail.com>\r\nDATA\r\n")
        replies = client.makefile("rb")
        for expected in (b"220", b"250", b"250", b"250", b"354"):
            assert replies.readline().startswith(expected)
        client.sendall(b"Subject: x\r\n\r\n.\r\n")
        client.shutdown(socket.SHUT_WR)
        assert replies.read() == b""
    assert world.stop()["unanswered"] == 1
    (found,) = read(str(tmp_path))
    assert (found.rcpt, found.answered, found.mail_from, found.offset) == ("u@gmail.com", False, "", None)


@pytest.mark.loopback
def test_two_worlds_side_by_side(process) -> None:
    one, other = process(), process()
    assert one.port != other.port
    assert one.exchanger("example.org")[0] == other.exchanger("example.org")[0]


@pytest.mark.loopback
def test_a_port_that_is_taken(process, run_python) -> None:
    world = process()
    second = run_python([sys.executable, "-m", "bulkmail.rehearsal", "--smtp-port", str(world.port)])
    assert second.returncode == 1
    assert second.stderr.startswith("the rehearsal cannot start: ")
    assert second.stdout == ""


@pytest.mark.loopback
def test_the_name_server_can_have_a_port_of_its_own(process) -> None:
    port = free_port()
    world = process("--dns-port", str(port))
    assert world.ready["dns"] == f"127.0.0.1:{port}"


@pytest.mark.loopback
def test_a_port_that_is_taken_is_told(run_python) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        port = str(one.getsockname()[1])
        ended = run_python([sys.executable, "-m", "bulkmail.rehearsal", "--dns-port", port])
    assert ended.returncode == 1
    assert "the rehearsal cannot start: " in ended.stderr


def test_a_person_is_told_that_it_is_ready_and_how_it_ends() -> None:
    words = _in_words({"dns": "127.0.0.1:53", "smtp_port": 25, "store": None, "relay": {"port": 1}, "ca": "ca.pem"})
    assert (
        words
        == "ready (dns 127.0.0.1:53, smtp_port 25, ca ca.pem); Ctrl-C stops it, and then tells what was received\n"
    )
