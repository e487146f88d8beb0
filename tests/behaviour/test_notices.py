"""What is told and refuses nothing: a DKIM record that does not fit its key; rows that say they may not be mailed."""

from __future__ import annotations

import re
import signal
import sys
from functools import partial
from typing import Any

import dkim
import dns.resolver
import pytest
import yaml

pytestmark = pytest.mark.loopback


def new_key(world: Any, run_python: Any, selector: str, *options: str) -> tuple[dict[str, str], str]:
    """A key made as the documentation says: its settings, and the text of its record."""
    command = [sys.executable, "-m", "bulkmail.cli", "dkim", "new", "sender.test", selector, *options]
    done = run_python(command, cwd=world.folder)
    assert done.returncode == 0, done.stderr
    (entry,) = yaml.safe_load(done.stdout[done.stdout.rindex("dkim:") :])["dkim"]
    return entry, re.findall(r"^value: (.*)$", done.stdout, re.MULTILINE)[0]


def test_keys_are_compared_with_their_records_and_other_verifiers_find_them(
    world: Any, run_python: Any, until: Any
) -> None:
    campaign = world.campaign("spring", ["ann@d0.test"])
    path = campaign.folder / "campaign.yaml"
    values = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**values, "from": "Shop <news@sender.test>"}))
    new = partial(new_key, world, run_python)
    keys, texts = zip(*[new("s1"), new("s2", "--type", "ed25519"), new("s3")], strict=True)
    _, other = new("s4")
    with (world.folder / "dnsmasq.conf").open("a") as conf:
        for selector, text in (("s1", texts[0]), ("s2", texts[1]), ("s3", other)):
            strings = ",".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))
            conf.write(f"txt-record={selector}._domainkey.sender.test,{strings}\n")
    world.names_lie(False)  # begins again, with the records
    world.settings(dkim=[*keys[:2], {**keys[2], "domain": "other.test"}, {**keys[2], "selector": "s3"}])

    ended = world.run("-c", "spring")

    assert ended.status == 0
    assert ended.said.count("dkim: ") == 2
    assert "dkim: s3._domainkey.other.test: there is no such record; mail signed with" in ended.said
    assert re.search(
        r"dkim: s3\._domainkey\.sender\.test: the record has another key \(RSA-2048 \w+\) than", ended.said
    )
    resolver = dns.resolver.Resolver(configure=False)
    ip, _, port = world.nameserver.rpartition(":")
    resolver.nameservers, resolver.port = [ip], int(port)

    def record(name: bytes, timeout: int = 5) -> bytes:
        (answer,) = resolver.resolve(name.decode(), "TXT", lifetime=timeout)
        return b"".join(answer.strings)

    (message,) = [path.read_bytes() for path in world.server.kept.iterdir()]
    assert message.count(b"DKIM-Signature:") == 2
    assert [dkim.DKIM(message).verify(idx=number, dnsfunc=record) for number in (0, 1)] == [True, True]


def test_who_may_not_be_mailed_is_told_in_status_txt_and_in_the_log(world: Any, until: Any) -> None:
    root = world.folder / "campaigns"
    campaign = world.campaign("spring", [f"user-{n}@d0.test" for n in range(300)], parent=root)
    rows = [f"user-{n}@d0.test,Ann,{'yes' if n % 3 == 0 else 'no'}" for n in range(300)]
    (campaign.folder / "recipients.csv").write_text("\n".join(["email,first_name,Email Opt Out", *rows]) + "\n")
    running = world.start("--watch", "campaigns")
    path = campaign.folder / "STATUS.txt"
    until(lambda: path.exists() and path.read_text().startswith("finished\n\nThis campaign is finished."), "the end")
    told = "recipients.csv:1:18: 100 of 300 rows say in column `Email Opt Out` that they may not be mailed (`yes`)"
    (line,) = [line for line in path.read_text().splitlines() if "Email Opt Out" in line]
    assert told in line
    said = running.said()
    assert "34 of the first 100 rows say in column `Email Opt Out`" in said
    assert said.count(told) == 1
    running.signal(signal.SIGTERM)
    assert running.wait().status == 3
