"""Which files of the folder a template includes, extends or imports.

They are found by looking for the statements in its text: the templates are compiled elsewhere, in a sandbox.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

from bulkmail.campaign.locales import letters_of

_STATEMENT = re.compile(r"[-+]?\s*(?:include|extends|import|from)\b(.*)", re.DOTALL)
_LITERAL = re.compile(r"\"([^\"\\]*)\"|'([^'\\]*)'")
_AFTER_NAME = re.compile(r"\b(?:ignore\s+missing|with\s+context|without\s+context|as|import)\b")


def names_used(source: str) -> tuple[set[str], bool]:
    """Return the files that ``source`` includes, extends or imports by name, and whether it computes a name too."""
    names: set[str] = set()
    computed = False
    for piece in source.split("{%")[1:]:  # not one pattern over all: an unclosed tag must not cost a scan to the end
        inside_tag, closed, _ = piece.partition("%}")
        found = _STATEMENT.match(inside_tag)
        if found is None:
            continue
        rest = found[1].rstrip("-+") if closed else "?"
        literals = _LITERAL.findall(rest)
        names |= {posixpath.normpath(double or single) for double, single in literals}
        expression = _AFTER_NAME.split(_LITERAL.sub("", rest), maxsplit=1)[0]
        computed = computed or not literals or expression.strip(" \t\r\n,[]()") != ""
    return names, computed


def includes_used(content: dict[str, Any]) -> dict[str, str]:
    """Return those of the content's includes that its templates reach, in a fixed order."""
    includes: dict[str, str] = content["includes"]
    used: dict[str, str] = {}
    ahead = sources_of(content)
    while ahead:
        names, computed = names_used(ahead.pop())
        for name in includes if computed else names:
            if name in includes and name not in used:
                used[name] = includes[name]
                ahead.append(includes[name])
    return dict(sorted(used.items()))


def sources_of(content: dict[str, Any]) -> list[str]:
    """Return the texts of the content that are templates."""
    url = (content["unsubscribe"] or {}).get("url")
    texts = [url, *content["headers"].values()]
    for letter in letters_of(content) or [content]:
        texts += [letter["html"], letter["text"], letter["subject"]]
    return [text for text in texts if text]
