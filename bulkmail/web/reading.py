"""What a request asks for, read: its path in parts, its query, its form, its cookie. Nothing of it is believed yet."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from bulkmail.web.sessions import COOKIE

_MOST_FIELDS = 20
_FORM = b"application/x-www-form-urlencoded"


class WebCall(NamedTuple):
    """One request. ``client``: who asks; ``trusted``: it comes from a proxy that is believed. ``too_long``: its body.

    ``credentials``: the name and the password of an Authorization field (RFC 7617), None without one.
    ``user``: the field of the proxy that names who is signed in, "" without one. ``same_site``: a browser does not say
    that another site has made it ask. ``secure``: the browser speaks TLS.
    """

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str]
    form: Mapping[str, str]
    session: str
    client: str
    user: str
    same_site: bool
    secure: bool
    too_long: bool = False
    credentials: tuple[str, str] | None = None


def parts_of(path: bytes) -> tuple[str, ...]:
    """Return the parts of a path, decoded: ``("campaigns", "spring sale")``."""
    text = path.partition(b"?")[0].decode("ascii", "replace")
    return tuple(unquote(part, errors="replace") for part in text.split("/") if part)


def fields_of(octets: bytes) -> dict[str, str]:
    """Return the fields of a form or a query; the last one of a name, none where there are too many."""
    try:
        found = parse_qsl(octets.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}
    return dict(found)


def form_of(content_type: bytes, body: bytes | None) -> dict[str, str]:
    """Return the fields of the body; none where it is no form."""
    kind = content_type.partition(b";")[0].strip().lower()
    return fields_of(body) if body and kind == _FORM else {}


def credentials_of(field: bytes) -> tuple[str, str] | None:
    """Return the name and the password of an Authorization field of the scheme Basic (RFC 7617 2)."""
    scheme, _, coded = field.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        name, colon, password = base64.b64decode(coded.strip(), validate=True).decode("utf-8", "replace").partition(":")
    except binascii.Error:
        return None
    return (name, password) if colon else None


def session_of(cookies: bytes) -> str:
    """Return the session's secret of the Cookie field, "" without one."""
    for part in cookies.decode("ascii", "replace").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value[:200]
    return ""


def same_site(fetch_site: bytes, origin: bytes, host: bytes) -> bool:
    """Return whether no browser says that another site asks (Fetch Metadata; RFC 6454 7).

    ``origin``: of the request; ``host``: whom it was sent to.
    """
    if fetch_site:
        return fetch_site.strip().lower() in (b"same-origin", b"none")
    if origin:
        return origin.partition(b"://")[2].lower() == host.strip().lower()
    return True
