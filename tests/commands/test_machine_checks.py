from __future__ import annotations

import os
import time

import pytest

from bulkmail.commands import machine_checks as module
from bulkmail.commands.machine_checks import (
    clock,
    database_checks,
    descriptors,
    language,
    local_checks,
    risky_files,
    settings_check,
    source_checks,
    spool_checks,
    versions,
    watched_folder,
)
from bulkmail.content import new_pem
from bulkmail.settings import Settings, load_settings


def settings_of(place, text=""):
    (place / "bulkmail.yaml").write_text(text or "hostname: mta1.shop.test\n")
    return load_settings(None, str(place))


def test_the_settings_and_what_is_risky_about_them(place):
    assert settings_check(Settings()).message == "the defaults; there is no bulkmail.yaml here"
    (place / "key.pem").write_bytes(new_pem("ed25519"))
    (place / "key.pem").chmod(0o644)
    settings = settings_of(place, "dkim: [{domain: shop.test, selector: s1, key: key.pem}]\n")
    assert settings_check(settings).message == str(place / "bulkmail.yaml")
    (risky,) = risky_files(settings)
    assert (risky.result, "every user of this machine can read the private key" in risky.message) == ("warning", True)


def spool(settings):
    return {check.name: check for check in spool_checks(settings)}["spool"]


def test_the_folder_of_the_spool(place):
    settings = settings_of(place)
    assert spool(settings).result == "ok"
    assert "will be made at the first start" in spool(settings).message
    (place / "spool").mkdir(mode=0o755)
    assert (spool(settings).result, spool(settings).remedy) == ("warning", f"chmod 700 {place}/spool")
    (place / "spool").chmod(0o700)
    assert (spool(settings).result, spool(settings).message) == ("ok", str(place / "spool"))
    (place / "spool").rmdir()
    (place / "spool").write_text("no folder")
    assert (spool(settings).result, "is not a folder" in spool(settings).message) == ("error", True)


def test_a_spool_on_a_network_disk(place, monkeypatch):
    (place / "spool").mkdir(mode=0o700)
    monkeypatch.setattr(module, "_file_system", lambda _: "nfs4")
    assert spool(settings_of(place)).result == "error"


def test_the_file_system_of_a_folder():
    assert module._file_system("/proc/self") == "proc"


def test_the_file_system_of_a_folder_behind_a_link_or_with_a_space_in_its_name(place, monkeypatch):
    (place / "Mail Disk" / "spool").mkdir(parents=True)
    (place / "spool").symlink_to(place / "Mail Disk" / "spool")
    point = os.path.realpath(place / "Mail Disk").replace(" ", "\\040")
    (place / "mounts").write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/mail {point} nfs4 rw 0 0\n")
    monkeypatch.setattr(module, "_MOUNTS", str(place / "mounts"), raising=False)
    assert module._file_system(str(place / "Mail Disk" / "spool")) == "nfs4"
    assert module._file_system(str(place / "spool")) == "nfs4"
    assert module._file_system(str(place)) == "ext4"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folders_that_are_closed(place):
    (place / "closed").mkdir(mode=0o500)
    settings = settings_of(place, "spool: closed/spool\n")
    assert spool(settings).result == "error"
    assert watched_folder(str(place / "closed")).result == "ok"
    (place / "closed").chmod(0o700)


@pytest.mark.parametrize(("free", "result"), [(50_000_000, "error"), (500_000_000, "warning"), (9_000_000_000, "ok")])
def test_the_room_on_the_disk(place, monkeypatch, free, result):
    monkeypatch.setattr(module, "free_bytes", lambda _: free)
    disk = {check.name: check for check in spool_checks(settings_of(place))}["disk"]
    assert (disk.result, disk.message.startswith(str(place))) == (result, True)


def test_a_database_that_does_not_answer(place):
    settings = settings_of(place, 'spool: "postgresql://mail@127.0.0.1:1/none"\nmachine: {folder: ./mine}\n')
    made = [check for check in spool_checks(settings) if check.name == "spool"]
    assert [check.result for check in made] == ["error", "ok"]


def test_open_files(monkeypatch):
    settings = Settings()
    monkeypatch.setattr(module.resource, "getrlimit", lambda _: (1024, 1024))
    check = descriptors(settings)
    assert (check.result, check.remedy) == ("warning", "raise LimitNOFILE, or ulimit -n, to 2,200")
    monkeypatch.setattr(module.resource, "getrlimit", lambda _: (1024, 65536))
    assert descriptors(settings).result == "ok"


def test_the_clock():
    now = time.time()
    assert clock(1_000_000_000.0, unsynchronised=False).result == "error"
    assert clock(now, unsynchronised=True).result == "warning"
    assert clock(now, unsynchronised=False).message == "is synchronised"
    assert clock(now, unsynchronised=None).result == "ok"
    assert module._clock_status() in (True, False, None)


def test_the_language():
    assert language("utf-8", "UTF-8").result == "ok"
    assert language("utf-8", "ISO-8859-1").result == "warning"


def test_versions():
    words, zones = versions(time.time())
    assert words.message.startswith("bulkmail ")
    assert "OpenSSL" in words.message
    assert zones.result == "ok"
    assert list(versions(4_102_444_800.0))[1].result == "warning"


def test_the_watched_folder(place):
    check = watched_folder(str(place))
    assert (check.result, check.message) == ("ok", f"{place}; folders in it: 1")
    assert watched_folder(str(place / "none")).result == "error"


def test_all_together(place):
    made = list(local_checks(settings_of(place), time.time()))
    assert {check.name for check in made} >= {
        "spool",
        "disk",
        "open files",
        "clock",
        "locale",
        "versions",
        "time zones",
    }


def test_databases_that_campaigns_may_ask_are_tried(pg_server, tmp_path):
    gone = f"postgresql://reader@/shop?host={tmp_path}"
    crm, shop = database_checks(Settings(databases={"crm": pg_server.fresh(), "shop": gone}))
    assert (crm.result, crm.message[:16]) == ("ok", "crm: PostgreSQL ")
    assert (shop.result, shop.message[:43]) == ("error", "the database 'shop' cannot be reached: conn")


def test_each_source_is_an_address_of_this_machine(place):
    (place / "bulkmail.yaml").write_text(
        "sources: [{name: here, address: 127.0.0.1}, {name: gone, address: 192.0.2.77}, "
        "{name: there, address: 192.0.2.78, proxy: 'socks5://192.0.2.5:1080'}]\n"
    )
    here, gone = source_checks(load_settings(None, str(place)))
    assert here == ("source", "ok", "here: 127.0.0.1 is an address of this machine", "")
    assert gone.result == "error"
    assert gone.message == "gone: nothing can be sent from 192.0.2.77 (cannot assign requested address)"
    assert gone.remedy.startswith("give this machine the address (`ip address add 192.0.2.77 dev ...`)")
