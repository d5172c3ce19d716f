"""docs/import-api.md says of every call what the OpenAPI document and the code say."""

from __future__ import annotations

import re
from typing import Any

import pytest
from docs_pages import called, constants, page, product_calls

from shared.bulk.http import MOST_BODY_BYTES
from shared.bulk.http.api import OFFERED
from shared.bulk.http.openapi import openapi_document
from shared.bulk.http.start_body import FIELDS, FIELDS_OF_ALL, MOST_IDS

DOCUMENT = openapi_document(OFFERED)
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
PAGE = page("docs/import-api.md")
CALLS = [
    (method.upper(), path, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method != "parameters"
]
HEADING = re.compile(r"^### `([A-Z]+) (\S+)`$", re.MULTILINE)


def test_every_call_has_a_section_and_no_other() -> None:
    """The page's calls are those of the OpenAPI document."""
    assert sorted(HEADING.findall(PAGE.prose)) == sorted((method, path) for method, path, _ in CALLS)


@pytest.mark.parametrize(("method", "path", "operation"), CALLS, ids=[f"{method} {path}" for method, path, _ in CALLS])
def test_every_status_of_a_call_is_named(method: str, path: str, operation: dict[str, Any]) -> None:
    """A call's section names every status that it may answer."""
    named = set(re.findall(r"\b[2-5]\d\d\b", PAGE.section(f"`{method} {path}`")))
    assert set(operation["responses"]) <= named


@pytest.mark.parametrize("schema", ["Accepted", "Stopping", "Run", "Runs", "Kinds", "Child"])
def test_every_field_of_an_answer_is_explained(schema: str) -> None:
    """The table of an answer has exactly its fields."""
    assert PAGE.codes(schema) == set(SCHEMAS[schema]["properties"])


def test_every_field_of_the_inner_objects_is_named() -> None:
    """Those of batches and problems stand in the row of the outer field."""
    rows = {row[0]: row[1] for row in PAGE.table("Run")}
    for name, inner in (
        ("batches", SCHEMAS["Run"]["properties"]["batches"]["properties"]),
        ("problems", SCHEMAS["Run"]["properties"]["problems"]["items"]["properties"]),
    ):
        assert set(inner) <= set(re.findall(r"`(\w+)`", rows[f"`{name}`"]))


def test_every_field_of_a_start_is_explained() -> None:
    """The table under the start has exactly the body's fields, and the limits of the code."""
    assert PAGE.codes("`POST /sync/{kind}`") == set(FIELDS) == set(SCHEMAS["Start"]["properties"])
    assert f"1 to {MOST_IDS:,} commercetools ids" in PAGE.text
    assert f"at most {MOST_BODY_BYTES:,} bytes" in PAGE.text


def test_what_a_start_of_all_kinds_takes_is_named() -> None:
    """Its section has exactly the fields of its body; what they mean stands with a kind's."""
    section = PAGE.section("`POST /sync/all`")
    assert {name for name in FIELDS if f"`{name}`" in section} == set(SCHEMAS["StartAll"]["properties"]) == set(FIELDS_OF_ALL)


def test_every_query_parameter_is_explained() -> None:
    """The list of runs has its parameters."""
    parameters = {one["name"] for one in DOCUMENT["paths"]["/runs"]["parameters"]}
    assert PAGE.codes("`GET /runs`") == parameters


def test_every_error_code_is_explained() -> None:
    """The table of errors has exactly the codes that the code answers, each with its status."""
    raised = {
        (values[0], values[1])
        for file, node in product_calls()
        if file in {"shared/bulk/http/api.py", "shared/access.py"} and called(node) in {"_error", "Denied", "_unauthorized"}
        for values in [constants(node)]
        if len(values) > 1 and isinstance(values[1], str)
    }
    listed = {(int(row[0]), row[1].strip("`")) for row in PAGE.table("Errors") if row[0].isdigit()}
    assert len(raised) > 8
    assert listed == raised
    fields = {name for row in PAGE.table("Errors") if not row[0].isdigit() for name in re.findall(r"`(\w+)`", row[0])}
    assert fields == set(SCHEMAS["Error"]["properties"])
