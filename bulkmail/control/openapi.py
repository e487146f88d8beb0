"""The OpenAPI 3.1 document, made of the same operations and models that requests are served by."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import TypeAdapter

from bulkmail import __version__
from bulkmail.control.models import ProblemAnswer
from bulkmail.control.operations import OPERATIONS, Operation
from bulkmail.control.problems import MEDIA_TYPE

_REF = "#/components/schemas/{model}"


@cache
def document() -> dict[str, Any]:
    """Return the document."""
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    problem = {MEDIA_TYPE: {"schema": _schema(ProblemAnswer, schemas, "serialization")}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "bulkmail",
            "version": __version__,
            "description": "Campaigns and how they are steered; served over the control socket of a running service.",
        },
        "servers": [{"url": "/api/v1"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {"Problem": {"description": "Problem details (RFC 9457)", "content": problem}},
        },
    }


def _operation(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    parameters = [_parameter(name, "path", words) for name, words in operation.parameters.items()]
    parameters += [_parameter(name, "query", words) for name, words in operation.query.items()]
    for name, words in operation.optional.items():
        number = {"type": "integer", "minimum": 0}
        parameters.append({**_parameter(name, "query", words), "required": False, "schema": number})
    answer = {"schema": _schema(operation.answer, schemas, "serialization")}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": "Done", "content": {"application/json": answer}},
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }
    if operation.order is not None:
        order = {"schema": _schema(operation.order, schemas, "validation")}
        described["requestBody"] = {"required": False, "content": {"application/json": order}}
    return described


def _parameter(name: str, where: str, words: str) -> dict[str, Any]:
    return {"name": name, "in": where, "required": True, "description": words, "schema": {"type": "string"}}


def _schema(model: Any, schemas: dict[str, Any], mode: Any) -> dict[str, Any]:
    schema = TypeAdapter(model).json_schema(by_alias=True, ref_template=_REF, mode=mode)
    schemas |= schema.pop("$defs", {})
    title = schema.get("title")
    if title is None:
        return schema
    schemas[title] = schema
    return {"$ref": _REF.format(model=title)}
