"""Settings that change while mail is sent: nobody is lost, nobody gets two, and each signature is a whole one."""

from __future__ import annotations

import base64
import re
import shlex
import signal
from pathlib import Path
from typing import Any

import dkim
import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bulkmail.control import Client, RequestProblem

pytestmark = pytest.mark.loopback

UNIT = Path(__file__).parents[2] / "contrib" / "bulkmail.service"


def reload_of_the_unit() -> list[str]:
    """The arguments of `bulkmail` in what `systemctl reload` runs, with the settings of these tests."""
    found = re.search(r"^ExecReload=(.*)$", UNIT.read_text(), re.MULTILINE)
    assert found is not None
    program, *arguments = shlex.split(found[1])
    assert program.endswith("/bin/bulkmail")
    return [Path(word).name if word.startswith("/etc/bulkmail/") else word for word in arguments]


def new_key(world: Any, selector: str) -> tuple[dict[str, str], bytes]:
    """A key's settings, and its record."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (world.folder / f"{selector}.pem").write_bytes(pem)
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    entry = {"domain": "sender.test", "selector": selector, "key": f"{selector}.pem"}
    return entry, b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)


def test_settings_and_a_key_change_while_mail_is_sent(world: Any, until: Any) -> None:
    (one, first), (two, second) = new_key(world, "s1"), new_key(world, "s2")
    records = {b"s1._domainkey.sender.test.": first, b"s2._domainkey.sender.test.": second}
    campaign = world.campaign("spring", [f"u{n}@d{n % 4}.test" for n in range(600)])
    path = campaign.folder / "campaign.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "from": "Shop <news@sender.test>"}))
    world.settings(dkim=[one], shaping={"default": {"rate": "2/s,burst=1"}})
    running = world.start("-c", "spring", environment={"INVOCATION_ID": "0" * 32})
    until(lambda: world.server.count() > 20, "the first messages")
    (world.folder / "bulkmail.yaml").write_text("shaping: fast\n")
    running.signal(signal.SIGHUP)
    until(lambda: "bulkmail.yaml:1:10: shaping: " in running.said(), "the refusal of the new settings")
    service = Client(str(world.folder / "spool"))
    with pytest.raises(RequestProblem, match=r"bulkmail\.yaml:1:10: shaping: ") as refused:
        service.post("reload")
    assert refused.value.status == 422
    failed = world.bulkmail(*reload_of_the_unit())
    assert (failed.status, "bulkmail.yaml:1:10: shaping: " in failed.said) == (1, True), failed.said

    world.settings(dkim=[one], shaping={"default": {"rate": "4/s"}})
    told = world.bulkmail(*reload_of_the_unit())
    assert (told.status, told.out) == (0, "used from now on: shaping.default.rate\n"), told.said
    assert "used from now on: shaping.default.rate" in running.said()
    until(lambda: world.server.count() > 40, "more messages")
    world.settings(dkim=[two], machine={"lease": "20s"})
    answer = service.post("reload")
    assert set(answer["live"]) == {"shaping.default.rate"}
    assert set(answer["anew"]) == {"dkim[0].selector", "dkim[0].key"}
    assert "machine.lease" in answer["restart"]
    assert "machine.lease: this needs a restart" in answer["sentences"][-1]

    ended = running.wait()

    assert ended.status == 0, ended.said
    campaign.check_report()
    assert campaign.statuses() == {"delivered": 600}
    assert world.server.count() == 600
    messages = [kept.read_bytes() for kept in world.server.kept.iterdir()]
    signed = [re.findall(rb"s=(s[12]);", message)[0] for message in messages]
    assert {b"s1", b"s2"} == set(signed)

    def record(name: bytes, timeout: int = 5) -> bytes:
        assert timeout
        return records[name]

    assert all(dkim.verify(message, dnsfunc=record) for message in messages)
