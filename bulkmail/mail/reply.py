"""What a server said, complete."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete SMTP reply (RFC 5321 4.2): its code and its lines' texts, without codes and line ends."""

    code: int
    lines: tuple[str, ...]

    @property
    def enhanced(self) -> str:
        """The enhanced status code (RFC 2034, 3463) the text starts with, else ``""``.

        A class that contradicts the reply's first digit is the server's mistake: the three-digit code wins
        and the enhanced one becomes ``x.0.0``.
        """
        found = _ENHANCED.match(self.lines[0]) if self.lines else None
        if found is None:
            return ""
        if int(found.group(1)) != self.code // 100:
            return f"{self.code // 100}.0.0"
        return found.group(0)

    @property
    def text(self) -> str:
        """All lines in one, for logs and reports; control characters are already gone (the session cleans)."""
        return " ".join(self.lines)

    def __str__(self) -> str:
        return f"{self.code} {self.text}".rstrip()
