from __future__ import annotations

import os

from bulkmail.web.preview import preview_answer, read_preview


def test_only_the_preview_in_the_folder_itself_is_read(tmp_path):
    assert read_preview(str(tmp_path)) is None
    assert read_preview(str(tmp_path / "not-there")) is None
    (tmp_path / "preview").mkdir()
    secret = tmp_path.parent / f"{tmp_path.name}-secret"
    secret.write_text("secret")
    os.symlink(secret, tmp_path / "preview" / "index.html")
    assert read_preview(str(tmp_path)) is None
    (tmp_path / "preview" / "index.html").unlink()
    (tmp_path / "preview" / "index.html").write_text("fine")
    assert read_preview(str(tmp_path)) == b"fine"


def test_it_has_no_rights_even_by_itself():
    answer = preview_answer(b"<script>alert(1)</script>")
    policy = answer.headers[b"Content-Security-Policy"]
    assert policy.startswith(b"sandbox; default-src 'none'")
    assert b"allow-" not in policy
    assert b"script-src" not in policy
    assert answer.headers[b"X-Frame-Options"] == b"SAMEORIGIN"
