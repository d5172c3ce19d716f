"""Imports of every kind as their callers start them, and a look at what both simulators saw of them.

One server works for all tests of a process, and may keep what orders refer to (products, categories) for minutes: a test
that is about such a thing makes it anew (`Imports.put`).
"""

from __future__ import annotations

import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from standstill import measured

from sandbox.checker_events import events_of
from sandbox.checker_imports import check_import
from sandbox.checker_ledger import check_limits, read_ledger, sent_after
from sandbox.checker_profiles import check_profiles
from sandbox.checker_sources import resources, stored
from sandbox.klaviyo import contract
from sandbox.launch import CLIENT_ID, CLIENT_SECRET, KLAVIYO_KEY, PROJECT
from tests.e2e.fault_fixtures import (
    Fault,
    Request,
    commercetools_requests,
    hits,
    hold,
    inject,
    is_held,
    klaviyo_requests,
    most_in_any,
)
from tests.e2e.served_product import FINISHED, HTTP, Product, control

KINDS = ("categories", "products", "customers", "orders")
"""In the order in which an import of everything takes them."""

SIZES = {"customers": 40, "categories": 12, "products": 40, "orders": 60}
"""Of the sample that every test begins with."""

KLAVIYO_SETTINGS: Mapping[str, Any] = {
    "job_base_s": 0.2,
    "job_queued_share": 0.25,
    "job_order": "forward",
    "stored_unique_ids": "ignore",
    "item_delete": "variants_too",
    "catalog_jobs_cap": "account",
}
"""What each test begins with."""

STOP_WITHIN_S = 10.0
PATIENCE_S = 120.0
"""How long a test waits for what it expects; a machine may stand still meanwhile."""

LOCKS = {
    "customers": "customerFullSync",
    "orders": "orderFullSync",
    "categories": "categoryFullSync",
    "products": "productFullSync",
}
CONTAINER = "klaviyo-ct-plugin-lock"

WRITES = {
    "customers": "POST /api/profile-bulk-import-jobs",
    "orders": "POST /api/event-bulk-create-jobs",
    "products": "POST /api/catalog-item-bulk-create-jobs",
    "categories": "POST /api/catalog-category-bulk-create-jobs",
}
"""The request that brings new things of each kind to Klaviyo."""

READS = {"customers": "customers", "orders": "orders", "products": "product-projections", "categories": "categories"}
"""What is read of each kind in commercetools."""

Status = dict[str, Any]
Document = dict[str, Any]


def is_write(request: Request) -> bool:
    """Whether a request to Klaviyo asked for a change there."""
    return bool(request["method"] != "GET")


