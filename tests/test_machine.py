from __future__ import annotations

from types import SimpleNamespace

import pytest

from bulkmail import machine as module
from bulkmail.machine import check_room, check_sources, compose_processes, own_name, raise_file_limit, reserved
from bulkmail.mail import OwnFault, Refused
from bulkmail.settings import Settings, load_settings


def test_the_limit_of_open_files_is_raised_as_far_as_it_goes(monkeypatch):
    limits, was = [], (100, 4000)
    monkeypatch.setattr(module.resource, "getrlimit", lambda _: was)
    monkeypatch.setattr(module.resource, "setrlimit", lambda _, given: limits.append(given))
    assert raise_file_limit() == 4000
    assert limits == [(4000, 4000)]
    was = (4000, 4000)
    assert raise_file_limit() == 4000
    assert len(limits) == 1
    endless = module.resource.RLIM_INFINITY
    was = (endless, endless)
    assert raise_file_limit() == 1 << 20


def test_the_connections_of_pages_have_their_descriptors_kept():
    assert reserved(Settings()) == 200
    inbound = {"domains": ["in.example.com"], "listen": ["127.0.0.1:25"]}
    assert reserved(Settings.model_validate({"inbound": inbound})) == 200  # a process of its own has these
    assert reserved(Settings.model_validate({"public": {"url": "https://mail.example.com"}})) == 350


def test_our_own_name_has_a_domain(monkeypatch):
    monkeypatch.setattr(module.socket, "getfqdn", lambda: "mta1.example.com")
    assert own_name() == "mta1.example.com"
    monkeypatch.setattr(module.socket, "getfqdn", lambda: "localhost")
    monkeypatch.setattr(module.platform, "node", lambda: "box")
    assert own_name() == "box.localdomain"


def test_a_start_that_would_fill_the_disk_is_refused(tmp_path, monkeypatch):
    prepared = SimpleNamespace(campaign=SimpleNamespace(folder=str(tmp_path)), input_bytes=60_000_000)
    spool = str(tmp_path / "not" / "there" / "yet")
    monkeypatch.setattr(module, "free_bytes", lambda _: 1 << 40)
    check_room(spool, prepared)
    monkeypatch.setattr(module, "free_bytes", lambda _: 50_000_000)
    with pytest.raises(OwnFault, match=rf"{tmp_path} has 50,000 kB free and this campaign may need .* kB; make room"):
        check_room(spool, prepared)
    check_room(spool, None)
    monkeypatch.setattr(module, "free_bytes", lambda path: 1 << 40 if path == str(tmp_path / "spring") else 50_000_000)
    (tmp_path / "spring").mkdir()
    prepared.campaign.folder = str(tmp_path / "spring")
    with pytest.raises(OwnFault, match="may need"):
        check_room(spool, prepared)
    check_room(spool, prepared, here=False)  # the rows are in a database, elsewhere


def test_one_process_composes_on_each_core_unless_told_otherwise(monkeypatch):
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _: {0, 1, 5})
    assert compose_processes("auto") == 3
    assert compose_processes(2) == 2


def test_a_source_that_this_machine_has_not_refuses_a_start(tmp_path):
    path = tmp_path / "bulkmail.yaml"
    path.write_text("sources:\n  - {name: a, address: 127.0.1.1}\n  - {name: b, address: 192.0.2.77}\n")
    settings = load_settings(str(path))
    with pytest.raises(Refused) as refused:
        check_sources(settings, rehearsal=False)
    (problem,) = refused.value.problems
    assert (problem.line, problem.column) == (3, 24)
    assert "b: nothing can be sent from 192.0.2.77 (cannot assign requested address); give this machine" in str(problem)
    check_sources(settings, rehearsal=True)
    here = Settings.model_validate({"sources": [{"name": "a", "address": "127.0.1.1"}]})
    check_sources(here, rehearsal=False)
