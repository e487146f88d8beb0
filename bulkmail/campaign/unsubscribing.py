"""``unsubscribe`` of campaign.yaml: the ways out that a message offers, one's own or those of the service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, Field, ValidatorFunctionWrapHandler, WithJsonSchema, WrapValidator, model_validator

from bulkmail.mail import UNSUBSCRIBE, own_address
from bulkmail.yamlfile import Line, Section

_WORD = "built-in"
_LONGEST_TAG = 35  # characters (RFC 5646 4.4.1)
_TOKEN = "{{ token }}"  # noqa: S105 - what the messages put in its place is public


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


Text = Annotated[Line, AfterValidator(_filled)]


class Inbound(Protocol):
    """What a campaign takes of the settings of the inbound server."""

    @property
    def domain(self) -> str: ...  # noqa: D102


class Public(Protocol):
    """What a campaign takes of the settings of the page for unsubscribing."""

    @property
    def url(self) -> str: ...  # noqa: D102


class Unsubscribe(Section):
    """What List-Unsubscribe offers."""

    url: Annotated[
        Text | None,
        Field(
            description="your https page for it; {{ token }} tells who it is",
            examples=["https://example.com/u/{{ token }}"],
        ),
    ] = None
    mailto: Annotated[
        Text | None, Field(description="a mailbox that takes unsubscribe mail", examples=["unsubscribe@example.com"])
    ] = None

    @model_validator(mode="after")
    def _one(self) -> Unsubscribe:
        if self.url is None and self.mailto is None:
            raise ValueError("must give a url, a mailto address or both")
        return self


BUILT_IN = Unsubscribe.model_construct(url=None, mailto=None)
"""The ways out of the service itself: its page, and its inbound server."""


def _ways_out(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    if value == _WORD:
        return BUILT_IN
    if isinstance(value, str):
        raise ValueError(f"must be {_WORD}, or a mapping with the keys url and mailto; not {value[:60]!r}")  # noqa: TRY004
    return read(value)


WaysOut = Annotated[
    Unsubscribe | None,
    WrapValidator(_ways_out),
    WithJsonSchema({"anyOf": [{"const": _WORD}, Unsubscribe.model_json_schema(), {"type": "null"}]}),
    Field(
        description="what the button for unsubscribing of mail programs does; or `built-in`, where the service has a"
        " page for it"
    ),
]


def ways_out(
    asked: Unsubscribe | None, inbound: Inbound | None, public: Public | None, language: str | None = None
) -> Mapping[str, Any] | None:
    """Return what a message offers: ``url`` and ``mailto``, either None, in both of which ``{{ token }}`` may stand.

    ``language``: the column with each row's language tag, which the link to the service's page tells.
    Raises ValueError where the service's own ways are asked for and the settings have none.
    """
    if asked is None:
        return None
    if asked is not BUILT_IN:
        return asked.model_dump()
    if inbound is None and public is None:
        raise ValueError(
            f"`{_WORD}` needs `public` or `inbound` in the operator's settings, the service's page or its mail server; "
            "or give a url of your own"
        )
    return {
        "url": None if public is None else f"{public.url}/u/{_TOKEN}{_told(language)}",
        "mailto": None if inbound is None else own_address(UNSUBSCRIBE, _TOKEN, inbound.domain),
    }


def _told(language: str | None) -> str:
    """Return what stands behind the link: the language of the row, where it gives one."""
    if language is None:
        return ""
    said = f"(row.get({json.dumps(language)}) or '')|trim"
    return f"{{% if {said} %}}?lang={{{{ ({said})[:{_LONGEST_TAG}]|urlencode }}}}{{% endif %}}"