@dataclass(slots=True)
class Imports:
    """The product between both simulators, whose controls are at hand."""

    product: Product

    @property
    def commercetools(self) -> str:
        """Where the simulated commercetools answers."""
        return self.product.servers.commercetools.url

    @property
    def klaviyo(self) -> str:
        """Where the simulated Klaviyo answers."""
        return self.product.servers.klaviyo.url

    def reset(self) -> None:
        """End what still runs; then both simulators as they were at their start, without faults."""
        for url in (self.commercetools, self.klaviyo):
            HTTP.delete(f"{url}/_sandbox/faults").raise_for_status()
        control(self.klaviyo, "settings", dict(KLAVIYO_SETTINGS))
        for kind in ("all", *KINDS):
            if self.product.post(f"/sync/{kind}/stop").status_code == 200:
                self.product.wait(lambda status: status["status"] in FINISHED, PATIENCE_S, kind)
        for url in (self.commercetools, self.klaviyo):
            control(url, "reset")

    # The import API

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        """A call of the import API."""
        return self.product.post(path, dict(body) if body is not None else None)

    def get(self, path: str) -> Any:
        """What the import API shows at a path that exists."""
        answer = HTTP.get(f"{self.product.url}{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def start(self, kind: str, **body: Any) -> str:
        """Start an import; the id of its run."""
        answer = self.post(f"/sync/{kind}", body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["runId"])

    def finished(self, kind: str, run_id: str, within_s: float = PATIENCE_S) -> Status:
        """The status of a run at its end; every item of it is accounted for."""
        status = self.product.wait(lambda status: status["status"] in FINISHED, within_s, kind)
        assert status["runId"] == run_id
        assert status["seen"] == status["sent"] + status["skipped"] + status["failed"], status
        return status

    def imported(self, kind: str, **body: Any) -> Status:
        """The status of an import from its start to its end."""
        return self.finished(kind, self.start(kind, **body))

    def completed(self, kind: str, **body: Any) -> Status:
        """The status of an import that must go without a fault."""
        status = self.imported(kind, **body)
        assert (status["status"], status["failed"]) == ("completed", 0), status
        return status

    def stopped(self, kind: str) -> tuple[Status, float]:
        """Stop an import; its status, and the moment at which it was known to have stopped."""
        with measured() as took:
            answer = self.post(f"/sync/{kind}/stop")
            assert (answer.status_code, answer.json()["status"]) == (200, "stopping"), answer.text
            status = self.product.wait(lambda status: status["status"] == "stopped", PATIENCE_S, kind)
        assert took.moving_s <= STOP_WITHIN_S, took
        return status, time.time()

    def resumed(self, kind: str, run_id: str) -> Status:
        """Resume a run; its status at its end."""
        answer = self.post(f"/runs/{run_id}/resume")
        assert (answer.status_code, answer.json()["runId"]) == (202, run_id), answer.text
        return self.finished(kind, run_id)

    def run(self, run_id: str) -> Status:
        """One run."""
        found: Status = self.get(f"/runs/{run_id}")
        return found

    # commercetools

    def of(self, collection: str) -> list[Document]:
        """All resources of a collection as they are now, ascending by id."""
        return list(resources(self.commercetools, collection))

    def put(self, collection: str, **fields: Any) -> Document:
        """A new resource, as commercetools shows it."""
        made: Document = control(self.commercetools, collection, {"id": str(uuid.uuid4()), **fields}).json()
        return made

    def change(self, collection: str, identifier: str, **fields: Any) -> Document:
        """The resource after these fields were set; None removes one."""
        answer = HTTP.patch(f"{self.commercetools}/_sandbox/{collection}/{identifier}", json=fields)
        assert answer.status_code == 200, answer.text
        changed: Document = answer.json()
        return changed

    def remove(self, collection: str, identifier: str) -> None:
        """Delete a resource."""
        HTTP.delete(f"{self.commercetools}/_sandbox/{collection}/{identifier}").raise_for_status()

    def change_product(self, product: Mapping[str, Any], *, published: bool = True, **current: Any) -> Document:
        """A product with other current data, published or not."""
        data = {**product["masterData"]["current"], **current}
        master = {**product["masterData"], "published": published, "current": data, "staged": data}
        return self.change("products", product["id"], masterData=master)

    def lock(self, kind: str) -> Document | None:
        """What the project has as import lock of a kind."""
        answer = HTTP.get(self._lock_url(kind), headers=self._token())
        return None if answer.status_code == 404 else dict(answer.json())

    def assert_given_back(self, *kinds: str) -> None:
        """The import locks of these kinds are gone, a moment after their runs' end at the latest; one that ran out would stay."""
        deadline = time.monotonic() + 30
        while held := [kind for kind in kinds if self.lock(kind) is not None]:
            assert time.monotonic() < deadline, held
            time.sleep(0.05)

    def put_lock(self, kind: str, value: Any) -> Document:
        """Put this there as import lock, as another product would."""
        draft = {"container": CONTAINER, "key": LOCKS[kind], "value": value}
        answer = HTTP.post(f"{self.commercetools}/{PROJECT}/custom-objects", json=draft, headers=self._token())
        answer.raise_for_status()
        return dict(answer.json())

    def _lock_url(self, kind: str) -> str:
        return f"{self.commercetools}/{PROJECT}/custom-objects/{CONTAINER}/{LOCKS[kind]}"

    def _token(self) -> dict[str, str]:
        credentials = {"grant_type": "client_credentials"}
        answer = HTTP.post(f"{self.commercetools}/oauth/token", data=credentials, auth=(CLIENT_ID, CLIENT_SECRET))
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def reads(self, path: str) -> int:
        """How often this kind of path of commercetools was answered well since the test began."""
        return commercetools_requests(self.commercetools)[path, 200]

    # Klaviyo

    def requests(self) -> list[Request]:
        """All requests to Klaviyo since the test began, in the order of their arrival."""
        return klaviyo_requests(self.klaviyo)

    def calls(self, endpoint: str) -> list[Request]:
        """Those to one endpoint that were accepted."""
        return [request for request in self.requests() if request["endpoint"] == endpoint and (request["status"] or 500) < 400]

    def effects(self, after: int = 0) -> list[Document]:
        """What happened in Klaviyo from effect number `after` on."""
        found: list[Document] = []
        while page := self._effects_page(found[-1]["n"] if found else after):
            found += page
        return found

    def _effects_page(self, after: int) -> list[Document]:
        answer = HTTP.get(f"{self.klaviyo}/_sandbox/ledger", params={"what": "effects", "after": str(after)})
        return list(answer.json())

    def effects_by_kind(self, after: int = 0) -> Counter[str]:
        """The same, counted."""
        return Counter(effect["kind"] for effect in self.effects(after))

    def events(self) -> list[Document]:
        """All events."""
        return list(stored(self.klaviyo, "events"))

    def catalog(self, kind: str) -> dict[str, Document]:
        """All `item`s, `variant`s or `category`s by their external ids."""
        return {
            row["external_id"]: row for row in stored(self.klaviyo, "catalog") if row["kind"].removeprefix("catalog-") == kind
        }

    def klaviyo_has(self, path: str, resource: Mapping[str, Any]) -> None:
        """Make something in Klaviyo as another tool would."""
        headers = {"Authorization": f"Klaviyo-API-Key {KLAVIYO_KEY}", "revision": "2026-07-15"}
        answer = HTTP.post(f"{self.klaviyo}{path}", json={"data": resource}, headers=headers)
        assert answer.status_code in {201, 202}, answer.text

    def klaviyo_fails(self, *faults: Fault) -> None:
        """These faults, and no others, happen to requests to Klaviyo."""
        inject(self.klaviyo, *faults)

    def commercetools_fails(self, *faults: Fault) -> None:
        """The same for commercetools."""
        inject(self.commercetools, *faults)

    @contextmanager
    def meanwhile(self, kind: str, **body: Any) -> Iterator[str]:
        """An import whose items have been read and are not in Klaviyo yet while the context lasts; the id of its run."""
        hold(self.klaviyo, endpoint=WRITES[kind], first=1)
        run_id = self.start(kind, **body)
        self.until_held(self.klaviyo)
        yield run_id
        self.klaviyo_fails()

    def until_held(self, url: str) -> None:
        """Wait until one of the simulators, of which `hold` was asked, holds a request."""
        self.until(lambda: is_held(url), "no such request came")

    @staticmethod
    def until(holds: Callable[[], bool], otherwise: str, within_s: float = PATIENCE_S) -> None:
        """Wait for something to become true."""
        deadline = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < deadline, otherwise
            time.sleep(0.05)

    def in_klaviyo(self, kind: str) -> set[str]:
        """The ids of the resources of a kind that Klaviyo has something of."""
        if kind == "customers":
            return {profile["external_id"] for profile in stored(self.klaviyo, "profiles") if profile["external_id"]}
        if kind == "orders":
            return {event["unique_id"] for event in self.events() if event["metric"] == "Placed Order"}
        return set(self.catalog("item" if kind == "products" else "category"))

    def wanted(self, kind: str) -> list[Document]:
        """All resources of a kind that belong into Klaviyo, ascending by id."""
        return [resource for resource in self.of(kind) if belongs(kind, resource)]

    # What must hold after an import

    def assert_right(self, kind: str) -> None:
        """Klaviyo has exactly what commercetools has of a kind, by the checkers that know nothing of the product."""
        assert problems_of(kind, self.commercetools, self.klaviyo) == []

    def assert_within_limits(self) -> None:
        """No window of any endpoint was exceeded, no body had too many rows or bytes."""
        assert check_limits(read_ledger(self.klaviyo)).problems == ()
        assert over_the_limit(request for request in self.requests() if request["status"] != 429) == []

    def assert_silent_after(self, moment: float) -> None:
        """Nothing was sent to Klaviyo after this moment (seconds since 1970), and nothing is for a while.

        What a fault holds back is not in the ledger yet; it shows in how many requests the faults in force have hit.
        """
        hit = hits(self.klaviyo)
        time.sleep(0.8)
        assert sent_after(read_ledger(self.klaviyo), moment) == []
        assert hits(self.klaviyo) == hit

    def expected_events(self, orders: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, str]]:
        """The events of these orders, by metric and unique id, each once."""
        payments = {payment["id"]: payment for payment in self.of("payments")}
        return Counter(key for order in orders for key in events_of(order, payments))

    def found_events(self) -> Counter[tuple[str, str]]:
        """The events that Klaviyo has, by metric and unique id."""
        return Counter((event["metric"], event["unique_id"]) for event in self.events())


