"""The document is right by the specification, and describes what is served; the other tests here check the rest."""

from __future__ import annotations

import json

from openapi_spec_validator import OpenAPIV31SpecValidator

from bulkmail.control.openapi import document
from bulkmail.control.operations import OPERATIONS


def test_the_document_is_openapi_3_1():
    described = document()
    assert described["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(described).validate()
    json.dumps(described)


def test_every_operation_is_described_and_no_other():
    described = {
        (method.upper(), path, operation["operationId"])
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    }
    assert described == {(operation.method, operation.path, operation.name) for operation in OPERATIONS}


def test_an_order_is_described_as_it_is_written():
    schemas = document()["components"]["schemas"]
    assert set(schemas["PauseOrder"]["properties"]) == {"provider", "for", "reason", "who"}
    assert schemas["CampaignAnswer"]["properties"]["situation"] == {"$ref": "#/components/schemas/SituationAnswer"}
    assert document()["paths"]["/recipients"]["get"]["parameters"][0]["name"] == "email"


def test_the_variants_of_a_campaign_are_described():
    schemas = document()["components"]["schemas"]
    answer = document()["paths"]["/campaigns/{name}/variants"]["get"]["responses"]["200"]["content"]
    assert answer["application/json"]["schema"] == {"$ref": "#/components/schemas/VariantsAnswer"}
    assert schemas["VariantsAnswer"]["properties"]["variants"]["items"] == {
        "$ref": "#/components/schemas/VariantAnswer"
    }
    assert schemas["VariantAnswer"]["properties"]["clicked"]["anyOf"] == [{"type": "integer"}, {"type": "null"}]


def test_each_parameter_of_a_path_says_what_it_is():
    said = {
        (one["name"], one["description"])
        for methods in document()["paths"].values()
        for operation in methods.values()
        for one in operation["parameters"]
        if one["in"] == "path"
    }
    words = dict(said)
    assert len(words) == len(said)
    assert words.keys() == {"name", "status", "provider", "wording"}
    assert words["name"] == "the campaign's name"
    assert "deferred" in words["status"]
    assert "google" in words["provider"]
