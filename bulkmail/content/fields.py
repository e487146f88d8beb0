"""Fields of campaign.yaml's ``headers`` whose values have a grammar: written as it says, or refused with a sentence.

A phrase is quoted or encoded, what stands in angle brackets stays readable (RFC 2047 section 5), and an address list, a
URL list or a keyword that its readers could not parse is not sent. A field without a grammar here is free text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from bulkmail.content.bulk import is_list_id
from bulkmail.content.headers import (
    LONGEST,
    clean,
    comment,
    parse_mailbox,
    phrase,
    phrase_words,
    structured,
    unquoted,
    unstructured,
)
from bulkmail.content.uri import ascii_url
from bulkmail.mail import Address, AddressError

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+", re.ASCII)  # RFC 2045 5.1
_MESSAGE_ID = re.compile(r"<[!#-;=?A-~]+@[!#-;=?A-~]+>")
_AT_END = re.compile(r"(.*)<([^<>]*)>", re.DOTALL)
_NO_BARE = re.compile(r"\S+@\S+")
_SUBMITTED = re.compile(r"([A-Za-z0-9-]+)((?:[ \t]*;[ \t]*[A-Za-z0-9!#$%&'*+.^_`{|}~-]+=[^\s;\"]+)*)", re.ASCII)
_DATE = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?[0-3]?\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "
    r"[0-2]\d:[0-5]\d(?::[0-6]\d)? (?:[+-]\d{4}|GMT|UT)",
    re.ASCII,
)
_FEEDBACK = re.compile(r"[\x21-\x39\x3b-\x7e]*(?::[\x21-\x39\x3b-\x7e]*){0,2}:[\x21-\x39\x3b-\x7e]+", re.ASCII)


class FieldError(ValueError):
    """A field's value is not what its grammar allows; the words say what would be."""


def header_field(name: str, value: str) -> bytes:
    """Return the whole field, name to CRLF. Raises FieldError, and UnicodeEncodeError for half of a surrogate pair.

    ``value``: as the author wrote it, templates rendered; a control character in it becomes a space.
    """
    write = _GRAMMARS.get(name.lower())
    if write is None:
        return unstructured(name, value, keep_long_words=True)
    try:
        written = write(name, clean(value))
    except UnicodeEncodeError:
        raise
    except (AddressError, ValueError) as error:
        raise FieldError(str(error)) from None
    if any(len(line) > LONGEST for line in written.split(b"\r\n")):
        raise FieldError(f"it has a word too long for a line of {LONGEST} characters")
    return written


def _list_id(name: str, value: str) -> bytes:
    """Write a List-Id (RFC 2919 2): words for people, and the id in angle brackets."""
    found = _AT_END.fullmatch(value)
    words, identifier = (found[1].strip(), found[2].strip()) if found else ("", value)
    if not is_list_id(identifier):
        raise FieldError(f"{value!r} is not a list id; write e.g. Our readers <readers.example.com> (RFC 2919)")
    return phrase(name, unquoted(words), f"<{identifier}>")


def _urls(name: str, value: str) -> bytes:
    """Write URLs in angle brackets, the best one first, comments between them (RFC 2369 2)."""
    if "<" not in value and "(" not in value:
        if _NO_BARE.fullmatch(value) and ":" not in value:
            raise FieldError(f"{value!r} is not a URL; write <mailto:{value}> (RFC 2369)")
        value = f"<{value}>"
    parts = [""]
    at = 0
    while at < len(value):
        if value[at] == "<":
            end = value.find(">", at)
            if end < 0 or parts[-1].startswith("<"):
                raise _not_urls(value)
            parts[-1] += f" <{ascii_url(''.join(value[at + 1 : end].split()))}>"
            parts[-1] = parts[-1].strip()
        elif value[at] == "(":
            end = _closing(value, at)
            parts[-1] = f"{parts[-1]} {comment(value[at + 1 : end], len(name) + 2)}".strip()
        elif value[at] == ",":
            end = at
            parts.append("")
        elif value[at].isspace():
            end = at
        else:
            raise _not_urls(value)
        at = end + 1
    if not all("<" in part for part in parts):
        raise _not_urls(value)
    return structured(name, *parts)


def _one_url(name: str, value: str) -> bytes:
    """Write exactly one URL (RFC 5064 2.2)."""
    if value.count("<") > 1:
        raise FieldError(f"{value!r} is more than one URL")
    return _urls(name, value)


def _post(name: str, value: str) -> bytes:
    """Write URLs, or the word NO, which may have a comment (RFC 2369 3.4)."""
    word, _, rest = value.partition("(")
    if word.strip().upper() != "NO":
        return _urls(name, value)
    if not rest:
        return structured(name, "NO")
    end = _closing(value, len(word))
    if value[end + 1 :].strip():
        raise _not_urls(value)
    return structured(name, f"NO {comment(value[len(word) + 1 : end], len(name) + 5)}")


