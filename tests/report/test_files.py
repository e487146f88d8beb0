from __future__ import annotations

import os
import stat

import pytest

from bulkmail.mail import OwnFault
from bulkmail.report.files import make_folder, write_text, written_aside


@pytest.fixture
def umask_077():
    before = os.umask(0o077)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_files_and_folders_can_be_read_by_people_whatever_the_umask(tmp_path, umask_077):
    path = tmp_path / "campaign" / "report" / "a.txt"
    write_text(str(path), "hello")
    assert path.read_text() == "hello"
    assert (mode(path), mode(path.parent), mode(path.parent.parent)) == (0o644, 0o755, 0o755)
    assert os.listdir(path.parent) == ["a.txt"]


def test_a_failure_leaves_what_stood_there(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def stopped_halfway():
        with written_aside(str(path)) as write:
            write(b"half of the new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stopped_halfway()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with written_aside(str(path)) as write:
        write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_what_a_killed_writer_left_is_written_over(tmp_path):
    (tmp_path / ".a.txt.part").write_text("left")
    write_text(str(tmp_path / "a.txt"), "new")
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_link_planted_beside_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / ".a.txt.part").symlink_to(victim)
    (folder / "a.txt").symlink_to(victim)
    write_text(str(folder / "a.txt"), "new")
    assert victim.read_text() == "precious"
    assert not (folder / "a.txt").is_symlink()


def test_a_report_folder_that_leads_out_of_the_campaign_is_refused(tmp_path):
    campaign = tmp_path / "campaign"
    campaign.mkdir()
    (campaign / "report").symlink_to(tmp_path)
    with pytest.raises(OwnFault, match="leads out"):
        make_folder(str(campaign / "report"))


def test_a_link_inside_the_campaign_is_fine(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "report").symlink_to(tmp_path / "results")
    write_text(str(tmp_path / "report" / "a.txt"), "new")
    assert (tmp_path / "results" / "a.txt").read_text() == "new"


def test_what_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "report").write_text("a file, not a folder")
    with pytest.raises(OwnFault, match=r"report.*cannot be written"):
        write_text(str(tmp_path / "report" / "a.txt"), "new")


def test_a_folder_in_the_way_is_one_sentence_and_leaves_nothing(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(OwnFault, match=r"a\.txt.*cannot be written"):
        write_text(str(tmp_path / "a.txt"), "new")
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_lone_surrogate_does_not_stop_a_report(tmp_path):
    write_text(str(tmp_path / "a.txt"), "a\udcffb", sync=False)
    assert (tmp_path / "a.txt").read_bytes() == b"a?b"
