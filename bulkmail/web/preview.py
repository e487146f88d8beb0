"""The preview of a campaign's letters, as the check has left it in the campaign's folder, for a frame without rights.

What is in it was written by the campaign's author. The answer's own policy puts it into a sandbox: no script, no form,
no other page, and nothing is fetched from anywhere, also where it is opened by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from bulkmail.files import Folder
from bulkmail.public import Answer
from bulkmail.web.pages import headers

PLACE = "preview/index.html"
_MOST = 20_000_000  # octets
_POLICY = (
    b"sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; base-uri 'none'"
)


def read_preview(folder: str) -> bytes | None:
    """Return the preview in a campaign's folder; None where there is none here. It reads a file."""
    try:
        return Folder.open(folder).read(PLACE, _MOST)
    except (OSError, ValueError):
        return None


def preview_answer(page: bytes) -> Answer:
    """Return it as an answer that can be shown in a frame of ours, and nowhere else."""
    return Answer(200, preview_headers(), page)


@cache
def preview_headers() -> Mapping[bytes, bytes]:
    """Return the header fields of a preview."""
    return {**headers(), b"Content-Security-Policy": _POLICY, b"X-Frame-Options": b"SAMEORIGIN"}
