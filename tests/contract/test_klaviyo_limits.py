"""Our table of endpoints and limits is Klaviyo's own (contract: `x-klaviyo-ratelimit`, descriptions of the operations)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from vendor_contracts import needs_vendor_contract, vendor_contract

from sandbox import contracts
from shared.klaviyo import limits
from shared.klaviyo.limits import ENDPOINTS, Endpoint
from shared.klaviyo.requests import REVISION
from shared.mapping.order_properties import MAX_PROPERTIES_BYTES

CONTRACT = "klaviyo-openapi.json"


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    """Klaviyo's OpenAPI document; it is not part of this repository."""
    document: dict[str, Any] = msgspec.json.decode(vendor_contract(CONTRACT).read_bytes())
    return document


def operation(contract: dict[str, Any], endpoint: Endpoint) -> dict[str, Any]:
    """The contract's operation for an endpoint; the names of path parameters differ."""
    for name in ("{id}", "{job_id}"):
        item = contract["paths"].get(endpoint.path.replace("{id}", name), {})
        if endpoint.method.lower() in item:
            found: dict[str, Any] = item[endpoint.method.lower()]
            return found
    raise AssertionError(f"the contract has no {endpoint.method} {endpoint.path}")


@needs_vendor_contract(CONTRACT)
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_an_endpoint_has_the_rates_of_the_contract(contract: dict[str, Any], endpoint: Endpoint) -> None:
    """Burst per second and steady per minute, as published."""
    assert operation(contract, endpoint)["x-klaviyo-ratelimit"] == {
        "burst": f"{endpoint.burst}/s",
        "steady": f"{endpoint.steady}/m",
    }


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_an_endpoint_has_the_rates_of_the_committed_contract(endpoint: Endpoint) -> None:
    """The same by the derived contract that every clone has."""
    document = msgspec.json.decode(Path(contracts.__file__).with_name("klaviyo.json").read_bytes())
    path = endpoint.path.replace("{id}", "")
    quotas = [
        operation["quota"]
        for operation in document["operations"]
        if operation["method"] == endpoint.method and operation["path"].replace("{job_id}", "").replace("{id}", "") == path
    ]
    assert quotas == [{"burst": endpoint.burst, "steady": endpoint.steady}]


@needs_vendor_contract(CONTRACT)
def test_the_revision_is_the_contracts(contract: dict[str, Any]) -> None:
    """The pinned revision is the one that the limits were read from."""
    assert contract["info"]["version"] == REVISION


@needs_vendor_contract(CONTRACT)
def test_the_payload_limits_of_the_bulk_import_are_those_of_its_description(contract: dict[str, Any]) -> None:
    """They stand in prose only."""
    prose = operation(contract, limits.IMPORT_PROFILES)["description"]
    packed = limits.PROFILE_IMPORT_LIMITS
    assert f"up to {packed.rows_most:,} profiles" in prose
    assert f"payload size is {limits.BODY_BYTES_MOST // 10**6}MB" in prose
    assert f"per-profile is {limits.ROW_BYTES_MOST // 10**3}KB" in prose


@needs_vendor_contract(CONTRACT)
def test_the_payload_limits_of_the_event_import_are_those_of_its_description(contract: dict[str, Any]) -> None:
    """In prose only, too; what one event may take is what a request may."""
    prose = operation(contract, limits.IMPORT_EVENTS)["description"]
    assert f"up to {limits.EVENT_IMPORT_LIMITS.rows_most:,} events" in prose
    assert f"payload size is {limits.BODY_BYTES_MOST // 10**6}MB" in prose


def test_the_largest_event_of_the_mapping_fits_a_body() -> None:
    """With its profile and the envelope beside it."""
    packed = limits.EVENT_IMPORT_LIMITS
    assert packed.row_bytes_most <= packed.body_bytes_most <= 4_500_000
    assert packed.row_bytes_most > MAX_PROPERTIES_BYTES + 50_000


@needs_vendor_contract(CONTRACT)
@pytest.mark.parametrize("jobs", limits.CATALOG_JOBS, ids=lambda jobs: jobs.start.name)
def test_the_limits_of_catalog_jobs_are_those_of_their_descriptions(contract: dict[str, Any], jobs: limits.JobEndpoints) -> None:
    """Rows and bytes of a request, jobs in progress, and jobs on a page of the list."""
    prose = operation(contract, jobs.start)["description"]
    assert f"up to {limits.CATALOG_JOB_LIMITS.rows_most} catalog" in prose
    assert f"payload size is {limits.BODY_BYTES_MOST // 10**6}MB" in prose
    assert f"in progress at one time is {limits.CATALOG_JOBS_MOST}" in prose
    assert "maximum of 100 jobs per request" in operation(contract, jobs.list)["description"]


def test_we_pack_to_less_than_klaviyo_takes() -> None:
    """Whether its megabyte is decimal or binary is not documented, so both must hold; a row must also fit a single request."""
    packed = limits.PROFILE_IMPORT_LIMITS
    assert packed.body_bytes_most <= 4_500_000 < limits.BODY_BYTES_MOST
    assert packed.row_bytes_most < limits.ROW_BYTES_MOST


def test_no_two_endpoints_share_a_name_or_an_operation() -> None:
    """Quotas are kept by name."""
    assert len({endpoint.name for endpoint in ENDPOINTS}) == len(ENDPOINTS)
    assert len({(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}) == len(ENDPOINTS)
