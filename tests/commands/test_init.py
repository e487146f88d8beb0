from __future__ import annotations

import json
import os
import stat

from bulkmail import cli


def test_a_campaign_is_made_that_check_takes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = os.umask(0o077)
    try:
        assert cli.main(["init", "spring-sale"]) == 0
    finally:
        os.umask(before)
    assert "bulkmail check spring-sale" in capsys.readouterr().out
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "spring-sale").iterdir()}
    assert modes == dict.fromkeys(
        ["campaign.yaml", "campaign.schema.json", "body.html.j2", "body.txt.j2", "recipients.csv"], 0o644
    )
    assert stat.S_IMODE((tmp_path / "spring-sale").stat().st_mode) == 0o755


def test_it_can_be_made_elsewhere_and_told_to_programs(tmp_path, capsys):
    assert cli.main(["init", f"{tmp_path}/may/", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["name"] == "may"
    assert told["folder"] == str(tmp_path / "may")
    assert "campaign.yaml" in told["files"]


def test_a_name_that_is_not_allowed_gets_the_nearest_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["init", "may/Spring Sale 2026"]) == 1
    assert capsys.readouterr().err.endswith("; write may/spring-sale-2026\n")
    assert cli.main(["init", "春"]) == 1
    assert capsys.readouterr().err.endswith("start with . or -\n")
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_left_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "may").mkdir()
    (tmp_path / "june").write_text("mine")
    for name in ("may", "june"):
        assert cli.main(["init", name]) == 1
        assert f"{name} exists already" in capsys.readouterr().err
    assert not list((tmp_path / "may").iterdir())
    assert (tmp_path / "june").read_text() == "mine"


def test_a_folder_that_cannot_be_made(tmp_path, capsys):
    assert cli.main(["init", f"{tmp_path}/no/such/may"]) == 1
    assert capsys.readouterr().err == f"bulkmail: {tmp_path}/no/such/may cannot be made: No such file or directory\n"
