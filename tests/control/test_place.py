from __future__ import annotations

import os
import socket
import stat

import pytest

from bulkmail.control import place
from bulkmail.control.place import SOCKET, NotRunningError, connect, remove_stale, short_name
from bulkmail.mail import BulkmailError, OwnFault


@pytest.fixture
def listening(tmp_path):
    made = []

    def listen(folder=tmp_path):
        with short_name(str(folder)) as name:
            server = socket.socket(socket.AF_UNIX)
            server.bind(name)
        server.listen()
        made.append(server)
        return server

    yield listen
    for server in made:
        server.close()


def test_without_a_socket_no_service_is_running(tmp_path):
    with pytest.raises(NotRunningError, match="no service is running: there is no "):
        connect(str(tmp_path), 1.0)
    remove_stale(str(tmp_path))


def test_the_socket_of_a_process_that_died_is_told_and_removed(tmp_path, listening):
    listening().close()
    with pytest.raises(NotRunningError, match="has died"):
        connect(str(tmp_path), 1.0)
    remove_stale(str(tmp_path))
    assert not (tmp_path / SOCKET).exists()


def test_a_living_socket_is_not_taken_away(tmp_path, listening):
    listening()
    connect(str(tmp_path), 1.0).close()
    with pytest.raises(OwnFault, match="another process listens on"):
        remove_stale(str(tmp_path))
    assert stat.S_ISSOCK((tmp_path / SOCKET).stat().st_mode)


def test_what_is_no_socket_is_left_alone(tmp_path):
    (tmp_path / SOCKET).write_text("mine")
    with pytest.raises(OwnFault, match="is no socket"):
        remove_stale(str(tmp_path))
    assert (tmp_path / SOCKET).read_text() == "mine"


def test_a_folder_with_a_long_path_will_do(tmp_path, listening):
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    listening(folder)
    connect(str(folder), 1.0).close()


def test_a_socket_that_may_not_be_opened_is_another_users(tmp_path, monkeypatch):
    class Forbidden(socket.socket):
        def connect(self, _):
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(place.socket, "socket", Forbidden)
    (tmp_path / SOCKET).touch()
    with pytest.raises(BulkmailError, match="belongs to another user") as told:
        connect(str(tmp_path), 1.0)
    assert not isinstance(told.value, NotRunningError)


def test_a_process_of_another_user_is_asked_nothing(tmp_path, listening, monkeypatch):
    listening()
    monkeypatch.setattr(place.os, "geteuid", lambda: os.getuid() + 4242)
    monkeypatch.setattr(place, "_UCRED", place.struct.Struct("3i"))
    if os.getuid() == 0:  # root's service may be asked by everyone whom the socket lets in
        connect(str(tmp_path), 1.0).close()
    else:
        with pytest.raises(BulkmailError, match="belongs to another user"):
            connect(str(tmp_path), 1.0)
