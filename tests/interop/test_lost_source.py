"""The address of a source goes from the machine while mail is sent from it, and comes back."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.interop

RECEIVER, A, B = "198.51.100.25", "198.51.100.1", "198.51.100.2"


def test_nobody_is_charged_for_an_address_that_is_lost_and_the_other_source_goes_on(
    world_in: Callable[[Path], Any], tmp_path: Path, cable: Any, until: Any
) -> None:
    world = world_in(tmp_path)
    world.fresh = True  # what is forked is in the namespace that it is forked from
    ip = shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin")
    try:
        cable.lay([f"{A}/24", f"{B}/24"], [f"{RECEIVER}/24"])
        world.start_names({"d0.test": ["mx.d0.test"]}, {"mx.d0.test": RECEIVER})
        with cable.there():
            world.start_mail([RECEIVER])
        world.settings(
            routing={"allow_networks": ["198.51.100.0/24"]},
            sources=[{"name": "a", "address": A}, {"name": "b", "address": B}],
            shaping={"default": {"rate": "30/s", "messages_per_connection": 2}},
            # a connection from the address that is lost hears no more; what was under way on it is tried again
            smtp={"timeouts": dict.fromkeys(("greeting", "ehlo", "mail", "rcpt", "data", "body", "dot", "quit"), "2s")},
        )
        campaign = world.campaign("spring", [f"u{n}@d0.test" for n in range(400)], more="canary: none\n")
        running = world.start("-c", "spring")
        until(lambda: {one["from"] for one in world.server.received()} == {A, B}, "mail from both")

        subprocess.run([ip, "addr", "del", f"{B}/24", "dev", "bulkmail0"], check=True)

        lost = f"nothing is sent from source b ({B}): {B} is not an address of this machine; the others go on"
        until(lambda: lost in running.said(), "it to be noticed")
        assert running.wait().status == 0
        assert campaign.statuses() == {"delivered": 400}
        again = [row for row in campaign.rows() if row["attempts"] != "1"]
        assert len(again) <= 20, "no more than were under way on the connections of that moment"
    finally:
        world.close()
