"""Retry settings for tests: those that are shipped, or with numbers that no operator may write."""

from __future__ import annotations

from dataclasses import dataclass

from bulkmail.settings import Retry

_SHIPPED = Retry()


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """A `shaping.RetrySettings`, in seconds."""

    schedule: tuple[float, ...] = tuple(_SHIPPED.schedule)
    expire_after: float = _SHIPPED.expire_after
    unknown_after: float = _SHIPPED.unknown_after
    unknown_attempts: int = _SHIPPED.unknown_attempts
    greylist_after: float = _SHIPPED.greylist_after
