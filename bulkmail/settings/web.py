"""The section `web` of bulkmail.yaml: the operator's page, who may sign in to it, and by whose word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from bulkmail.settings.inbound import ServerTls
from bulkmail.settings.public import LOOPBACK, Listen, ListenAt, only_here_without_tls, parse_listen
from bulkmail.settings.values import Networks, Seconds, plain_path, preset
from bulkmail.yamlfile import ErrorAt, Line, Section

_FIELD = r"[A-Za-z][A-Za-z0-9-]{0,60}"
_SHORTEST = 60.0


def _session(seconds: float) -> float:
    if seconds < _SHORTEST:
        raise ValueError("must be 1m or longer")
    return seconds


class Web(Section):
    """The operator's page. ``user_header``: the field of a proxy that has signed people in already."""

    listen: Annotated[Listen, Field(description="where the page is served", examples=["127.0.0.1:8025"])]
    tls: ServerTls | None = None
    users: Annotated[Line, AfterValidator(plain_path)] = preset("./web-users")
    session: Annotated[Seconds, AfterValidator(_session)] = preset("12h")
    trusted_proxies: Networks = preset(list(LOOPBACK))
    user_header: Annotated[Line, Field(pattern=f"^{_FIELD}$")] | None = None
    user_role: Literal["look", "steer", "approve"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _safe(cls, given: Any) -> Any:
        only_here_without_tls(given, "read the passwords")
        if isinstance(given, Mapping) and given.get("user_header") is not None and "trusted_proxies" not in given:
            listen = given.get("listen")
            if not (isinstance(listen, str) and listen.startswith("unix:")):
                raise ErrorAt(
                    ("user_header",),
                    "whoever can connect could sign in with a field of this name; give trusted_proxies, the networks "
                    "that nobody but the proxy connects from, or listen on a unix: socket",
                )
        return given

    @property
    def place(self) -> ListenAt:
        """Where to listen."""
        return parse_listen(self.listen)
