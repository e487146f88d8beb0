"""A record as a zone file has it, for a person to publish."""

from __future__ import annotations

_STRING = 255  # bytes of one string of a TXT record (RFC 1035 3.3)


def txt_line(name: str, text: str) -> str:
    """Return one line with the TXT record at ``name``, cut into strings of at most 255 characters."""
    strings = " ".join(f'"{text[at : at + _STRING]}"' for at in range(0, len(text), _STRING))
    return f"{name}. IN TXT {strings}"
