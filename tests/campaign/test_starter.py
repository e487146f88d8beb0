from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from pydantic import Field

from bulkmail.campaign import content_notices, load_campaign, snapshot, survey
from bulkmail.campaign.model import Campaign
from bulkmail.campaign.starter import SCHEMA_FILE, _block, campaign_yaml, starter_files
from bulkmail.settings import Settings
from bulkmail.yamlfile import Section, load
from tests.test_docs import CAMPAIGN


def keys_in(text: str) -> Iterator[str]:
    """The keys of a campaign.yaml, those that are commented out too."""
    above: list[str] = []
    for line in text.splitlines():
        found = re.match(r"(?:# )?( *)([a-z_]+):", line)
        if found:
            above[len(found[1]) // 2 :] = [found[2]]
            yield ".".join(above)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "spring-sale"
    folder.mkdir()
    for name, data in starter_files("spring-sale").items():
        (folder / name).write_bytes(data)
    return folder


def test_every_key_stands_in_it_with_what_it_does():
    text = campaign_yaml("spring-sale")
    known = [key for key in CAMPAIGN if "<name>" not in key]  # what is below a name of one's own is in its example
    assert not set(known) - set(keys_in(text))
    sections = [section for section in known if "." in section]
    for key in known:
        line = next(line for line in text.splitlines() if re.match(rf"(# )?( *){key.rpartition('.')[2]}:", line))
        assert key not in sections or "  # " in line, key
    assert "# ." not in text  # a key of the model without a description


def test_it_can_be_sent_as_it_is_and_nothing_is_odd_about_it(folder):
    campaign = load_campaign(str(folder))
    settings = Settings()
    lists = survey(campaign, settings)
    content = snapshot(campaign, settings, lists.columns, bytes(32))
    assert campaign.name == "spring-sale"
    assert not lists.notices
    assert not content_notices(campaign, settings, content)


@pytest.mark.parametrize(
    "key", sorted(set(Campaign.model_fields) - {"schedule", "attachments", "suppress", "recipients"})
)
def test_an_optional_key_can_be_used_by_taking_the_mark_away(folder, key):
    text = (folder / "campaign.yaml").read_text()
    together = "(?:variants|winner)" if key == "winner" else key  # there is nothing to choose from without variants
    used = re.sub(
        rf"^# ({together}:.*(?:\n# (?=  ).*)*)", lambda found: found[1].replace("\n# ", "\n"), text, flags=re.MULTILINE
    )
    (folder / "campaign.yaml").write_text(used)
    load_campaign(str(folder))


def test_the_schema_lies_beside_it_under_the_name_that_the_first_line_gives(folder):
    first = (folder / "campaign.yaml").read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema={SCHEMA_FILE}"
    assert set(json.loads((folder / SCHEMA_FILE).read_text())["properties"]) >= {"from", "subject"}


def test_the_people_of_the_list_are_invented(folder):
    domains = re.findall(r"@([\w.]+)", (folder / "recipients.csv").read_text())
    assert len(domains) > 4
    assert set(domains) <= {"example.com", "example.net", "example.org"}


def test_what_a_key_may_hold_instead_is_shown_too():
    text = campaign_yaml("spring-sale")
    assert "recipients: recipients.csv\n# recipients: {rest_of: winter-sale}\n" in text
    assert "# suppress: [unsubscribed.csv]\n# suppress: [{got: winter-sale}]\n" in text


class Rest(Section):
    """Of another campaign."""

    rest_of: str = Field(description="the rest of that campaign", examples=["spring-sale"])


class Model(Section):
    """With a key that holds a text or a section."""

    recipients: str | Rest = Field(description="the list", examples=["recipients.csv"])
    several: tuple[Rest, ...] = Field(default=(), description="more", examples=[[{"rest_of": "x"}]])


def test_a_key_with_two_forms_is_shown_in_both():
    assert list(_block("recipients", Model.model_fields["recipients"], None)) == [
        "# The list.",
        "recipients: recipients.csv",
        "# recipients:",
        "#   rest_of: spring-sale  # the rest of that campaign",
    ]
    assert list(_block("several", Model.model_fields["several"], None)) == [
        "# More.",
        "# several: [{rest_of: x}]",
    ]


def test_the_example_is_yaml():
    assert load("campaign.yaml", campaign_yaml("x")).value["name"] == "x"
