"""A phrase: words of a reply and what they mean; and the words of a reply as phrases look for them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property

from bulkmail.mail import Category


@dataclass(frozen=True)
class Phrase:
    """Words and what they mean. ``signal`` for the lane, when the refusal is transient; ``transient``: even as 5xx."""

    written: str
    category: Category
    signal: str = ""
    transient: bool = False

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The expression. Compiled for the first reply that is compared with it: all of them take 15 ms of a start."""
        return re.compile(self.written, re.ASCII)


def say(category: Category, *patterns: str, signal: str = "", transient: bool = False) -> Phrase:
    """Make a phrase of any of these patterns."""
    return Phrase("|".join(patterns), category, signal, transient)


# taken out of a reply before it is read: <spam@example.com> says nothing about spam
_ADDRESS_IN_TEXT = re.compile(r"[^\s@]+@[^\s@]+")
# Postfix says this in front of any reason, also of one that is not about the recipient
_PREFIX = re.compile(r"recipient address rejected: (?=\S)")


def plain_words(text: str) -> str:
    """Return a reply's words as the patterns expect them: lower case, no accents, single blanks, ``@`` for an address.

    ``rcpt:`` stands for Postfix's "Recipient address rejected:" where a reason follows it.
    """
    if not text.isascii():
        text = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    return _PREFIX.sub("rcpt: ", _ADDRESS_IN_TEXT.sub("@", " ".join(text.lower().split())))
