from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bulkmail.campaign import Action, DropFolder, FolderState, put_aside, said_by, scan, write_status
from bulkmail.mail import OwnFault


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "campaigns"
    root.mkdir()
    return root


def drop(root: Path, name: str) -> Path:
    folder = root / name
    folder.mkdir()
    (folder / "campaign.yaml").write_text("name: x\n")
    return folder


def fingerprint(root: Path) -> str:
    (state,) = scan(str(root), 0.0)
    assert state.reason == ""
    return state.fingerprint


def test_folders_with_a_campaign_are_found_in_order(root: Path) -> None:
    drop(root, "b")
    drop(root, "a-é")
    (root / "empty").mkdir()
    states = scan(str(root), 7.5)
    assert [(state.path, state.seen_at, state.reason) for state in states] == [
        (str(root / "a-é"), 7.5, ""),
        (str(root / "b"), 7.5, ""),
    ]


def test_what_is_no_campaign_is_told_why(root: Path, tmp_path: Path) -> None:
    drop(tmp_path, "elsewhere")
    drop(root, ".hidden")
    drop(root, "line\nbreak")
    os.mkdir(os.fsencode(str(root)) + b"/caf\xe9")
    (root / "link").symlink_to(tmp_path / "elsewhere")
    (root / "notes.txt").write_text("x")
    (drop(root, "out") / "campaign.yaml").unlink()
    (root / "out/campaign.yaml").symlink_to(tmp_path / "elsewhere/campaign.yaml")
    (drop(root, "pipe") / "campaign.yaml").unlink()
    os.mkfifo(root / "pipe/campaign.yaml")
    (root / "yml").mkdir()
    (root / "yml/campaign.yml").write_text("x")
    (drop(root, "deep") / "/".join("abcdefghijkl")).mkdir(parents=True)
    reasons = {os.fsencode(os.path.basename(state.path)): state.reason for state in scan(str(root), 0.0)}
    assert reasons == {
        b".hidden": "its name starts with a dot, so it is hidden",
        b"line\nbreak": "its name must not hold a line break or another control character ('\\n'); rename it",
        b"caf\xe9": "its name is not UTF-8; rename it",
        b"link": "it is a symbolic link; move the folder itself here",
        b"notes.txt": "it is not a folder; a campaign is a folder with a campaign.yaml",
        b"out": "campaign.yaml leads out of the campaign's folder; copy the file into it",
        b"pipe": "its campaign.yaml is not a regular file",
        b"yml": "rename its campaign.yml to campaign.yaml",
        b"deep": "the folders are nested more than 10 levels deep",
    }


def test_a_folder_that_may_not_be_read_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(root, "a")
    real = os.scandir

    def denied(path: str | int) -> object:
        if isinstance(path, int):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", denied)
    assert [state.reason for state in scan(str(root), 0.0)] == ["the folder . cannot be read (Permission denied)"]


def test_a_missing_root_is_our_own_fault(root: Path) -> None:
    with pytest.raises(OwnFault, match=r"the watched folder .*/none cannot be read \(No such file or directory\)"):
        scan(str(root / "none"), 0.0)


def test_the_fingerprint_follows_every_file(root: Path) -> None:
    folder = drop(root, "a")
    seen = {fingerprint(root)}

    def changed() -> bool:
        before = len(seen)
        seen.add(fingerprint(root))
        return len(seen) > before

    assert not changed()
    (folder / "list.csv").write_text("a")
    assert changed()
    (folder / "list.csv").write_text("ab")
    assert changed()
    os.utime(folder / "list.csv", ns=(1, 1))
    assert changed()
    (folder / "new.csv").write_text("ab")
    os.utime(folder / "new.csv", ns=(1, 1))
    os.replace(folder / "new.csv", folder / "list.csv")  # same name, size and time: another inode
    assert changed()
    (folder / "sub").mkdir()
    (folder / "sub/x").write_text("x")
    assert changed()
    (folder / "link").symlink_to("sub/x")
    assert changed()
    (folder / "sub/x").write_text("xy")
    assert changed()
    (folder / "dangling").symlink_to("nowhere")
    assert changed()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        assert changed()
    os.rename(folder / "list.csv", folder / "other.csv")
    assert changed()


def test_what_we_write_is_no_change(root: Path) -> None:
    folder = drop(root, "a")
    before = fingerprint(root)
    for name in ("report", "rehearsal"):
        (folder / name).mkdir()
        (folder / name / "summary.json").write_text("{}")
    write_status(str(folder), "running")
    (folder / ".STATUS.txt.new").write_text("left by a crash")
    assert fingerprint(root) == before


def state(fingerprint: str, at: float, path: str = "/c/a") -> FolderState:
    return FolderState(path, at, fingerprint)


START = [Action("start", "/c/a")]


def test_a_folder_starts_once_its_files_keep_still() -> None:
    watched = DropFolder(quiet=3.0)
    assert watched.look([state("1", 0.0)]) == []
    assert watched.look([state("1", 2.0)]) == []
    assert watched.look([state("2", 2.5)]) == []  # still arriving
    assert watched.look([state("2", 5.0)]) == []
    assert watched.look([state("2", 5.5)]) == START
    assert watched.look([state("2", 60.0)]) == []


