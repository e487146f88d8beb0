"""What stands in a field: addresses with their type, encoded words, xtext, octal text, comments. Within bounds."""

from __future__ import annotations

import binascii
import quopri
import re

_ENCODED = re.compile(r"(?:=\?[\w-]{1,40}(?:\*[\w-]{0,20})?\?[bBqQ]\?[^?\s]{0,2000}\?=(?:\s+(?==\?))?)+")
_ONE_WORD = re.compile(r"=\?([\w-]{1,40})(?:\*[\w-]{0,20})?\?([bBqQ])\?([^?\s]{0,2000})\?=")
_OCTAL = re.compile(r"(?:\\[0-3][0-7]{2})+")
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_UNITEXT = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")  # RFC 6533 3: \x{3B4}
# what ends an address in a text, within brackets of an expression; behind \] the marks of Chinese and Japanese texts
BETWEEN = r"\s<>@\"'(),;:\[\]\uff1a\uff1b\uff0c\uff08\uff09\u3001\u3002\u3008-\u3011\u201c\u201d"
_BETWEEN = re.compile(f"[{BETWEEN}]")
_MESSAGE_ID = re.compile(r"<([^<>\s]{1,300})>")
_LOOKED_AT = 200  # at signs of one text
_LONGEST = 320  # characters of an address (RFC 3696, with room)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def one_line(text: str, longest: int = 512) -> str:
    """Return ``text`` without controls, blanks run together, cut to ``longest`` characters."""
    return " ".join(_CONTROLS.sub(" ", text[: longest * 4]).split())[:longest].rstrip()


def words(value: str) -> str:
    """Return a field's text with its encoded words (RFC 2047) decoded; what cannot be decoded stays."""
    if "=?" not in value:
        return value

    def decoded(match: re.Match[str]) -> str:
        # one character may be cut in two by the end of a word, so neighbours of one charset are decoded together
        run: list[tuple[str, bytes]] = []
        try:
            for charset, encoding, text in _ONE_WORD.findall(match[0]):
                if encoding in "bB":
                    octets = binascii.a2b_base64(text + "=" * (-len(text) % 4))
                else:
                    octets = quopri.decodestring(text.replace("_", " ").encode("ascii", "replace"))
                if run and run[-1][0] == charset.lower():
                    octets = run.pop()[1] + octets
                run.append((charset.lower(), octets))
            return "".join(octets.decode(charset, "replace") for charset, octets in run)
        except (ValueError, LookupError):
            return match[0]

    return _ENCODED.sub(decoded, value[:4000])


def from_octal(text: str) -> str:
    """Decode what Exim writes for the octets of an address that is not ASCII: a backslash and three octal digits."""
    if "\\" not in text:
        return text

    def decoded(match: re.Match[str]) -> str:
        return bytes(int(one, 8) for one in match[0].split("\\")[1:]).decode("utf-8", "replace")

    return _OCTAL.sub(decoded, text)


def from_xtext(text: str) -> str:
    """Decode xtext (RFC 3461 4): ``+2B`` for a plus sign. Only for what is known to be still encoded."""
    return _XTEXT.sub(lambda match: chr(int(match[1], 16)), text)


def typed(value: str) -> tuple[str, str]:
    """Cut ``rfc822; joe@example.org`` into the type in lower case and the rest; without ``;`` the type is ``""``."""
    kind, mark, rest = value.partition(";")
    if not mark or " " in kind.strip():
        return "", value.strip()
    return kind.strip().lower(), rest.strip()


def address(value: str) -> str:
    """Return the address in a report's field, without type and comment, its escapes decoded; ``""`` without one."""
    kind, rest = typed(value)
    if kind in ("x400", "uucp"):
        return ""
    opened, closed = rest.find("<"), rest.rfind(">")
    if 0 <= opened < closed:
        rest = rest[opened + 1 : closed]
    rest = rest.partition(" (")[0].strip().strip(";").strip()
    if kind in ("utf-8", "utf8") or "\\x{" in rest:
        rest = _UNITEXT.sub(lambda match: _character(match[1]), rest)
    rest = from_octal(rest)
    if not 3 <= len(rest) <= _LONGEST or "@" not in rest or _CONTROLS.search(rest) is not None:
        return ""
    return rest


def _character(digits: str) -> str:
    number = int(digits, 16)
    return chr(number) if number < 0xD800 or 0xDFFF < number < 0x110000 else "\ufffd"


def addresses(text: str, most: int = 20) -> list[str]:
    """Return at most ``most`` addresses that stand in a text, octal ones decoded."""
    found: list[str] = []
    at = text.find("@")
    for _ in range(_LOOKED_AT):
        if at < 0 or len(found) >= most:
            break
        local = _BETWEEN.split(text[max(0, at - 128) : at])[-1]
        domain = _BETWEEN.split(text[at + 1 : at + 256], maxsplit=1)[0].rstrip(".")
        one = from_octal(f"{local}@{domain}")
        if local and domain and one not in found:
            found.append(one)
        at = text.find("@", at + 1)
    return found


def mailbox(value: str) -> str:
    """Return the first address of a From or To field, ``""`` where there is none (``MAILER-DAEMON <>``)."""
    opened, closed = value.rfind("<"), value.rfind(">")
    if 0 <= opened < closed:
        inside = addresses(value[opened : closed + 1], 1)
        return inside[0] if inside else ""
    found = addresses(value, 1)
    return found[0] if found else ""


def message_ids(value: str, most: int = 20) -> tuple[str, ...]:
    """Return the message identifiers of a field, without angle brackets; of a long list the last ones."""
    return tuple(_MESSAGE_ID.findall(value)[-most:])
