from __future__ import annotations

import signal
import stat
import subprocess
import sys

import pytest

from bulkmail.control.client import Client
from bulkmail.control.place import SOCKET
from bulkmail.control.server import ControlServer
from bulkmail.mail import OwnFault
from tests.control.conftest import SERVE

pytestmark = pytest.mark.loopback


def test_the_socket_is_its_users_alone_and_goes_with_the_service(served, tmp_path):
    folder, process = served
    assert stat.S_IMODE((folder / SOCKET).stat().st_mode) == 0o600
    process.send_signal(signal.SIGTERM)
    process.wait()
    assert not (folder / SOCKET).exists()


def test_a_second_service_is_refused_and_the_first_one_goes_on(served):
    folder, _ = served
    with pytest.raises(OwnFault, match="another process listens on"):
        ControlServer(None, str(folder), None).open()
    assert Client(str(folder)).get("health") == {"asked": "health"}


def test_the_socket_of_a_killed_service_is_replaced(served, popen, end):
    folder, process = served
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (folder / SOCKET).exists()
    second = popen([sys.executable, "-c", SERVE, str(folder)], stdout=subprocess.PIPE)
    try:
        assert second.stdout.readline() == b"listening\n"
        assert Client(str(folder)).get("health") == {"asked": "health"}
    finally:
        end(second)


def test_a_folder_that_cannot_be_written_to(tmp_path):
    with pytest.raises(OwnFault, match="cannot be made"):
        ControlServer(None, str(tmp_path / "nowhere" / ("x" * 120)), None).open()
