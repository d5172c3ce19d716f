"""Derive `klaviyo.json` from Klaviyo's published OpenAPI document: `python -m sandbox.contracts.derive PATH`.

The result holds names, types, enums, required fields, formats and limits, and no prose: a table of operations and
strict JSON Schemas (2020-12) of their request bodies. The rules: references become `#/$defs/...` and only reachable
definitions are kept; `nullable` becomes a union with null, beside a reference an `anyOf`; an object that lists its
properties accepts no others; defaults, examples and extensions are dropped.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).with_name("klaviyo.json")

Schema = dict[str, Any]

_KEPT_PATHS = re.compile(
    r"/api/(profiles(/\{id\})?|profile-import|profile-merge|profile-bulk-import-jobs(/.*)?"
    r"|profile-(suppression|subscription)-bulk-.*|events?(-bulk-create-jobs|/\{id\})?"
    r"|metrics(/\{id\})?|mapped-metrics(/\{id\})?|accounts|data-privacy-deletion-jobs|catalog-.*)"
)
_LEFT_OUT = re.compile(r".*/lists")
_DROPPED = {"description", "title", "default", "example", "nullable"}
_METHODS = ("get", "post", "patch", "delete")
_BODY = "application/vnd.api+json"


def derive(document: dict[str, Any]) -> dict[str, Any]:
    """Return the committed form of an OpenAPI document; the result depends on nothing else."""
    operations = [
        _operation(path, method, item[method])
        for path, item in sorted(document["paths"].items())
        if _KEPT_PATHS.fullmatch(path) and not _LEFT_OUT.fullmatch(path)
        for method in _METHODS
        if method in item
    ]
    schemas = document["components"]["schemas"]
    kept: dict[str, Schema] = {}
    pending = [op["body"] for op in operations if "body" in op]
    while pending:
        name = pending.pop()
        if name not in kept:
            kept[name] = strict(schemas[name])
            pending.extend(_references(kept[name]))
    origin = document["x-trimmed-from"]
    return {
        "revision": document["info"]["version"],
        "source": {key: origin[key] for key in ("source", "commit", "commit-date")},
        "operations": operations,
        "$defs": dict(sorted(kept.items())),
    }


def strict(schema: Schema) -> Schema:
    """Turn one OpenAPI 3.0 schema into a strict JSON Schema."""
    if "$ref" in schema:
        reference: Schema = {"$ref": schema["$ref"].replace("#/components/schemas/", "#/$defs/")}
        return {"anyOf": [reference, {"type": "null"}]} if schema.get("nullable") else reference
    result: Schema = {}
    for key, value in schema.items():
        if key in _DROPPED or key.startswith("x-"):
            continue
        if key == "properties":
            result[key] = {name: strict(child) for name, child in value.items()}
        elif key in ("oneOf", "anyOf", "allOf"):
            result[key] = [strict(child) for child in value]
        elif key == "items":
            result[key] = strict(value)
        else:
            result[key] = value
    if "properties" in result:
        result.setdefault("additionalProperties", False)
    return _with_null(result) if schema.get("nullable") else result


def _with_null(schema: Schema) -> Schema:
    if "type" in schema:
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    elif "oneOf" in schema:
        schema["oneOf"] = [*schema["oneOf"], {"type": "null"}]
    elif schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return schema


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [name for child in schema for name in _references(child)]
    if not isinstance(schema, dict):
        return []
    found = [name for child in schema.values() for name in _references(child)]
    reference = schema.get("$ref")
    return [*found, reference.removeprefix("#/$defs/")] if isinstance(reference, str) else found


def _operation(path: str, method: str, spec: dict[str, Any]) -> dict[str, Any]:
    parameters = spec.get("parameters", [])
    result: dict[str, Any] = {
        "id": spec["operationId"],
        "method": method.upper(),
        "path": path,
        "quota": {window: int(value.split("/")[0]) for window, value in spec["x-klaviyo-ratelimit"].items() if value},
        "scopes": spec["x-klaviyo-scopes"],
        "success": {
            int(status): bool(answer.get("content")) for status, answer in spec["responses"].items() if status.startswith("2")
        },
    }
    query = {p["name"]: strict(p["schema"]) | _page_default(p["schema"]) for p in parameters if p["in"] == "query"}
    if query:
        result["query"] = query
    path_enums = {p["name"]: p["schema"]["enum"] for p in parameters if p["in"] == "path" and "enum" in p["schema"]}
    if path_enums:
        result["path_enums"] = path_enums
    filters = spec.get("x-klaviyo-filters")
    if filters:
        result["filters"] = {
            field: sorted({operator for group in rule["operators"].values() for operator in group})
            for field, rule in filters.items()
        }
    body = spec.get("requestBody", {}).get("content", {}).get(_BODY, {}).get("schema")
    if body:
        result["body"] = body["$ref"].rsplit("/", 1)[1]
    return result


def _page_default(schema: Schema) -> Schema:
    # The default of a page size is a limit, the only default that is kept.
    return {"default": schema["default"]} if schema.get("type") == "integer" and "default" in schema else {}


def render(document: dict[str, Any]) -> str:
    """Render as committed: one operation or definition a line, stable order."""
    lines = ["{", f'"revision": {json.dumps(document["revision"])},', f'"source": {json.dumps(document["source"])},']
    lines.append('"operations": [')
    lines.append(",\n".join(json.dumps(op, sort_keys=True) for op in document["operations"]))
    lines.append('],\n"$defs": {')
    lines.append(
        ",\n".join(f"{json.dumps(name)}: {json.dumps(body, sort_keys=True)}" for name, body in document["$defs"].items())
    )
    lines.append("}}\n")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Write `klaviyo.json` beside this module from the document named by the one argument."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m sandbox.contracts.derive PATH_TO_OPENAPI_JSON\n")
        return 2
    source = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    TARGET.write_text(render(derive(source)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