def test_an_ended_campaign_is_left_alone_until_it_changes() -> None:
    watched = DropFolder(quiet=3.0)
    watched.look([state("1", 0.0)])
    assert watched.look([state("1", 3.0)]) == START
    watched.ended("/c/a")
    assert watched.look([state("1", 99.0)]) == []
    assert watched.look([state("2", 100.0)]) == []
    assert watched.look([state("2", 103.0)]) == START


def test_a_change_while_it_runs_starts_it_again_afterwards() -> None:
    watched = DropFolder(quiet=3.0)
    watched.look([state("1", 0.0)])
    assert watched.look([state("1", 3.0)]) == START
    assert watched.look([state("2", 4.0)]) == []
    assert watched.look([state("2", 9.0)]) == [Action("changed", "/c/a")]
    watched.ended("/c/a")
    assert watched.look([state("2", 10.0)]) == START


def test_a_change_and_back_is_no_change() -> None:
    watched = DropFolder(quiet=3.0)
    watched.look([state("1", 0.0)])
    assert watched.look([state("1", 3.0)]) == START
    watched.ended("/c/a")
    assert watched.look([state("2", 4.0)]) == []
    assert watched.look([state("1", 5.0)]) == []
    assert watched.look([state("1", 99.0)]) == []


def test_a_reason_is_told_once_and_again_when_it_is_another() -> None:
    watched = DropFolder()
    bad = FolderState("/c/a", 0.0, reason="r")
    assert watched.look([bad]) == [Action("ignore", "/c/a", "r")]
    assert watched.look([bad]) == []
    assert watched.look([FolderState("/c/a", 0.0, reason="s")]) == [Action("ignore", "/c/a", "s")]
    assert watched.look([state("1", 1.0)]) == []
    assert watched.look([state("1", 4.0)]) == START


def test_a_folder_that_left_is_forgotten_and_may_come_again() -> None:
    watched = DropFolder()
    watched.look([state("1", 0.0)])
    assert watched.look([state("1", 3.0)]) == START
    assert watched.look([]) == [Action("gone", "/c/a")]
    assert watched.look([state("1", 5.0)]) == [Action("back", "/c/a")]
    watched.ended("/c/a")
    watched.look([])
    assert watched.look([state("1", 6.0)]) == []
    assert watched.look([state("1", 9.0)]) == START
    watched.ended("/c/never-seen")


def marked(at: float, *marks: str, fingerprint: str = "1") -> FolderState:
    return FolderState("/c/a", at, fingerprint, marks=frozenset(marks))  # type: ignore[arg-type]


def test_marks_are_told_from_the_start_to_the_end() -> None:
    watched = DropFolder(quiet=3.0)
    assert watched.look([marked(0.0, "PAUSE")]) == []
    assert watched.look([marked(3.0, "PAUSE")]) == [*START, Action("appeared", "/c/a", "PAUSE")]
    assert watched.look([marked(4.0, "PAUSE")]) == []
    assert watched.look([marked(5.0, "APPROVED", "CANCEL")]) == [
        Action("appeared", "/c/a", "APPROVED"),
        Action("appeared", "/c/a", "CANCEL"),
        Action("removed", "/c/a", "PAUSE"),
    ]
    watched.ended("/c/a")
    watched.look([marked(7.0, "PAUSE", fingerprint="2")])
    assert watched.look([marked(10.0, "PAUSE", fingerprint="2")]) == [*START, Action("appeared", "/c/a", "PAUSE")]


def test_what_was_refused_is_looked_at_again_when_its_change_is_accepted() -> None:
    watched = DropFolder(quiet=3.0)
    watched.look([marked(0.0)])
    assert watched.look([marked(3.0)]) == START
    watched.ended("/c/a")
    assert watched.look([marked(9.0, "PAUSE")]) == []
    assert watched.look([marked(10.0, "ACCEPT")]) == [*START, Action("appeared", "/c/a", "ACCEPT")]
    watched.ended("/c/a")
    assert watched.look([marked(11.0, "ACCEPT")]) == []


def test_marks_are_no_change_of_the_files(root: Path) -> None:
    folder = drop(root, "a")
    before = fingerprint(root)
    for name in ("APPROVED", "PAUSE", "CANCEL", "ACCEPT"):
        (folder / name).write_text("Ann\n")
    (one,) = scan(str(root), 0.0)
    assert one.marks == {"APPROVED", "PAUSE", "CANCEL", "ACCEPT"}
    assert one.fingerprint == before


def test_what_changes_while_it_runs_is_told_once_it_keeps_still() -> None:
    watched = DropFolder(quiet=3.0)
    watched.look([state("1", 0.0)])
    assert watched.look([state("1", 3.0)]) == START
    assert not watched.unsettled
    assert watched.look([state("2", 4.0)]) == []
    assert watched.unsettled
    assert watched.look([state("2", 7.0)]) == [Action("changed", "/c/a")]
    assert watched.look([state("2", 99.0)]) == []
    assert not watched.unsettled
    watched.look([state("1", 100.0)])
    assert watched.look([state("1", 103.0)]) == [Action("changed", "/c/a")]


