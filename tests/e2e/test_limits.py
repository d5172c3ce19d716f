"""An import stays within Klaviyo's real limits by itself, and sends nothing once it has stopped (decisions.md 8, 9)."""

from __future__ import annotations

import time
from collections import Counter

import httpx
import msgspec
import pytest
from standstill import measured

from sandbox.launch import KLAVIYO_KEY
from tests.e2e.bulk_world import over_the_limit
from tests.e2e.conftest import CUSTOMERS, HTTP, Product, control
from tests.e2e.fault_fixtures import START_JOB, assert_complete, inject, klaviyo_requests, most_in_any

ROWS_MOST, BODY_BYTES_MOST = 10_000, 5_000_000
UPSERT = "POST /api/profile-import"
SHARED_WITH_REALTIME = (UPSERT, "PATCH /api/profiles/{id}", "GET /api/profiles")
CONFLICTS = 40

_decode_lines = msgspec.json.Decoder(dict).decode_lines


def _phones(klaviyo: str, most: int) -> list[str]:
    """Phone numbers of profiles that an import has written."""
    dump = HTTP.get(f"{klaviyo}/_sandbox/profiles/dump", params={"full": "1"}, timeout=60.0).text
    lines = _decode_lines(dump)
    return [line["attributes"]["phone_number"] for line in lines if line["attributes"].get("phone_number")][:most]


@pytest.mark.parametrize("moments", [[0.0, 0.2, 0.4], [0.9, 1.0, 1.1], [5.5, 6.0, 6.49]])
def test_the_check_of_windows_sees_one_request_too_many(moments: list[float]) -> None:
    """Whatever the second begins with: three within one are three, and two of them are not."""
    assert most_in_any(1.0, moments) == 3
    assert most_in_any(1.0, [moments[0], moments[0] + 1.001]) == 1
    too_many = [{"endpoint": START_JOB, "at": 10.05 + number / 20} for number in range(11)]
    assert over_the_limit(too_many) == [f"{START_JOB}: 11 in 1 s"]
    assert over_the_limit(too_many[1:]) == []


def test_an_import_exceeds_no_window_and_no_size(product: Product) -> None:
    """All sample customers, as many workers as may be: no window of any alignment, no 429, no body over rows or bytes."""
    product.environment["WORKERS"] = "16"
    product.start()
    assert product.post("/sync/customers").status_code == 202
    assert_complete(product)
    requests = klaviyo_requests(product.servers.klaviyo.url)
    assert requests
    assert [request for request in requests if request["status"] == 429] == []
    assert over_the_limit(requests) == []
    jobs = [request for request in requests if request["endpoint"] == START_JOB]
    assert max(request["body_bytes"] for request in jobs) <= BODY_BYTES_MOST
    assert max(len(request["identities"]) for request in jobs) <= ROWS_MOST
    assert sum(len(request["identities"]) for request in jobs) == len({row for request in jobs for row in request["identities"]})


def test_a_batch_that_exceeds_a_body_goes_in_several(product: Product) -> None:
    """A hundred customers of 60 KB each are one batch, and more bytes than Klaviyo takes at once."""
    fields = {f"field{number}": "x" * 10_000 for number in range(6)}
    custom = {"type": {"typeId": "type", "id": "00000000-0000-4000-8000-00000000c0de"}, "fields": fields}
    ids = [f"00000000-0000-4000-8000-{number:012}" for number in range(100)]
    for identifier in ids:
        control(product.servers.commercetools.url, "customers", {"id": identifier, "custom": custom})
    product.start()
    assert product.post("/sync/customers", {"ids": ids}).status_code == 202
    status = product.wait_finished()
    assert (status["status"], status["sent"], status["batches"]["planned"]) == ("completed", len(ids), 1)
    jobs = [request for request in klaviyo_requests(product.servers.klaviyo.url) if request["endpoint"] == START_JOB]
    assert sum(request["body_bytes"] for request in jobs) > BODY_BYTES_MOST
    assert max(request["body_bytes"] for request in jobs) <= BODY_BYTES_MOST
    assert sorted(row for request in jobs for row in request["identities"]) == ids


def test_conflicts_take_a_quarter_of_what_realtime_needs_too(product: Product) -> None:
    """Phones that belong to others are settled one by one over the single endpoints, at no more than a quarter of their rate."""
    klaviyo = product.servers.klaviyo.url
    product.start()
    assert product.post("/sync/customers").status_code == 202
    assert_complete(product)
    phones = _phones(klaviyo, CONFLICTS)
    control(klaviyo, "reset")
    headers = {"Authorization": f"Klaviyo-API-Key {KLAVIYO_KEY}", "revision": "2026-07-15"}
    with httpx.Client(base_url=klaviyo, headers=headers, timeout=60.0, trust_env=False) as other:
        for number, phone in enumerate(phones):
            attributes = {"email": f"somebody.else.{number}@example.com", "phone_number": phone}
            created = other.post("/api/profiles", json={"data": {"type": "profile", "attributes": attributes}})
            assert created.status_code == 201, created.text

    assert product.post("/sync/customers").status_code == 202
    status = product.wait_finished()
    assert (status["status"], status["seen"], status["failed"]) == ("completed", CUSTOMERS, 0)
    check = product.check()
    assert (check.foreign, check.missing, check.twice) == (CONFLICTS, frozenset(), frozenset())
    requests = [request for request in klaviyo_requests(klaviyo) if request["endpoint"] != "POST /api/profiles"]
    counts = Counter(request["endpoint"] for request in requests)
    assert counts[UPSERT] >= CONFLICTS
    assert [request for request in requests if request["status"] == 429] == []
    assert over_the_limit(requests) == []
    assert over_the_limit((request for request in requests if request["endpoint"] in SHARED_WITH_REALTIME), 0.25) == []


@pytest.mark.parametrize("moment_s", [0.5, 1.5, 2.5])
def test_nothing_is_sent_after_a_confirmed_stop(product: Product, moment_s: float) -> None:
    """Within ten seconds it is `stopped`; from then on Klaviyo hears nothing, and `resume` sends the rest."""
    commercetools, klaviyo = product.servers.commercetools.url, product.servers.klaviyo.url
    inject(commercetools, {"kind": "delay", "path": "/sandbox/customers", "seconds": 0.3})
    inject(klaviyo, {"kind": "delay", "path": "/api/", "seconds": 0.3})
    product.start()
    assert product.post("/sync/customers").status_code == 202
    time.sleep(moment_s)
    with measured() as took:
        assert product.post("/sync/customers/stop").json()["status"] == "stopping"
        stopped = product.wait(lambda status: status["status"] == "stopped", 120.0)
        confirmed_at = time.time()
    assert took.moving_s <= 10.0, took

    time.sleep(2.0)
    late = [request for request in klaviyo_requests(klaviyo) if request["at"] > confirmed_at]
    assert late == []
    assert stopped["seen"] < CUSTOMERS, "it had ended before"

    assert product.post(f"/runs/{stopped['runId']}/resume").status_code == 202
    assert_complete(product)
