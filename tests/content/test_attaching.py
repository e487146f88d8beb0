from __future__ import annotations

import os

import pytest

from bulkmail.content import attaching as module
from bulkmail.content.attaching import Attaching, FolderGoneError
from bulkmail.content.templates import RowError, TemplateSet


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "spring"
    (place / "invoices").mkdir(parents=True)
    for number in (1, 2, 3):
        (place / "invoices" / f"{number}.pdf").write_bytes(b"%PDF invoice " + (b"one" if number < 3 else b"three"))
    (place / "recipients.csv").write_text("email\n")
    (tmp_path / "secret.pdf").write_bytes(b"secret")
    return place


@pytest.fixture
def make(folder):
    def make(*names, fixed=(), ours=("report", "STATUS.txt"), never=()):
        identity = os.stat(folder)
        given = {
            "folder": str(folder),
            "id": (identity.st_dev, identity.st_ino),
            "names": list(names),
            "never": [(os.stat(folder / name).st_dev, os.stat(folder / name).st_ino) for name in never],
            "own": ["body.html.j2"],
            "ours": list(ours),
        }
        return Attaching(given, fixed, TemplateSet({}, html=False).text)

    return make


def attached(one, **variables):
    return one.parts(one.names(variables))


def test_each_row_has_its_own_file_in_its_place(make):
    one = make((1, "invoices/{{ invoice }}.pdf"), fixed=[("terms.pdf", b"terms"), ("more.pdf", b"more")])
    parts = attached(one, invoice="3")
    names = [part.fields.split(b"filename=")[1].split(b"\r\n")[0] for part in parts]
    assert names == [b'"terms.pdf"', b'"3.pdf"', b'"more.pdf"']
    assert parts[1].fields.startswith(b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n")
    assert parts[1].body.wire == b"JVBERiBpbnZvaWNlIHRocmVl\r\n"


def test_without_those_of_every_message_a_row_has_its_own_all_the_same(make):
    """As in the sample, which leaves them out."""
    one = make((1, "invoices/{{ invoice }}.pdf"), (3, "invoices/2.pdf"))
    assert [b"3.pdf" in part.fields for part in attached(one, invoice="3")] == [True, False]


def test_a_row_may_have_none(make):
    one = make((0, "{% if invoice %}invoices/{{ invoice }}.pdf{% endif %}"))
    assert attached(one, invoice="") == []
    assert len(attached(one, invoice="1")) == 1


def test_what_is_attached_again_is_encoded_once(make, monkeypatch):
    done = []
    encoded = module.encoded
    monkeypatch.setattr(module, "encoded", lambda data: done.append(data) or encoded(data))
    one = make((0, "invoices/{{ invoice }}.pdf"))
    for invoice in "1212123":
        attached(one, invoice=invoice)
    assert done == [b"%PDF invoice one", b"%PDF invoice three"], "two files with the same content are one"


def test_the_cache_is_bounded(make, folder, monkeypatch):
    monkeypatch.setattr(module, "CACHED", 3000)
    monkeypatch.setattr(module, "_KNOWN", 5)
    one = make((0, "{{ n }}.bin"))
    for n in range(20):
        (folder / f"{n}.bin").write_bytes(bytes([n]) * 1000)
        attached(one, n=n)
    assert len(one._known) == 5
    assert one._size == sum(len(body.wire) for body in one._bodies.values()) <= 3000
    (folder / "huge.bin").write_bytes(b"x" * 10_000)
    assert len(attached(one, n="huge")[0].body.wire) > 10_000


def test_a_file_that_was_changed_is_read_again(make, folder):
    one = make((0, "invoices/{{ invoice }}.pdf"))
    before = attached(one, invoice="1")[0].body.wire
    (folder / "invoices/1.pdf").write_bytes(b"another, longer one")
    assert attached(one, invoice="1")[0].body.wire != before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("invoices/9.pdf", "attachments: invoices/9.pdf does not exist"),
        ("invoices", "attachments: invoices is a folder, not a file"),
        ("../secret.pdf", "leads out of a folder; write a path inside the campaign's"),
        ("invoices/../../secret.pdf", "leads out of a folder"),
        ("/etc/passwd", "leads out of a folder"),
        ("link.pdf", "attachments: link.pdf"),
        ("./report/recipients.csv", "is written by this program, and no attachment"),
        ("recipients.csv", "attachments: recipients.csv is a file of the campaign itself, and no attachment"),
        ("./body.html.j2", "attachments: ./body.html.j2 is a file of the campaign itself, and no attachment"),
        ("again.csv", "attachments: again.csv is a file of the campaign itself, and no attachment"),
        ("a\nb.pdf", "is no name of a file in the campaign's folder"),
        ("huge.bin", "huge.bin"),
    ],
)
def test_a_row_whose_file_cannot_be_had_is_told(make, folder, monkeypatch, name, words):
    monkeypatch.setattr(module, "MOST", 100)
    (folder / "huge.bin").write_bytes(b"x" * 101)
    (folder / "link.pdf").symlink_to("../secret.pdf")
    (folder / "body.html.j2").write_text("x")
    os.link(folder / "recipients.csv", folder / "again.csv")
    one = make((0, "{{ file }}"), never=["recipients.csv"])
    with pytest.raises(RowError) as caught:
        attached(one, file=name)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_gone_is_no_fault_of_a_row(make, folder):
    one = make((0, "invoices/{{ invoice }}.pdf"))
    folder.rename(folder.parent / "elsewhere")
    with pytest.raises(FolderGoneError, match="cannot be opened"):
        attached(one, invoice="1")
    (folder.parent / "elsewhere").rename(folder)
    assert attached(one, invoice="1")