def test_a_folder_that_is_taken_away_while_it_runs_is_told_and_so_is_its_return() -> None:
    watched = DropFolder(quiet=3.0)
    watched.look([state("1", 0.0)])
    assert watched.look([state("1", 3.0)]) == START
    assert watched.look([]) == [Action("gone", "/c/a")]
    assert watched.look([]) == []
    assert watched.look([state("1", 9.0)]) == [Action("back", "/c/a")]


class Watching(RuleBasedStateMachine):
    """Whatever is copied, changed and ended: never two runs of one folder, never a run before it was quiet."""

    @initialize()
    def begin(self) -> None:
        self.watched = DropFolder(quiet=3.0)
        self.now = 0.0
        self.version = 0
        self.changed_at = 0.0
        self.started_with: int | None = None
        self.running = False

    @rule(step=st.floats(0.1, 5.0))
    def look(self, step: float) -> None:
        self.now += step
        actions = self.watched.look([state(str(self.version), self.now)])
        if Action("start", "/c/a") in actions:
            assert not self.running
            assert self.started_with != self.version
            assert self.now - self.changed_at >= 3.0
            self.running, self.started_with = True, self.version

    @rule()
    def change(self) -> None:
        self.version += 1
        self.changed_at = self.now

    @rule()
    def end(self) -> None:
        self.watched.ended("/c/a")
        self.running = False

    @invariant()
    def waiting_long_enough_starts(self) -> None:
        if not self.running and self.started_with != self.version:
            probe = DropFolder(quiet=3.0)
            assert probe.look([state("x", 0.0)]) == []
            assert probe.look([state("x", 3.0)]) == START


TestWatching = Watching.TestCase
TestWatching.settings = settings(max_examples=40, stateful_step_count=25)


def test_the_status_is_whole_readable_and_written_only_when_it_changed(root: Path) -> None:
    old = os.umask(0o077)
    try:
        assert write_status(str(root), "running: 3 of 10\n")
    finally:
        os.umask(old)
    path = root / "STATUS.txt"
    assert path.read_text() == "running: 3 of 10\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    inode = path.stat().st_ino
    assert not write_status(str(root), "running: 3 of 10\n")
    assert path.stat().st_ino == inode
    assert write_status(str(root), "done \ud800\n")
    assert path.read_text() == "done ?\n"
    assert os.listdir(root) == ["STATUS.txt"]


def test_the_status_never_goes_through_a_link_or_into_a_pipe(root: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in ("STATUS.txt", ".STATUS.txt.new"):
        (root / name).symlink_to(victim)
    assert write_status(str(root), "x")
    assert victim.read_text() == "precious"
    assert not (root / "STATUS.txt").is_symlink()
    (root / "STATUS.txt").unlink()
    os.mkfifo(root / "STATUS.txt")
    assert write_status(str(root), "x")
    assert (root / "STATUS.txt").read_text() == "x"


def test_the_status_never_goes_into_a_folder_that_a_link_leads_to(root: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "STATUS.txt").write_text("precious")
    (victim / "STATUS.txt").chmod(0o600)
    (root / "c").symlink_to(victim)
    with pytest.raises(NotADirectoryError):
        write_status(str(root / "c"), "x")
    assert (victim / "STATUS.txt").read_text() == "precious"
    assert stat.S_IMODE((victim / "STATUS.txt").stat().st_mode) == 0o600


def test_a_folder_that_is_gone_is_the_callers_to_know(root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_status(str(root / "gone"), "x")


def test_a_mark_that_counts_no_longer_is_put_aside(root: Path) -> None:
    folder = drop(root, "a")
    before = fingerprint(root)
    assert not put_aside(str(folder), "APPROVED")
    (folder / "APPROVED").write_text("Ann\n")
    assert put_aside(str(folder), "APPROVED")
    (one,) = scan(str(root), 0.0)
    assert (one.marks, one.fingerprint) == (frozenset(), before)
    assert (folder / "APPROVED.before").read_text() == "Ann\n"


@pytest.mark.parametrize(
    ("text", "who"), [("\n Ann Lee \nand more", "Ann Lee"), ("", ""), ("x" * 500, "x" * 100), ("\x1b[2J", "")]
)
def test_who_put_a_mark_there(root: Path, text: str, who: str) -> None:
    folder = drop(root, "a")
    (folder / "APPROVED").write_text(text)
    assert said_by(str(folder), "APPROVED") == who


def test_who_put_a_mark_there_is_not_read_through_a_link(root: Path, tmp_path: Path) -> None:
    folder = drop(root, "a")
    (tmp_path / "secret").write_text("secret")
    (folder / "APPROVED").symlink_to(tmp_path / "secret")
    assert said_by(str(folder), "APPROVED") == ""
