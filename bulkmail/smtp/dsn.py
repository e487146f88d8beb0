"""The parameters by which delivery reports are asked for: RET, ENVID, NOTIFY and ORCPT (RFC 3461, RFC 6533).

They are written only where the server offers DSN: an Exim that does not takes them for a part of the address, and
refuses it. An ENVID is best without ``+`` and ``=``: some servers repeat it decoded, some as it is on the wire, and
which did it cannot be seen.
"""

from __future__ import annotations

import re

_TO_HEX = re.compile(rb"[^!-*,-<>-~]")  # RFC 3461 4: all but xchar
_TO_POINT = re.compile(r"[^!-*,-<>-\[\]-~]")  # RFC 6533 3: all but QCHAR


def xtext(text: str) -> str:
    """Return ``text``, in UTF-8, as xtext (RFC 3461 4): ``a+b=c`` is ``a+2Bb+3Dc``."""
    return _TO_HEX.sub(lambda octet: b"+%02X" % octet[0][0], text.encode("utf-8")).decode("ascii")


def original_recipient(address: str) -> str:
    """Return the value of ORCPT: the address that is mailed, with its type.

    One beyond ASCII is written in the form that needs no SMTPUTF8, utf-8-addr-xtext (RFC 6533 3), for the next hop
    may lack it.
    """
    if address.isascii():
        return "rfc822;" + xtext(address)
    return "utf-8;" + _TO_POINT.sub(lambda character: f"\\x{{{ord(character[0]):02X}}}", address)
