"""``databases``: what campaigns may ask for their lists, by the names that they use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator

from bulkmail.yamlfile import ErrorAt, Line

_SECRET = frozenset({"password", "sslpassword"})


def _databases(given: Mapping[str, str]) -> Mapping[str, str]:
    for name, address in given.items():
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}", name, re.ASCII) is None:
            raise ErrorAt((name,), "not a name for a database; use letters, digits, hyphens and underscores")
        if not address.startswith(("postgresql://", "postgres://")):
            raise ErrorAt((name,), "must be an address such as postgresql://reader@db.example.com/crm")
        try:
            parts = urlsplit(address)
            secret = parts.password is not None or any(key.lower() in _SECRET for key, _ in parse_qsl(parts.query))
        except ValueError as error:
            raise ErrorAt((name,), f"is not an address ({error})") from None
        if secret:
            words = "holds a password, which would be shown with these settings; take it out and keep it in ~/.pgpass "
            raise ErrorAt((name,), words + "(mode 600), or in the environment variable PGPASSWORD")
    return given


Databases = Annotated[Mapping[Line, Line], AfterValidator(_databases)]
