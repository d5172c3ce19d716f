"""Requests and errors of catalog jobs (klaviyo.md 5.2)."""

from __future__ import annotations

import pytest

from shared.klaviyo.catalog import CatalogKind
from shared.klaviyo.catalog_jobs import JOB_TYPES, Action, Says, what_it_says
from shared.klaviyo.catalog_requests import encode_deletion
from shared.klaviyo.packing import Body
from shared.klaviyo.requests import Answer
from shared.klaviyo.verdicts import refusal_of

ROW = "/data/attributes/items/data/3"


@pytest.mark.parametrize(
    ("code", "pointer", "says"),
    [
        ("duplicate_error", f"{ROW}/attributes/external_id", Says.TAKEN),
        ("already_exists", ROW, Says.TAKEN),
        ("not_found", f"{ROW}/id", Says.MISSING),
        ("does-not-exist", "/data", Says.MISSING),
        ("not_found", f"{ROW}/relationships/categories/data/0/id", Says.LINK),
        ("invalid", f"{ROW}/relationships/item", Says.LINK),
        ("invalid", f"{ROW}/attributes/custom_metadata", Says.CONTENT),
        ("invalid", f"{ROW}/attributes/external_id", Says.UNCLEAR),
        ("invalid", None, Says.UNCLEAR),
    ],
)
def test_an_error_is_read_by_its_code_and_its_pointer(code: str, pointer: str | None, says: Says) -> None:
    """Neither is documented; what cannot be told is looked up."""
    assert what_it_says(refusal_of({"code": code, "source": {"pointer": pointer}})) is says


def test_a_jobs_errors_may_be_absent() -> None:
    """The contract allows null, and no attribute at all."""
    request = JOB_TYPES[CatalogKind.ITEM, Action.UPDATE].errors("j")
    for attributes in (b'{"errors":null}', b"{}", b'{"errors":[]}'):
        assert request.decode(Answer(200, b'{"data":{"id":"j","attributes":' + attributes + b"}}")) == []


def test_a_deletion_is_this() -> None:
    """The body, byte for byte; an id that holds `:::` is Klaviyo's own."""
    job_type = JOB_TYPES[CatalogKind.VARIANT, Action.DELETE]
    rows = tuple(encode_deletion(CatalogKind.VARIANT, named) for named in ("s1", "$shopify:::$default:::9"))
    request = job_type.start(Body(job_type.envelope, (0, 1), rows))
    assert (request.endpoint.method, request.path) == ("POST", "/api/catalog-variant-bulk-delete-jobs")
    assert request.body == (
        b'{"data":{"type":"catalog-variant-bulk-delete-job","attributes":{"variants":{"data":['
        b'{"type":"catalog-variant","id":"$custom:::$default:::s1"},'
        b'{"type":"catalog-variant","id":"$shopify:::$default:::9"}]}}}}'
    )