def _not_urls(value: str) -> FieldError:
    return FieldError(f"{value!r} is not a list of URLs; write <https://...>, <mailto:...> (RFC 2369)")


def _closing(value: str, at: int) -> int:
    """Return the index at which the comment that begins at ``at`` ends. Raises FieldError."""
    depth = 0
    while at < len(value):
        if value[at] == "\\":
            at += 1
        else:
            depth += (value[at] == "(") - (value[at] == ")")
        if not depth:
            return at
        at += 1
    raise FieldError("a comment is not closed; write ) at its end")


def _mailboxes(name: str, value: str) -> bytes:
    """Write one mailbox or several (RFC 5322 3.4)."""
    try:
        found = [parse_mailbox(text) for text in _split(value)]
    except AddressError:
        found = [parse_mailbox(value)]  # a comma in a name without quotes, as people write it
    for _, address in found:
        if address.needs_smtputf8:
            raise FieldError(f"{address.local!r} is not ASCII, and most receivers refuse such a field")
    return _lines(name, ",", [_mailbox(name, *one) for one in found])


def _mailbox(name: str, display: str, address: Address) -> str:
    return f"{phrase_words(display, len(name) + 2)} <{address}>" if display else str(address)


def _phrases(name: str, value: str) -> bytes:
    """Write phrases with commas between them (RFC 5322 3.6.5)."""
    words = [phrase_words(unquoted(text), len(name) + 2) for text in _split(value) if text]
    return _lines(name, ",", words)


def _lines(name: str, between: str, parts: Iterable[str]) -> bytes:
    """Write a field with one part on each line."""
    return f"{name}: ".encode("ascii") + f"{between}\r\n ".join(parts).encode("ascii") + b"\r\n"


def _split(value: str) -> list[str]:
    """Return ``value`` cut at the commas that are not inside quotes."""
    return [text.strip() for text in re.findall(r'(?:"(?:[^"\\]|\\.)*"|[^,])+', value)]


def _message_ids(name: str, value: str) -> bytes:
    """Write message identifiers (RFC 5322 3.6.4)."""
    found = value.split()
    for text in found:
        if _MESSAGE_ID.fullmatch(text) is None:
            raise FieldError(f"{text!r} is not a message id; write <left@right>, blanks between several")
    return _lines(name, "", found)


def _submitted(name: str, value: str) -> bytes:
    """Write a keyword with parameters behind it (RFC 3834 5)."""
    if _SUBMITTED.fullmatch(value) is None:
        raise FieldError(f"{value!r} is not what RFC 3834 allows; write auto-generated, auto-replied or no")
    return structured(name, value)


def _feedback(name: str, value: str) -> bytes:
    """Write two to four parts of ASCII with colons between them, of which the last names the sender (Gmail's rule)."""
    if _FEEDBACK.fullmatch(value) is None:
        raise FieldError(
            f"{value!r} is not a Feedback-ID; write two to four parts of ASCII without blanks, colons between them and "
            "your own name last, such as spring:members:news:exampleshop"
        )
    return structured(name, value)


def _tokens(name: str, value: str) -> bytes:
    """Write words of ASCII with commas between them."""
    found = [text.strip() for text in value.split(",")]
    for text in found:
        if _TOKEN.fullmatch(text) is None:
            raise FieldError(f"{text!r} is not one word of ASCII, as this field has")
    return structured(name, *found)


def _date(name: str, value: str) -> bytes:
    """Write a date (RFC 5322 3.3)."""
    if _DATE.fullmatch(value) is None:
        raise FieldError(f"{value!r} is not a date of mail; write it as Tue, 1 Dec 2026 09:00:00 +0100")
    return structured(name, value)


def _one_of(*words: str) -> Callable[[str, str], bytes]:
    def write(name: str, value: str) -> bytes:
        if value.lower() not in words:
            raise FieldError(f"{value!r} is not one of its values; write {' or '.join(words)}")
        return structured(name, value)

    return write


_GRAMMARS: dict[str, Callable[[str, str], bytes]] = {
    "list-id": _list_id,
    "list-post": _post,
    "archived-at": _one_url,
    "auto-submitted": _submitted,
    "feedback-id": _feedback,
    "keywords": _phrases,
    "precedence": _tokens,
    "x-auto-response-suppress": _tokens,
    "importance": _one_of("low", "normal", "high"),
    "priority": _one_of("normal", "urgent", "non-urgent"),
    "sensitivity": _one_of("personal", "private", "company-confidential"),
    **dict.fromkeys(("list-help", "list-subscribe", "list-owner", "list-archive"), _urls),
    **dict.fromkeys(("references", "in-reply-to", "supersedes"), _message_ids),
    **dict.fromkeys(("expires", "expiry-date", "reply-by"), _date),
    **dict.fromkeys(
        (
            "disposition-notification-to",
            "return-receipt-to",
            "x-confirm-reading-to",
            "errors-to",
            "mail-followup-to",
            "mail-reply-to",
        ),
        _mailboxes,
    ),
}
