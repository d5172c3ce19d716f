"""Strict validators out of the vendor's OpenAPI document, to hold the simulator and the sample data against.

The document says which fields exist but allows any other; here an unknown field is a fault. Its `allOf` chains are
flattened, its discriminators become alternatives, and its pattern-named fields ("/^.../" in `required`) open fields.
"""

from collections.abc import Mapping
from typing import Any

import jsonschema_rs

_REF = "#/components/schemas/"
_ANY_FIELD = "//"
_NOT_REALLY_STRINGS = ("FieldContainer", "ProductVariantChannelAvailabilityMap", "SearchKeywords")
"""Maps whose values the document calls strings, though the reference lets them be anything."""


def strict_validator(document: Mapping[str, Any], name: str) -> jsonschema_rs.Draft202012Validator:
    """Return a validator of component schema `name`; its `validate` raises jsonschema_rs.ValidationError."""
    schemas = document["components"]["schemas"]
    definitions: dict[str, Any] = {}
    _define(name, schemas, definitions)
    return jsonschema_rs.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": definitions})


def field_names(document: Mapping[str, Any], name: str) -> frozenset[str]:
    """Name the fields of component schema `name`, inherited ones included."""
    return frozenset(_flattened(name, document["components"]["schemas"])["properties"])


def _define(name: str, schemas: Mapping[str, Any], definitions: dict[str, Any]) -> None:
    if name in definitions:
        return
    definitions[name] = {}
    schema = schemas[name]
    discriminators = [part["discriminator"] for part in (schema, *schema.get("allOf", ())) if "discriminator" in part]
    mapping = discriminators[0].get("mapping") if discriminators else None
    if mapping:
        field = discriminators[0]["propertyName"]
        definitions[name] = {
            "anyOf": [
                {"properties": {field: {"const": value}}, **_reference(target.removeprefix(_REF), schemas, definitions)}
                for value, target in mapping.items()
            ]
        }
    elif "allOf" in schema or schema.get("type") == "object":
        definitions[name] = _object(name, schemas, definitions)
    else:
        definitions[name] = _converted(schema, schemas, definitions)


def _flattened(name: str, schemas: Mapping[str, Any]) -> dict[str, Any]:
    schema = schemas[name]
    merged: dict[str, Any] = {"properties": {}, "required": set(), "additional": None}
    for part in schema.get("allOf", [schema]):
        flat = _flattened(part["$ref"].removeprefix(_REF), schemas) if "$ref" in part else None
        merged["properties"] |= flat["properties"] if flat else part.get("properties", {})
        merged["required"] |= flat["required"] if flat else set(part.get("required", ()))
        merged["additional"] = (flat["additional"] if flat else part.get("additionalProperties")) or merged["additional"]
    return merged


def _object(name: str, schemas: Mapping[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    flat = _flattened(name, schemas)
    patterns = [field.strip("/") for field in flat["required"] if field.startswith("/") and field != _ANY_FIELD]
    result: dict[str, Any] = {
        "type": "object",
        "properties": {field: _converted(s, schemas, definitions) for field, s in flat["properties"].items()},
        "required": sorted(field for field in flat["required"] if not field.startswith("/")),
        "additionalProperties": _ANY_FIELD in flat["required"],
    }
    if patterns:
        value = {} if name in _NOT_REALLY_STRINGS else _converted(flat["additional"] or {}, schemas, definitions)
        result["patternProperties"] = dict.fromkeys(patterns, value)
    return result


def _reference(name: str, schemas: Mapping[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    _define(name, schemas, definitions)
    return {"$ref": f"#/$defs/{name}"}


def _converted(schema: Mapping[str, Any], schemas: Mapping[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return _reference(schema["$ref"].removeprefix(_REF), schemas, definitions)
    result = {key: schema[key] for key in ("type", "enum") if key in schema}
    if "items" in schema:
        result["items"] = _converted(schema["items"], schemas, definitions)
    if schema.get("format") in ("datetime", "date-only"):
        day = r"^\d{4}-\d{2}-\d{2}"
        result["pattern"] = day + "$" if schema["format"] == "date-only" else day + r"T\d{2}:\d{2}:\d{2}\.\d{3}Z$"
    return result
