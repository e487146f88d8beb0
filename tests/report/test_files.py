from __future__ import annotations

import os
import stat

import pytest

from bulkmail.files import Folder
from bulkmail.mail import OwnFault
from bulkmail.report.files import Place, write_text, written_aside
from tests.places import file_at


@pytest.fixture
def umask_077():
    before = os.umask(0o077)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_files_and_folders_can_be_read_by_people_whatever_the_umask(tmp_path, umask_077):
    path = tmp_path / "report" / "a.txt"
    write_text(file_at(path), "hello")
    assert path.read_text() == "hello"
    assert (mode(path), mode(path.parent), mode(tmp_path)) == (0o644, 0o755, 0o700)
    assert os.listdir(path.parent) == ["a.txt"]


def test_a_failure_leaves_what_stood_there(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def stopped_halfway():
        with written_aside(file_at(path)) as write:
            write(b"half of the new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stopped_halfway()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with written_aside(file_at(path)) as write:
        write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_what_a_killed_writer_left_is_written_over(tmp_path):
    (tmp_path / ".a.txt.part").write_text("left")
    write_text(file_at(tmp_path / "a.txt"), "new")
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_link_planted_beside_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / ".a.txt.part").symlink_to(victim)
    (folder / "a.txt").symlink_to(victim)
    write_text(file_at(folder / "a.txt"), "new")
    assert victim.read_text() == "precious"
    assert not (folder / "a.txt").is_symlink()


@pytest.mark.parametrize("target", ["..", "results", "/etc"])
def test_a_report_that_is_a_link_is_refused(tmp_path, target):
    campaign = tmp_path / "campaign"
    (campaign / "results").mkdir(parents=True)
    (campaign / "report").symlink_to(target)
    with pytest.raises(OwnFault, match="it is a link or a file, and must be a folder"):
        write_text(file_at(campaign / "report" / "a.txt"), "new")
    assert sorted(os.listdir(tmp_path)) == ["campaign"]
    assert os.listdir(campaign / "results") == []


def test_a_campaigns_folder_that_was_replaced_by_a_link_is_left_alone(tmp_path):
    """The link leads to a file of the service's: it neither becomes readable nor is it written to."""
    campaign, secret, elsewhere = tmp_path / "campaign", tmp_path / "secret", tmp_path / "elsewhere"
    campaign.mkdir()
    elsewhere.mkdir(mode=0o700)
    secret.write_text("precious")
    secret.chmod(0o600)
    folder = Folder.open(str(campaign))
    place = Place(str(campaign), "report", folder.id)
    write_text(place.file("a.txt"), "one")
    campaign.rename(tmp_path / "moved")
    for target in (secret, elsewhere):
        campaign.symlink_to(target)
        write_text(place.file("a.txt"), f"for {target.name}")
        assert (tmp_path / "moved/report/a.txt").read_text() == f"for {target.name}"
        with pytest.raises(OwnFault, match="cannot be written"):
            write_text(Place(str(campaign), "report", folder.id).file("a.txt"), "new")
        campaign.unlink()
    assert (mode(secret), secret.read_text()) == (0o600, "precious")
    assert (mode(elsewhere), os.listdir(elsewhere)) == (0o700, [])


def test_folders_above_the_report_are_never_made_and_modes_of_what_was_there_stay(tmp_path):
    with pytest.raises(OwnFault, match="cannot be written"):
        write_text(file_at(tmp_path / "campaign" / "report" / "a.txt"), "new")
    (tmp_path / "report").mkdir(mode=0o700)
    write_text(file_at(tmp_path / "report" / "a.txt"), "new")
    assert mode(tmp_path / "report") == 0o700


def test_what_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "report").write_text("a file, not a folder")
    with pytest.raises(OwnFault, match=r"report.*cannot be written"):
        write_text(file_at(tmp_path / "report" / "a.txt"), "new")


def test_a_folder_in_the_way_is_one_sentence_and_leaves_nothing(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(OwnFault, match=r"a\.txt.*cannot be written"):
        write_text(file_at(tmp_path / "a.txt"), "new")
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_lone_surrogate_does_not_stop_a_report(tmp_path):
    write_text(file_at(tmp_path / "a.txt"), "a\udcffb", sync=False)
    assert (tmp_path / "a.txt").read_bytes() == b"a?b"