def problems_of(kind: str, commercetools: str, klaviyo: str) -> list[str]:
    """What the checkers find wrong with a kind."""
    profiles = check_profiles(commercetools, klaviyo).problems if kind == "customers" else ()
    return [*check_import(kind, commercetools, klaviyo).problems, *profiles]


def skus_of(product: Mapping[str, Any]) -> list[str]:
    """The SKUs of a product's current variants."""
    current = product["masterData"]["current"]
    return [variant["sku"] for variant in (current["masterVariant"], *current["variants"]) if "sku" in variant]


def is_published(product: Mapping[str, Any]) -> bool:
    """Whether customers of the shop see the product."""
    return bool(product["masterData"]["published"])


def belongs(kind: str, resource: Mapping[str, Any]) -> bool:
    """Whether a resource belongs into Klaviyo: an order is somebody's, a product is published."""
    if kind == "orders":
        return "customerId" in resource or "customerEmail" in resource
    return kind != "products" or is_published(resource)


def over_the_limit(requests: Iterable[Request], part: float = 1.0) -> list[str]:
    """Endpoints that were asked more often than `part` of their limits within some second or minute, however aligned."""
    moments: dict[str, list[float]] = defaultdict(list)
    for request in requests:
        moments[request["endpoint"]].append(request["at"])
    quotas = {operation.key: (operation.quota["burst"], operation.quota["steady"]) for operation in contract.load().operations}
    found = []
    for endpoint, at in moments.items():
        for window_s, limit in zip((1.0, 60.0), quotas[endpoint], strict=True):
            if (most := most_in_any(window_s, at)) > limit * part:
                found.append(f"{endpoint}: {most} in {window_s:g} s")
    return found
