"""The import API as an OpenAPI 3.1 document, built from the same lists that the code checks against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.bulk.chain_progress import PENDING
from shared.bulk.http.start_body import DELETED, FIELDS_OF_ALL, MOST_IDS, OF_A_DELETION
from shared.bulk.records import LINKS, Kind, RunStatus

_ERROR = {"$ref": "#/components/schemas/Error"}
_TIME = {"type": "string", "format": "date-time"}
_COUNTS = {"type": "object", "additionalProperties": {"type": "integer"}}
_STATUSES = [status.value for status in RunStatus] + ["interrupted"]
_MESSAGES = {
    400: "The request cannot be used; `problems` names each field",
    401: "The key is missing or wrong",
    403: "No key is set, and the call comes from a page of another origin or under another name than this machine's",
    404: "There is no such thing",
    409: "The run is not in a state that allows this",
    413: "The body is too large",
    423: "An import of this kind is under way, or another product holds its lock",
    502: "commercetools refused our credentials or the request",
    503: "commercetools or the store does not answer; nothing is lost, try again",
}


def openapi_document(kinds: Sequence[Kind]) -> dict[str, Any]:
    """The document; `kinds` are those that can be imported."""
    kind, kind_or_all = _kind_of_path(kinds), _kind_of_path([*kinds, Kind.ALL])
    run_id = {"name": "runId", "in": "path", "required": True, "schema": {"type": "string"}}
    query = [
        {"name": "kind", "in": "query", "schema": {"enum": [item.value for item in Kind]}},
        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}},
    ]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Import API", "version": "1", "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "security": [{"key": []}, {"bearer": []}],
        "paths": {
            "/health": {"get": _open("Whether the server answers", 200, {"type": "object"})},
            "/": {"get": {"summary": "The status page", "security": [], "responses": {"200": {"description": "HTML"}}}},
            "/openapi.json": {"get": _open("This document", 200, {"type": "object"})},
            "/sync/status": {
                "get": _call("Of each kind the run that was begun or resumed last", 200, _ref("Kinds"), [401, 403, 503])
            },
            "/sync/all": {
                "post": {
                    **_call("Start an import of all kinds", 202, _ref("Accepted"), [400, 401, 403, 413, 423, 502, 503]),
                    "requestBody": {"required": False, "content": {"application/json": {"schema": _ref("StartAll")}}},
                },
            },
            "/sync/{kind}": {
                "parameters": [kind],
                "post": {
                    **_call("Start an import", 202, _ref("Accepted"), [400, 401, 403, 404, 413, 423, 502, 503]),
                    "requestBody": {"required": False, "content": {"application/json": {"schema": _ref("Start")}}},
                },
            },
            "/sync/{kind}/stop": {
                "parameters": [kind_or_all],
                "post": _call("Stop the import that runs", 200, _ref("Stopping"), [400, 401, 403, 404, 503]),
            },
            "/sync/{kind}/status": {
                "parameters": [kind_or_all],
                "get": _call("The run of the kind that was started or resumed last", 200, _ref("Run"), [401, 403, 404, 503]),
            },
            "/runs": {"parameters": query, "get": _call("Runs, newest first", 200, _ref("Runs"), [400, 401, 403, 503])},
            "/runs/{runId}": {"parameters": [run_id], "get": _call("One run", 200, _ref("Run"), [401, 403, 404, 503])},
            "/runs/{runId}/resume": {
                "parameters": [run_id],
                "post": _call(
                    "Continue a stopped, halted or interrupted run",
                    202,
                    _ref("Accepted"),
                    [400, 401, 403, 404, 409, 423, 502, 503],
                ),
            },
            "/runs/{runId}/retry": {
                "parameters": [run_id],
                "post": _call(
                    "A new run over the failed items of this one", 202, _ref("Accepted"), [400, 401, 403, 404, 409, 423, 502, 503]
                ),
            },
        },
        "components": {
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
            "schemas": _schemas(kinds),
        },
    }


def _schemas(kinds: Sequence[Kind]) -> dict[str, Any]:
    text, number, nullable_time = {"type": "string"}, {"type": "integer"}, {"type": ["string", "null"], "format": "date-time"}
    nullable_text, nullable_number = {"type": ["string", "null"]}, {"type": ["integer", "null"]}
    fields, confirmation = _start_fields(), {"enum": [item.value for item in DELETED]}
    fields |= {"confirmDeletion": confirmation, "confirmDeletetion": {**confirmation, "deprecated": True}}
    counts = {"seen": number, "sent": number, "skipped": number, "failed": number}
    speed = {
        "ratePerSecond": {"type": "number"},
        "etaSeconds": nullable_number,
        "progress": {"type": "number", "minimum": 0, "maximum": 1},
    }
    return {
        "Start": {
            "type": "object",
            "additionalProperties": False,
            "properties": fields,
            "if": {"required": ["deleteAll"], "properties": {"deleteAll": {"const": True}}},
            "then": {
                "propertyNames": {"enum": list(OF_A_DELETION)},
                "anyOf": [{"required": [name]} for name in OF_A_DELETION[1:3]],
            },
            "else": {"propertyNames": {"not": {"enum": list(OF_A_DELETION[1:])}}},
        },
        "StartAll": {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: fields[name] for name in FIELDS_OF_ALL},
        },
        "Accepted": _object({"runId": text, "kind": text, "status": {"const": "accepted"}, "statusUrl": text, "stopUrl": text}),
        "Stopping": _object({"runId": text, "status": {"const": "stopping"}}),
        "Run": _object(
            {
                "runId": text,
                "kind": {"enum": [item.value for item in Kind]},
                "status": {"enum": _STATUSES},
                "resumable": {"type": "boolean"},
                "startedAt": _TIME,
                "updatedAt": _TIME,
                "finishedAt": nullable_time,
                "options": {"type": "object"},
                "total": nullable_number,
                **counts,
                "batches": _object({"planned": number, "done": number, "failed": number}),
                **speed,
                "skippedReasons": _COUNTS,
                "failedReasons": _COUNTS,
                "adjustments": _COUNTS,
                "problems": {
                    "type": "array",
                    "items": _object({"id": text, "reason": text, "pointer": nullable_text}),
                },
                "examples": {
                    "type": "array",
                    "items": {"type": "object"},
                    "description": "Of a dry run: some of what would be sent, in short, personal data masked",
                },
                "haltReason": nullable_text,
                "cursor": nullable_text,
                "children": {"type": "array", "items": _ref("Child")},
            },
            optional=["children"],
        ),
        "Child": _object(
            {
                "runId": nullable_text,
                "kind": {"enum": [item.value for item in LINKS]},
                "status": {"enum": [*_STATUSES, PENDING]},
                "startedAt": nullable_time,
                "updatedAt": nullable_time,
                "finishedAt": nullable_time,
                "total": nullable_number,
                **counts,
                **speed,
                "haltReason": nullable_text,
            }
        ),
        "Runs": _object({"runs": {"type": "array", "items": _ref("Run")}}),
        "Kinds": _object(
            {"kinds": _object({item.value: {"anyOf": [_ref("Run"), {"type": "null"}]} for item in [*kinds, Kind.ALL]})}
        ),
        "Error": {
            "type": "object",
            "required": ["error", "message"],
            "properties": {
                "error": text,
                "message": text,
                "runId": nullable_text,
                "since": nullable_text,
                "problems": {"type": "array", "items": _object({"field": text, "message": text})},
            },
        },
    }


def _start_fields() -> dict[str, dict[str, Any]]:
    """The body of a start, but for the confirmation of a deletion."""
    return {
        "ids": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_IDS,
            "items": {"type": "string", "format": "uuid"},
            "description": "Only these; wins over startId, and cannot be combined with dates",
        },
        "startId": {"type": "string", "format": "uuid", "description": "From this id on, itself included"},
        "createdAfter": _TIME,
        "createdBefore": _TIME,
        "modifiedAfter": _TIME,
        "dryRun": {"type": "boolean", "description": "Read and map, but send nothing"},
        "deleteAll": {"type": "boolean", "description": "Categories and products: delete everything of the kind in Klaviyo"},
        "onlyOwn": {"type": "boolean", "description": "With deleteAll: only what has the id of a commercetools resource"},
    }


def _kind_of_path(kinds: Sequence[Kind]) -> dict[str, Any]:
    return {"name": "kind", "in": "path", "required": True, "schema": {"enum": [item.value for item in kinds]}}


def _object(properties: dict[str, Any], optional: Sequence[str] = ()) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "additionalProperties": False, "properties": properties}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _open(summary: str, status: int, schema: dict[str, Any]) -> dict[str, Any]:
    return {**_call(summary, status, schema, ()), "security": []}


def _call(summary: str, status: int, schema: dict[str, Any], errors: Sequence[int]) -> dict[str, Any]:
    answers = {str(status): {"description": summary, "content": {"application/json": {"schema": schema}}}}
    for error in errors:
        answers[str(error)] = {"description": _MESSAGES[error], "content": {"application/json": {"schema": _ERROR}}}
    return {"summary": summary, "responses": answers}
