from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkmail.campaign import Campaign, load_campaign, schema
from bulkmail.mail import Refused


def test_a_file_and_its_folder_are_the_same_campaign(folder: Path, write: Callable[..., Path]) -> None:
    path = write()
    by_file, by_folder = load_campaign(str(path)), load_campaign(str(folder))
    assert by_file.model_dump() == by_folder.model_dump()
    assert by_folder.folder == str(folder)
    assert by_folder.file.path == str(path)


def test_paths_are_absolute_and_messages_as_the_user_named_the_file(
    folder: Path, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write()
    monkeypatch.chdir(folder.parent)
    campaign = load_campaign("spring")
    assert campaign.recipient_paths == [str(folder / "recipients.csv")]
    assert campaign.file.path == "spring/campaign.yaml"


def test_another_file_name_in_the_folder_may_be_the_campaign(folder: Path, write: Callable[..., Path]) -> None:
    os.rename(write(), folder / "other.yaml")
    assert load_campaign(str(folder / "other.yaml")).name == "spring-sale"


def test_what_is_not_there_is_said_so(folder: Path, write: Callable[..., Path]) -> None:
    with pytest.raises(
        Refused, match=r"spring/campaign\.yaml: it does not exist; `bulkmail init NAME` makes a campaign's folder"
    ):
        load_campaign(str(folder))
    os.rename(write(), folder / "campaign.yml")
    with pytest.raises(Refused, match=r"spring/campaign\.yml: rename this file to campaign\.yaml$"):
        load_campaign(str(folder))


def test_an_empty_campaign_names_all_that_is_missing(folder: Path) -> None:
    (folder / "campaign.yaml").write_text("# to do\n")
    with pytest.raises(Refused) as caught:
        load_campaign(str(folder))
    assert [problem.message for problem in caught.value.problems] == [
        "`name` is missing: add a name that is unique in the spool, for example name: spring-sale",
        '`from` is missing: add the sender, for example from: "Example Shop <news@example.com>"',
        '`subject` is missing: add the subject line, for example subject: "{{ first_name }}, spring is here"',
        (
            "`template` is missing: add the message's HTML, text or both, "
            "for example template: {html: body.html.j2, text: body.txt.j2}"
        ),
        (
            "`recipients` is missing: add the list of the recipients (CSV, XLSX, ODS, JSON lines), "
            "or the rest of an earlier campaign, for example recipients: recipients.csv"
        ),
    ]


def test_keys_and_files_are_wrong_in_one_answer(refusal: Callable[..., list[str]]) -> None:
    assert refusal("subjct: x\nattachments: [gone.pdf]", subject=None, recipients="none.csv") == [
        (
            "campaign.yaml: `subject` is missing: add the subject line, for example "
            'subject: "{{ first_name }}, spring is here"'
        ),
        "campaign.yaml:4:13: recipients: none.csv does not exist",
        "campaign.yaml:5:1: `subjct` is not a known key; did you mean `subject`?",
        "campaign.yaml:6:15: attachments[0]: gone.pdf does not exist",
    ]


def test_the_schema_names_every_key() -> None:
    found = schema()
    assert set(found["properties"]) == {field.alias or name for name, field in Campaign.model_fields.items()}
    assert found["required"] == ["name", "from", "subject", "template", "recipients"]
    assert found["properties"]["recipients"]["anyOf"][0] == {"type": "string"}
    assert found["additionalProperties"] is False


def test_a_mistyped_folder_is_told_with_the_nearest_campaign(tmp_path):
    for name in ("spring-sale", "autumn"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "campaign.yaml").write_text("name: x\n")
    (tmp_path / "spring-sall").mkdir()  # no campaign
    with pytest.raises(Refused, match=r"spring-sal: it does not exist; did you mean spring-sale\?$"):
        load_campaign(str(tmp_path / "spring-sal"))
    with pytest.raises(Refused, match=r"spring-sal: this folder does not exist; did you mean spring-sale\?$"):
        load_campaign(str(tmp_path / "spring-sal" / "campaign.yaml"))
    with pytest.raises(
        Refused, match=r"campaign\.yaml: it does not exist; a campaign is .* here are autumn, spring-sale$"
    ):
        load_campaign(str(tmp_path))
    (tmp_path / "spring-sale" / "people.csv").write_bytes(b"email\n\xff\n")
    with pytest.raises(
        Refused, match=r"people\.csv: this is no campaign; give its folder, or the campaign\.yaml in it$"
    ):
        load_campaign(str(tmp_path / "spring-sale" / "people.csv"))
    with pytest.raises(Refused, match=r"winter: the file does not exist$"):
        load_campaign(str(tmp_path / "winter"))
