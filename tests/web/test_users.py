from __future__ import annotations

import os

import pytest

from bulkmail.mail import BulkmailError, OwnFault
from bulkmail.web.passwords import hash_password
from bulkmail.web.users import BY_PROXY, MOST_USERS, Role, User, Users, read_users, user_name, write_users

KEPT = hash_password("correct horse", b"s" * 16)
ANN, BOB = User("ann", Role.APPROVE, KEPT), User("bob", Role.LOOK, BY_PROXY)


@pytest.fixture
def path(tmp_path):
    write_users(str(tmp_path / "users"), {"ann": ANN, "bob": BOB})
    return tmp_path / "users"


def test_what_was_written_is_read(path):
    assert read_users(str(path)) == {"ann": ANN, "bob": BOB}
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == ["users"]
    assert read_users(str(path) + "-not-there") == {}


@pytest.mark.parametrize("line", ["ann", "ann admin -", "ann look md5", "bob look - -", "bob look -\nbob steer -"])
def test_a_line_that_is_none_of_ours_is_told_with_its_number(path, line):
    path.write_text(f"# a comment\n\n{line}\n")
    with pytest.raises(OwnFault, match=r"users:[34]: this is not a line"):
        read_users(str(path))
    users = Users(str(path))
    assert users.get("ann") is None
    assert "is not a line" in users.fault


def test_a_change_of_the_file_is_seen_at_once(path):
    users = Users(str(path))
    assert (users.get("ann"), len(users)) == (ANN, 2)
    write_users(str(path), {"bob": BOB})
    assert (users.get("ann"), len(users)) == (None, 1)
    path.unlink()
    assert len(users) == 0


def test_what_cannot_be_written_or_read_is_told(tmp_path):
    with pytest.raises(BulkmailError, match="cannot be written"):
        write_users(str(tmp_path / "no" / "users"), {})
    with pytest.raises(BulkmailError, match="more than"):
        write_users(str(tmp_path / "users"), {str(n): BOB for n in range(MOST_USERS + 1)})
    with pytest.raises(OwnFault, match=r"is a folder|not a regular file|directory"):
        read_users(str(tmp_path))


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "a" * 65, "<b>"])
def test_what_is_no_name(name):
    with pytest.raises(BulkmailError, match="is no name for a user"):
        user_name(name)
