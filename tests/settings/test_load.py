from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkmail.mail import Refused
from bulkmail.settings import Settings, load_settings, schema


def test_without_a_file_the_defaults_count(tmp_path: Path) -> None:
    settings = load_settings(cwd=str(tmp_path))
    assert settings.spool == str(tmp_path / "spool")
    assert settings.file is None
    assert settings.warnings == ()


def test_the_file_of_the_working_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "bulkmail.yaml").write_text("stop_within: 5s")
    assert load_settings(cwd=str(tmp_path)).stop_within == 5


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"/other\.yaml: the file does not exist$"):
        load_settings("other.yaml", str(tmp_path))


def test_a_dangling_link_is_not_taken_for_no_file(tmp_path: Path) -> None:
    (tmp_path / "bulkmail.yaml").symlink_to("nowhere")
    with pytest.raises(Refused):
        load_settings(cwd=str(tmp_path))


def test_paths_start_at_the_settings_file_and_end_absolute(
    site: Path, read: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    read(
        "spool: state/../spool\nsuppress: [never.csv]\n"
        "dkim: [{domain: e.example, selector: s, key: keys/example.com.pem}]"
    )
    monkeypatch.chdir(site.parent)
    settings = load_settings(os.path.join(site.name, "bulkmail.yaml"))
    assert settings.spool == str(site / "spool")
    assert settings.suppress == (str(site / "never.csv"),)
    assert settings.dkim[0].key == str(site / "keys/example.com.pem")
    assert settings.file is not None
    assert settings.file.path == f"{site.name}/bulkmail.yaml"  # as it was named, for messages


def test_a_file_of_comments_is_all_defaults(read: Callable[[str], Settings], site: Path) -> None:
    assert read("# nothing\n").model_dump() == Settings.model_validate({"spool": str(site / "spool")}).model_dump()


def test_a_key_that_everybody_can_read_is_a_warning(site: Path, read: Callable[[str], Settings]) -> None:
    key = site / "keys/example.com.pem"
    text = "dkim:\n  - {domain: e.example, selector: s, key: keys/example.com.pem}\n"
    assert read(text).warnings == ()
    key.chmod(0o644)
    assert [str(warning) for warning in read(text).warnings] == [
        f"{site}/bulkmail.yaml:2:43: every user of this machine can read the private key {key}; run chmod 600 on it"
    ]
    key.chmod(0o640)
    if os.getuid() == 0:
        assert read(text).warnings == (), "root's own"
        os.chown(key, 0, 12345)
    assert "every user of the file's group can read the private key" in str(read(text).warnings[0])


def test_the_schema_names_every_key_and_the_defaults_as_written() -> None:
    found = schema()
    assert set(found["properties"]) == set(Settings.model_fields)
    assert found["properties"]["stop_within"]["default"] == "30s"
    assert found["$defs"]["Limits"]["properties"]["rate"]["default"] == "100/s"
    assert found["additionalProperties"] is False


def test_a_file_that_is_only_implied_is_not_taken_from_a_campaigns_folder(tmp_path: Path) -> None:
    (tmp_path / "bulkmail.yaml").write_text("stop_within: 5s")
    (tmp_path / "campaign.yaml").write_text("name: x")
    with pytest.raises(Refused, match="lies in a campaign's folder"):
        load_settings(cwd=str(tmp_path))
    assert load_settings("bulkmail.yaml", str(tmp_path)).stop_within == 5  # named, it is the operator's word


@pytest.mark.parametrize("campaign", ["spring.yaml", ".", "./spring.yaml", "link/spring.yaml"])
def test_nor_from_the_folder_of_a_campaign_with_another_file_name(tmp_path: Path, campaign: str) -> None:
    (tmp_path / "bulkmail.yaml").write_text("stop_within: 5s")
    (tmp_path / "link").symlink_to(".")
    with pytest.raises(Refused, match="lies in a campaign's folder"):
        load_settings(None, str(tmp_path), campaign)
    (tmp_path / "spring").mkdir()
    assert load_settings(None, str(tmp_path), "spring").stop_within == 5


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_nor_where_others_may_write_to_it(tmp_path: Path, mode: int) -> None:
    (tmp_path / "bulkmail.yaml").write_text("stop_within: 5s")
    (tmp_path / "bulkmail.yaml").chmod(mode)
    with pytest.raises(Refused, match=rf"other users may write to it \(mode {mode:04o}\); chmod go-w"):
        load_settings(cwd=str(tmp_path))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_nor_where_it_belongs_to_another_user(tmp_path: Path) -> None:
    (tmp_path / "bulkmail.yaml").write_text("stop_within: 5s")
    os.chown(tmp_path / "bulkmail.yaml", 65534, 65534)
    with pytest.raises(Refused, match=r"belongs to another user \(uid 65534\)"):
        load_settings(cwd=str(tmp_path))


def test_a_campaign_that_is_not_there_says_nothing_about_the_settings(tmp_path: Path) -> None:
    """Its name is mistyped, and who reads it tells so."""
    (tmp_path / "bulkmail.yaml").write_text("hostname: mta.example.com\n")
    assert load_settings(None, str(tmp_path), "spring-sal").hostname == "mta.example.com"
