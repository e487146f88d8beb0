from __future__ import annotations

import hashlib

import pytest

from bulkmail.campaign.lines import Lines
from bulkmail.campaign.places import Place, Progress, changed_since, prove
from bulkmail.campaign.rows import Rows
from bulkmail.mail import Refused


def place_at(data, **more):
    return Place("utf-8", ",", offset=len(data), rows=2, sha256=hashlib.sha256(data).hexdigest(), **more)


def test_progress_survives_storing():
    progress = Progress((Place("utf-8", ";", 10, 2, 3, "ab", True, (5, 7)),), 2, True, 2, 99)
    data = progress.as_data()
    assert data["bytes"] == 10
    assert Progress.from_data(data) == progress
    with pytest.raises(ValueError, match="another version"):
        Progress.from_data({**data, "version": 2})


def test_a_place_moves_with_the_rows(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"email\na@b.de\nc@d.de")
    lines = Lines(str(path))
    rows = Rows(lines)
    place = Place("utf-8", ",")
    place.move(rows, len(rows.take(1)))
    assert (place.offset, place.rows, place.line, place.unended) == (13, 1, 3, False)
    place.move(rows, len(rows.take(1)))
    assert (place.offset, place.rows, place.unended) == (19, 2, True)
    assert place.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    lines.close()


def test_what_was_read_must_be_the_same_and_may_be_followed(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"email\na@b.de\n")
    assert not prove([str(path)], 0, [place_at(b"email\na@b.de\n")])
    assert prove([str(path)], 0, [place_at(b"email\n")])
    with pytest.raises(Refused, match=r"a.csv: changed in the part already read \(2 rows, 6 bytes\); restore it"):
        prove([str(path)], 0, [place_at(b"EMAIL\n")])
    with pytest.raises(Refused, match="changed in the part already read"):
        prove([str(path)], 0, [place_at(b"email\na@b.de\nc@d.de\n")])


def test_only_the_last_file_may_grow(tmp_path):
    paths = []
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_bytes(b"email\n\n")
        paths.append(str(tmp_path / name))
    places = [place_at(b"email\n"), place_at(b"email\n")]
    assert prove(paths, 1, places)
    with pytest.raises(Refused, match=r"has grown, but rows of b.csv were already read after it"):
        prove(paths, 0, places)


@pytest.mark.parametrize(
    ("ahead", "good"), [(b"\nx", True), (b"\r\nx", True), (b"", True), (b"om\n", False), (b"\rx", False)]
)
def test_a_last_line_without_end_must_end_before_new_rows(tmp_path, ahead, good):
    read = b"email\na@b.c"
    (tmp_path / "a.csv").write_bytes(read + ahead)
    place = place_at(read, unended=True, line=2)
    if good:
        assert prove([str(tmp_path / "a.csv")], 0, [place]) == bool(ahead)
    else:
        with pytest.raises(Refused, match=r"a.csv:2: the row at the end of this line was already read"):
            prove([str(tmp_path / "a.csv")], 0, [place])


def test_what_has_changed_since_it_was_finished(tmp_path):
    data = b"email\na@b.de\nc@d.de\n"
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    reading = Progress((place_at(data),), 2, True).as_data()
    assert changed_since([str(path)], reading) == []
    assert changed_since([str(path)], None) == ["a.csv"]
    path.write_bytes(data + b"\n")
    assert changed_since([str(path)], reading) == [], "an empty line is no row"
    path.write_bytes(data + b"e@f.de\n")
    assert changed_since([str(path)], reading) == ["a.csv"]
    path.write_bytes(data.replace(b"a@b", b"x@b"))
    assert changed_since([str(path)], reading) == ["a.csv"]
    path.write_bytes(data)
    assert changed_since([str(path), str(tmp_path / "b.csv")], reading) == ["b.csv"]
    assert changed_since([str(path)], {**reading, "version": 99}) == []
