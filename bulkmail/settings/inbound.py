"""The section `inbound` of bulkmail.yaml: the domains at which what comes back is taken."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from bulkmail.settings.values import Domain
from bulkmail.yamlfile import ErrorAt, Many, Section

_LONGEST = 200  # characters: before it stand a word and a token, and an address has 254 (RFC 5321 4.5.3.1.3)


def _domains(domains: tuple[str, ...]) -> tuple[str, ...]:
    if not domains:
        raise ValueError("must name at least one domain, such as bounces.example.com")
    for index, domain in enumerate(domains):
        if len(domain) > _LONGEST:
            raise ErrorAt((index,), f"is longer than {_LONGEST} characters, and no address with a token would fit")
        if domain in domains[:index]:
            raise ErrorAt((index,), f"{domain} is given more than once")
    return domains


class Inbound(Section):
    """Where reports, complaints and requests to unsubscribe come back. ``domains``: the first is written into mail."""

    domains: Annotated[
        Many[Domain],
        AfterValidator(_domains),
        Field(description="the domains whose mail comes here", examples=[["bounces.example.com"]]),
    ]

    @property
    def domain(self) -> str:
        """The domain of the addresses that are written into mail."""
        return self.domains[0]
