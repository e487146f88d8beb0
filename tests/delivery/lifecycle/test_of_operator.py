from __future__ import annotations

from pathlib import Path

from bulkmail.delivery.lifecycle.of_operator import OfOperator
from bulkmail.settings import Settings, load_settings


def test_what_goes_along_of_the_settings_is_what_a_check_needs(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(b"PEM")
    (tmp_path / "never.csv").write_text("email\n")
    (tmp_path / "bulkmail.yaml").write_text(
        "suppress: [never.csv]\ndkim: [{domain: e.example, selector: s, key: key.pem}]\n"
        "inbound: {domains: [in.example.com]}\npublic: {url: https://mail.example.com}\n"
        "databases: {crm: postgresql://reader@db/crm}\n"
    )
    settings = load_settings(None, str(tmp_path))
    given = OfOperator.of(OfOperator.plain(settings))
    assert [(key.domain, key.selector, key.pem) for key in given.dkim] == [("e.example", "s", b"PEM")]
    assert list(given.suppress) == [str(tmp_path / "never.csv")]
    assert given.databases == {"crm": "postgresql://reader@db/crm"}
    assert given.inbound is not None
    assert given.inbound.domain == "in.example.com"
    assert given.public is not None
    assert given.public.url == "https://mail.example.com"
    bare = OfOperator.of(OfOperator.plain(Settings()))
    assert (bare.inbound, bare.public) == (None, None)
    assert given.file is not None
    assert settings.file is not None
    assert given.file.problem(("dkim", 0, "key"), "x") == settings.file.problem(("dkim", 0, "key"), "x")
