"""MTA-STS (RFC 8461): what a domain's record and its policy say, and which MX hosts the policy allows.

The record only says that there is a policy, and by its id that there is another one now. The policy is a file that is
fetched over HTTPS (`policy_fetch`). What is unknown in either is ignored; what lacks a required field is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple, cast

Mode = Literal["enforce", "testing", "none"]

LONGEST = 31_557_600
"""Seconds that a policy may be believed at most (3.2)."""

_RECORD = re.compile(r"v=STSv1[ \t]*;(.*)", re.DOTALL)
_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_FIELD = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})[ \t]*:[ \t]*(.*)")
_MX = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_MODES = ("enforce", "testing", "none")
_LONGEST_MX = 4096  # characters of all names; more are as good as none, and what is remembered is bounded


class Policy(NamedTuple):
    """A policy. ``mx``: host names, or ``*.`` and a name for all that are one label below; ``max_age``: seconds."""

    mode: Mode
    mx: tuple[str, ...]
    max_age: int

    @property
    def text(self) -> str:
        """Its file, as `parse_policy` reads it."""
        return "\n".join(
            ["version: STSv1", f"mode: {self.mode}", *(f"mx: {one}" for one in self.mx), f"max_age: {self.max_age}", ""]
        )

    def allows(self, host: str) -> bool:
        """Return whether mail may be given to this MX host (4.1)."""
        return host in self.mx or f"*.{host.partition('.')[2]}" in self.mx


def record_id(texts: Iterable[str]) -> str:
    """Return the id of the policy that the TXT records announce; "" where they announce none (3.1)."""
    found = [record for text in texts if (record := _RECORD.fullmatch(text)) is not None]
    if len(found) != 1:
        return ""
    for field in found[0][1].split(";"):
        name, _, value = field.strip(" \t").partition("=")
        if name == "id":
            return value if _ID.fullmatch(value) else ""
    return ""


def parse_policy(text: str) -> Policy:
    """Read a policy (3.2). Raises ValueError: a sentence that says why it is none."""
    first: dict[str, str] = {}
    mx: dict[str, None] = {}
    for line in re.split(r"\r?\n", text):
        if not line.strip(" \t"):
            continue
        field = _FIELD.fullmatch(line.strip(" \t"))
        if field is None:
            raise ValueError(f"the line {line[:60]!r} is not `key: value`")
        name, value = field.groups()
        if name == "mx":
            mx[_pattern(value)] = None
        first.setdefault(name, value)  # of two the first counts
    for name in ("version", "mode", "max_age"):
        if name not in first:
            raise ValueError(f"it has no {name}")
    if first["version"] != "STSv1":
        raise ValueError(f"its version is {first['version'][:20]!r}, not STSv1")
    mode, age = first["mode"], first["max_age"]
    if mode not in _MODES:
        raise ValueError(f"its mode is {mode[:20]!r}, not one of {', '.join(_MODES)}")
    if re.fullmatch("[0-9]{1,10}", age) is None:
        raise ValueError(f"its max_age is {age[:20]!r}, not a number of seconds")
    if mode != "none" and not mx:
        raise ValueError("it names no mx")
    if sum(map(len, mx)) > _LONGEST_MX:
        raise ValueError(f"the names of its mx are longer than {_LONGEST_MX} characters")
    return Policy(cast("Mode", mode), tuple(mx), min(int(age), LONGEST))


def _pattern(value: str) -> str:
    pattern = value.lower()
    if len(pattern) > 255 or _MX.fullmatch(pattern) is None:
        raise ValueError(f"its mx {value[:60]!r} is not a host name, nor one behind `*.`")
    return pattern
