from __future__ import annotations

import os

import pytest
import yaml

from bulkmail.campaign import copy_campaign, load_campaign
from bulkmail.campaign.copying import _with_list, with_values
from bulkmail.campaign.starter import starter_files
from bulkmail.mail import BulkmailError


def test_the_copy_has_all_but_the_lists_the_reports_and_the_marks(folder, write, tmp_path):
    path = write(
        "# the best one\nattachments: [terms.pdf]\nsuppress: unsubscribed.csv", recipients="recipients.csv  # all"
    )
    for name in ("report", "rehearsal", "parts"):
        (folder / name).mkdir()
        (folder / name / "x.html").write_text(name)
    (folder / "APPROVED").write_text("Ann")
    (folder / "STATUS.txt").write_text("finished")
    (folder / "link.j2").symlink_to("body.txt.j2")
    target = tmp_path / "again"
    where = copy_campaign(load_campaign(str(path)), str(target), "spring-again")
    assert where == str(target / "recipients.csv")
    assert sorted(os.listdir(target)) == [
        "body.html.j2", "body.txt.j2", "campaign.yaml", "link.j2", "parts", "terms.pdf", "unsubscribed.csv",
    ]  # fmt: skip
    (target / "recipients.csv").write_text("email,first_name\nb@example.org,Bea\n")
    again = load_campaign(str(target))
    assert (again.name, again.recipients) == ("spring-again", ("recipients.csv",))
    text = (target / "campaign.yaml").read_text()
    assert "recipients: recipients.csv  # all\n# the best one\n" in text
    assert again.listed == "spring-sale", "who has left the one stays away from both"
    assert text.replace('spring-again\nlist: "spring-sale"', "spring-sale") == path.read_text()


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("name: a  # why\nsubject: x\n", 'name: a  # why\nlist: "2026"\nsubject: x\n'),
        ("subject: x\nname: a", 'subject: x\nname: a\nlist: "2026"'),
        ('{"name": "a", "subject": "x"}\n', '{"name": "a", list: "2026", "subject": "x"}\n'),
    ],
)
def test_the_copy_is_of_the_same_list(text, listed):
    assert _with_list(text, '"2026"') == listed
    assert yaml.safe_load(listed)["list"] == "2026"


def test_a_list_that_is_named_stays(folder, write, tmp_path):
    copy_campaign(load_campaign(str(write("list: readers"))), str(tmp_path / "again"), "spring-again")
    assert (tmp_path / "again" / "campaign.yaml").read_text().count("list:") == 1


@pytest.mark.parametrize(
    "given",
    [
        "a.csv  # why",
        "\n  - a.csv\n  # and\n  - b.csv  # why",
        "[a.csv,\n  b.csv]  # why",
        "{rest_of: winter}  # why",
        "\n  rest_of: [winter,\n    autumn]  # why",
        '"a.csv"  # why',
    ],
)
def test_the_list_is_replaced_however_it_is_written(given):
    text = f"# top\nname: old  # a name\nrecipients: {given}\n\n# end\nsubject: Hi ä\n"
    changed = with_values(text, {"name": "new", "recipients": "recipients.csv"})
    assert yaml.safe_load(changed) == {"name": "new", "recipients": "recipients.csv", "subject": "Hi ä"}
    for kept in ("# top\n", "  # a name\n", "# end\n", "  # why\n"):
        assert kept in changed


def test_another_file_that_is_called_like_the_list(folder, write, tmp_path):
    (folder / "people.csv").write_text("email\na@example.org\n")
    path = write(recipients="people.csv", subject="Hi")
    with pytest.raises(BulkmailError, match=r"recipients\.csv is not the list .* needs its name; rename it first$"):
        copy_campaign(load_campaign(str(path)), str(tmp_path / "again"), "again")


def test_the_remarks_of_init_are_about_the_copy(tmp_path):
    source = tmp_path / "spring-sale"
    source.mkdir()
    for name, content in starter_files("spring-sale").items():
        (source / name).write_bytes(content)
    copy_campaign(load_campaign(str(source)), str(tmp_path / "again"), "spring-sale-retry")
    text = (tmp_path / "again" / "campaign.yaml").read_text()
    head = text.partition("name: ")[0]
    assert "#   bulkmail check spring-sale-retry\n" in head
    assert "#   bulkmail test spring-sale-retry --to YOUR-ADDRESS\n" in head
    assert "spring-sale-retry" in head
    assert "spring-sale" not in head.replace("spring-sale-retry", "")
    assert "invented" not in head
