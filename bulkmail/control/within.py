"""Asking the operations of the API from within the service: what the operator's page reads and orders by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pydantic import ValidationError

from bulkmail.control.http import Answering, Call
from bulkmail.control.operations import OPERATIONS
from bulkmail.control.problems import RequestProblem

_BY_NAME = {operation.name: operation for operation in OPERATIONS}


class Ask(Protocol):
    """Asks an operation by its name; see `operations.OPERATIONS`."""

    async def __call__(
        self,
        name: str,
        path: Mapping[str, str] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        order: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the answer as JSON data. Raises RequestProblem, also for an order that is not one; BulkmailError."""


def ask_within(answering: Answering) -> Ask:
    """Return what asks ``answering``, as the control socket does for a request."""

    async def ask(
        name: str,
        path: Mapping[str, str] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        order: Mapping[str, Any] | None = None,
    ) -> Any:
        operation = _BY_NAME[name]
        try:
            given = None if operation.order is None else operation.order.model_validate(dict(order or {}))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise RequestProblem(422, f"{where}: {first['msg'].removeprefix('Value error, ')}") from None
        return await answering(Call(operation, dict(path or {}), dict(query or {}), given))

    return ask
