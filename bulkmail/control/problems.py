"""What goes wrong with a request, as problem details (RFC 9457): JSON for programs, with a sentence for people."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from bulkmail.mail import BulkmailError

MEDIA_TYPE = "application/problem+json"


class RequestProblem(BulkmailError):
    """A request that is not done. ``status`` is the HTTP status; its text is the ``detail``, a sentence for people.

    ``more``: further members of the object (RFC 9457 3.2), such as ``nearest`` or ``errors``.
    """

    def __init__(self, status: int, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.more = more

    def plain(self) -> dict[str, Any]:
        """Return the object that is sent. ``type`` is about:blank: the status says all that a program needs."""
        title = HTTPStatus(self.status).phrase
        return {"type": "about:blank", "title": title, "status": self.status, "detail": str(self), **self.more}
