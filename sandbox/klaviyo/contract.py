"""The committed contract as a router, query checks and compiled body validators."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema_rs
import msgspec

from sandbox import contracts
from sandbox.klaviyo.answers import Problem, RefusedError, refuse
from sandbox.klaviyo.limits import MAX_ERRORS_PER_ANSWER


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the contract. `key` (method and path template) names its rate quota."""

    id: str
    method: str
    path: str
    quota: Mapping[str, int]
    scopes: tuple[str, ...]
    success: Mapping[int, bool]
    query: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    path_enums: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    body: str | None = None

    @property
    def key(self) -> str:
        """Method and path template, such as `POST /api/profile-import`."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Contract:
    """Operations by number of path segments, and the definitions their bodies refer to."""

    revision: str
    operations: tuple[Operation, ...]
    definitions: dict[str, Any]
    _routes: dict[int, list[tuple[tuple[str | None, ...], dict[str, Operation]]]]

    def route(self, method: str, raw_path: str) -> tuple[Operation, dict[str, str]] | None:
        """The operation for a still percent-encoded path, with its path parameters.

        None when there is no such path; RefusedError 405 when the path has no such method. A trailing slash is ignored.
        """
        segments = [unquote(part) for part in raw_path.strip("/").split("/")]
        known = False
        for pattern, methods in self._routes.get(len(segments), ()):
            if all(want is None or want == got for want, got in zip(pattern, segments, strict=True)):
                known = True
                operation = methods.get(method)
                if operation is not None:
                    names = re.findall(r"\{(\w+)\}", operation.path)
                    values = [got for want, got in zip(pattern, segments, strict=True) if want is None]
                    return operation, dict(zip(names, values, strict=True))
        if known:
            raise refuse(405, f"Method {method} not allowed.")
        return None

    def check_body(self, schema: str, body: Any) -> None:
        """Raise RefusedError 400 naming every place where `body` breaks the definition `schema`."""
        validator = _validator(schema)
        if validator.is_valid(body):
            return
        problems: list[Problem] = []
        for error in validator.iter_errors(body):
            problems.extend(_explain(error, body))
            if len(problems) >= MAX_ERRORS_PER_ANSWER:
                break
        raise RefusedError(400, problems)


@cache
def load() -> Contract:
    """The committed contract; read once per process."""
    source = Path(contracts.__file__).with_name("klaviyo.json").read_bytes()
    document = msgspec.json.decode(source)
    operations = tuple(msgspec.convert(op, Operation, strict=False) for op in document["operations"])
    routes: dict[int, dict[tuple[str | None, ...], dict[str, Operation]]] = {}
    for operation in operations:
        segments = operation.path.strip("/").split("/")
        pattern = tuple(None if part.startswith("{") else part for part in segments)
        routes.setdefault(len(segments), {}).setdefault(pattern, {})[operation.method] = operation
    ordered = {size: list(patterns.items()) for size, patterns in routes.items()}
    return Contract(document["revision"], operations, document["$defs"], ordered)


@cache
def _validator(name: str) -> Any:
    schema = {"$ref": f"#/$defs/{name}", "$defs": load().definitions}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def _explain(error: Any, body: Any) -> list[Problem]:
    path = [str(part) for part in error.instance_path]
    pointer = "".join(f"/{part}" for part in path)
    resource = _resource(error.instance_path, body)
    kind = error.kind
    if kind.name == "anyOf":
        # A union with null: what counts is why the value itself does not fit.
        inner = [fault for fault in kind.context[0] if fault.kind.name != "type" or fault.instance_path != error.instance_path]
        if inner:
            return [problem for fault in inner for problem in _explain(fault, body)]
    if kind.name == "additionalProperties":
        return [
            Problem(f"'{name}' is not a valid field for the resource '{resource}'.", f"{pointer}/{name}")
            for name in kind.unexpected
        ]
    if kind.name == "required":
        name = kind.property
        return [Problem(f"'{name}' is a required field for the resource '{resource}'.", f"{pointer}/{name}")]
    return [Problem(f"Invalid value: rule '{kind.name}' is not met.", pointer or "/")]


def _resource(path: list[str | int], body: Any) -> str:
    """The `type` of the innermost resource object around `path`."""
    found, node = "request", body
    for step in [*path, None]:
        if isinstance(node, dict) and isinstance(node.get("type"), str):
            found = node["type"]
        if step is None:
            break
        node = node[step]
    return found
