from __future__ import annotations

from bulkmail.commands import suppressions
from bulkmail.commands.suppressions import changing, pages
from bulkmail.settings import Settings
from bulkmail.spool import EVERYTHING, Suppression


def test_changed_and_read_where_no_service_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(suppressions, "_PAGE", 7)
    spool = str(tmp_path / "spool")
    settings = Settings().model_copy(update={"spool": spool})
    assert list(pages(spool, "", "")) == []
    entries = [Suppression(f"u{n}@a.example", EVERYTHING, "listed", "x", 1.0) for n in range(20)]
    with changing(settings) as changes:
        assert min(changes.hashes(["a@a.example", "@a.example"])) > 0
        assert changes.suppress(entries) == 20
        assert changes.unsuppress(["u3@a.example"], "", "") == 1
        assert changes.forget_addresses(["u4@a.example"]) == 1
    found = [entry for page in pages(spool, "", "") for entry in page]
    assert [len(page) for page in pages(spool, "", "")] == [7, 7, 5]
    assert {entry.address for entry in found} == {None, *(f"u{n}@a.example" for n in range(20) if n not in (3, 4))}
    assert list(pages(spool, "list:news", "")) == []
