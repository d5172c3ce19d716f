"""The committed contract is the vendor's, and the simulator answers all of it."""

import json

import jsonschema_rs
import pytest
from klaviyo_bench import VENDOR_DOCUMENT, Bench
from vendor_contracts import needs_vendor_contract

from sandbox.contracts import derive
from sandbox.klaviyo.contract import load
from sandbox.klaviyo.handlers import HANDLERS
from sandbox.klaviyo.limits import BODY_LIMITS

needs_vendor = needs_vendor_contract(VENDOR_DOCUMENT.name)


@needs_vendor
def test_the_committed_contract_equals_a_fresh_derivation() -> None:
    """Nothing in klaviyo.json is written by hand."""
    document = json.loads(VENDOR_DOCUMENT.read_text(encoding="utf-8"))
    assert derive.TARGET.read_text(encoding="utf-8") == derive.render(derive.derive(document))


@needs_vendor
def test_success_answers_are_checked_against_the_vendors_schemas(bench: Bench) -> None:
    """The check that every other test here relies on is really on."""
    assert bench.schemas is not None
    with pytest.raises(jsonschema_rs.ValidationError, match="invented"):
        bench.schemas.check("GET", "/api/profiles", 200, {"data": [], "invented": 1})


def test_every_operation_of_the_contract_has_a_handler_and_no_other() -> None:
    """Adding an operation to the contract without simulating it fails here."""
    assert {operation.id for operation in load().operations} == set(HANDLERS)
    assert set(BODY_LIMITS) <= set(HANDLERS)


def test_the_contract_names_its_revision_and_source() -> None:
    """Where the contract comes from can be looked up."""
    document = json.loads(derive.TARGET.read_text(encoding="utf-8"))
    assert document["revision"] == "2026-07-15"
    assert set(document["source"]) == {"source", "commit", "commit-date"}


def test_no_prose_of_the_vendor_is_committed() -> None:
    """Names, types, enums, required fields, formats and limits only."""
    document = json.loads(derive.TARGET.read_text(encoding="utf-8"))

    def keys(schema: object) -> set[str]:
        if isinstance(schema, list):
            return {key for child in schema for key in keys(child)}
        if not isinstance(schema, dict):
            return set()
        found = set(schema) - {"properties"}
        for name, child in schema.items():
            found |= {k for value in child.values() for k in keys(value)} if name == "properties" else keys(child)
        return found

    allowed = {"$ref", "additionalProperties", "anyOf", "enum", "format", "items", "oneOf", "required", "type"}
    assert {key for body in document["$defs"].values() for key in keys(body)} <= allowed


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "enum": ["a"], "nullable": True}, {"type": ["string", "null"], "enum": ["a", None]}),
        ({"$ref": "#/components/schemas/X"}, {"$ref": "#/$defs/X"}),
        ({"$ref": "#/components/schemas/X", "nullable": True}, {"anyOf": [{"$ref": "#/$defs/X"}, {"type": "null"}]}),
        ({"nullable": True, "oneOf": [{"type": "string"}]}, {"oneOf": [{"type": "string"}, {"type": "null"}]}),
        ({"type": "object", "example": {}, "default": {}, "x-y": 1}, {"type": "object"}),
        (
            {"type": "object", "properties": {"title": {"type": "string", "description": "text"}}},
            {"type": "object", "properties": {"title": {"type": "string"}}, "additionalProperties": False},
        ),
    ],
)
def test_schemas_become_strict(given: dict[str, object], expected: dict[str, object]) -> None:
    """Null unions, local references, closed objects, no examples."""
    assert derive.strict(given) == expected
