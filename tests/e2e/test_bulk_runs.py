"""What an import of any kind does: all of it, a part of it, again, not at all; stopped, halted, changed under its feet.

The same for every kind, each through the API and judged by checkers that look at both simulators alone.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.e2e.bulk_world import KINDS, READS, SIZES, WRITES, Imports, belongs, is_write
from tests.e2e.fault_fixtures import hold
from tests.e2e.realtime_resources import money

by_kind = pytest.mark.parametrize("kind", KINDS)

UNCHANGED = {"profile_unchanged", "event_ignored", "item_unchanged", "variant_unchanged", "category_unchanged"}


def _prepared(imports: Imports, kind: str) -> None:
    """Categories come before what is in them."""
    if kind == "products":
        imports.completed("categories")


MAY_CHANGE: Mapping[str, set[str]] = {kind: set[str]() for kind in KINDS} | {"orders": {"profile_updated"}}
"""Orders of one person that name different addresses each bring theirs to the profile; the events stay as they are."""


@by_kind
def test_the_first_import_brings_everything_and_the_second_changes_nothing(imports: Imports, kind: str) -> None:
    """Case 76, Case 92: 202, and all is there, once; what is there already is updated, and counts as sent."""
    _prepared(imports, kind)
    first = imports.completed(kind)
    imports.assert_right(kind)
    imports.assert_within_limits()
    assert (first["seen"], first["total"], first["progress"]) == (SIZES[kind], SIZES[kind], 1.0)
    assert first["sent"] == len(imports.wanted(kind))
    assert imports.in_klaviyo(kind) == {resource["id"] for resource in imports.wanted(kind)}
    imports.assert_given_back(kind)
    effects = imports.effects()[-1]["n"]
    second = imports.completed(kind)
    for field in ("seen", "sent", "skipped", "skippedReasons", "adjustments"):
        assert second[field] == first[field]
    again = imports.effects_by_kind(effects)
    assert set(again) <= UNCHANGED | MAY_CHANGE[kind]
    imports.assert_right(kind)


@by_kind
def test_a_dry_run_counts_like_a_real_one_and_klaviyo_hears_nothing(imports: Imports, kind: str) -> None:
    """`dryRun`: the same outcome for each item, up to twenty examples, and no request at all."""
    dry = imports.completed(kind, dryRun=True)
    assert imports.requests() == []
    assert 0 < len(dry["examples"]) <= 20
    assert not dry["problems"]
    _prepared(imports, kind)
    real = imports.completed(kind)
    for field in ("seen", "sent", "skipped", "skippedReasons"):
        assert dry[field] == real[field]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(part)


def test_the_examples_of_orders_tell_nothing_of_anybody(imports: Imports) -> None:
    """No e-mail, name, phone, street, post code or tracking number of the sample is in them."""
    status = imports.completed("orders", dryRun=True)
    secret: set[str] = set()
    for order in imports.of("orders"):
        secret.add(order.get("customerEmail", ""))
        for name in ("shippingAddress", "billingAddress"):
            address = order.get(name, {})
            secret |= {str(address.get(field, "")) for field in ("firstName", "lastName", "email", "phone", "mobile")}
            secret |= {str(address.get(field, "")) for field in ("streetName", "postalCode")}
    secret.discard("")
    assert secret
    shown = set(_texts(status["examples"]))
    assert not shown & secret
    text = json.dumps(status["examples"], ensure_ascii=False)
    assert [value for value in secret if len(value) > 5 and value in text] == []
    assert not re.search(r"\+\d{6,}|[\w.]+@[\w.]+", text)


@by_kind
def test_listed_ids_are_imported_alone_and_those_that_do_not_exist_are_skipped(imports: Imports, kind: str) -> None:
    """Case 80: `ids` win over `startId`; what is gone is named by its reason."""
    some = [resource["id"] for resource in imports.wanted(kind)[3:8]]
    gone = "00000000-0000-4000-8000-000000000000"
    status = imports.completed(kind, ids=[*some, gone, some[0].upper()], startId=some[-1])
    assert (status["seen"], status["sent"], status["skippedReasons"]) == (6, 5, {"gone": 1})
    assert imports.in_klaviyo(kind) == set(some)


@by_kind
def test_an_import_from_an_id_on_goes_to_the_end(imports: Imports, kind: str) -> None:
    """Case 80, Case 81: `startId` is included, whatever the order of creation; none is left out or doubled."""
    everything = imports.of(kind)
    rest = everything[len(everything) // 3 :]
    status = imports.completed(kind, startId=rest[0]["id"])
    assert (status["seen"], status["cursor"]) == (len(rest), everything[-1]["id"])
    assert imports.in_klaviyo(kind) == {resource["id"] for resource in rest if belongs(kind, resource)}


@by_kind
def test_an_import_of_a_time_span_takes_what_was_created_in_it(imports: Imports, kind: str) -> None:
    """`createdAfter` is included, `createdBefore` is not."""
    moments = sorted(resource["createdAt"] for resource in imports.of(kind))
    low, high = moments[len(moments) // 4], moments[-len(moments) // 4]
    chosen = [resource for resource in imports.of(kind) if low <= resource["createdAt"] < high]
    assert 0 < len(chosen) < len(moments)
    status = imports.completed(kind, createdAfter=low, createdBefore=high)
    assert status["seen"] == len(chosen)
    assert imports.in_klaviyo(kind) == {resource["id"] for resource in chosen if belongs(kind, resource)}


CHANGES: Mapping[str, Mapping[str, Any]] = {
    "customers": {"firstName": "Renamed"},
    "orders": {"orderNumber": "RENAMED-1"},
    "products": {"key": "renamed"},
    "categories": {"key": "renamed"},
}


@by_kind
def test_an_import_of_what_was_modified_takes_nothing_else(imports: Imports, kind: str) -> None:
    """`modifiedAfter`, the moment included."""
    changed = [imports.change(kind, resource["id"], **CHANGES[kind]) for resource in imports.wanted(kind)[5:8]]
    since = min(resource["lastModifiedAt"] for resource in changed)
    imports.completed(kind, modifiedAfter=since)
    assert imports.in_klaviyo(kind) == {resource["id"] for resource in changed}
    later = (datetime.fromisoformat(since) + timedelta(hours=1)).isoformat()
    assert imports.completed(kind, modifiedAfter=later, dryRun=True)["seen"] == 0


def _product_without_name(imports: Imports, product: Mapping[str, Any]) -> Callable[[], Any]:
    imports.change_product(product, name=7)
    return lambda: imports.change("products", product["id"], masterData=product["masterData"])


def _broken(imports: Imports, kind: str, resource: Mapping[str, Any]) -> Callable[[], Any]:
    """Make a resource one that cannot be imported; what mends it."""
    if kind == "products":
        return _product_without_name(imports, resource)
    field, value = {
        "customers": ("lastName", ["not", "a", "text"]),
        "orders": ("customerEmail", "not an address"),
        "categories": ("name", 7),
    }[kind]
    imports.change(kind, resource["id"], **{field: value})
    return lambda: imports.change(kind, resource["id"], **{field: resource.get(field)})


@by_kind
def test_a_retry_is_a_run_over_what_failed_alone(imports: Imports, kind: str) -> None:
    """An item that cannot be imported is named and costs only itself; once it is mended, a retry brings it and no other."""
    _prepared(imports, kind)
    above = {reference["id"] for category in imports.of("categories") for reference in category["ancestors"]}
    chosen = [one for one in imports.wanted(kind) if "customerId" not in one and one["id"] not in above][:6]
    mend = _broken(imports, kind, chosen[2])
    status = imports.imported(kind, ids=[resource["id"] for resource in chosen])
    assert (status["status"], status["sent"], status["failed"]) == ("completed_with_errors", 5, 1)
    assert [problem["id"] for problem in status["problems"]] == [chosen[2]["id"]]
    assert imports.in_klaviyo(kind) == {resource["id"] for resource in chosen} - {chosen[2]["id"]}
    mend()
    before = len(imports.requests())
    answer = imports.post(f"/runs/{status['runId']}/retry")
    assert answer.status_code == 202, answer.text
    again = imports.finished(kind, answer.json()["runId"])
    assert (again["status"], again["seen"], again["sent"]) == ("completed", 1, 1)
    assert imports.in_klaviyo(kind) == {resource["id"] for resource in chosen}
    if kind in ("customers", "categories"):
        rows = {row for request in imports.requests()[before:] if is_write(request) for row in request["identities"]}
        assert rows == {chosen[2]["id"]}
    assert imports.post(f"/runs/{again['runId']}/retry").status_code == 409


@by_kind
@pytest.mark.parametrize("moment", ["while_it_reads", "while_it_writes"])
def test_nothing_is_sent_after_a_confirmed_stop_and_resume_sends_the_rest(imports: Imports, kind: str, moment: str) -> None:
    """Case 94: 200 while it runs, 400 afterwards; within ten seconds Klaviyo hears nothing more; nothing is lost or doubled."""
    _prepared(imports, kind)
    held_by = imports.commercetools if moment == "while_it_reads" else imports.klaviyo
    hold(held_by, path=f"/sandbox/{READS[kind]}" if moment == "while_it_reads" else "/api/")
    run_id = imports.start(kind)
    imports.until_held(held_by)
    status, stopped_at = imports.stopped(kind)
    assert status["resumable"]
    assert status["seen"] < SIZES[kind], "it was over before"
    imports.assert_silent_after(stopped_at)
    assert imports.post(f"/sync/{kind}/stop").status_code == 400
    imports.assert_given_back(kind)
    imports.commercetools_fails()
    imports.klaviyo_fails()
    status = imports.resumed(kind, run_id)
    assert (status["status"], status["failed"], status["seen"]) == ("completed", 0, SIZES[kind])
    imports.assert_right(kind)
    imports.assert_within_limits()


@by_kind
def test_a_refused_key_halts_the_run_and_resume_finishes_it(imports: Imports, kind: str) -> None:
    """401 of Klaviyo: `halted` with the reason, resumable; nothing more is sent until somebody has mended it."""
    _prepared(imports, kind)
    imports.klaviyo_fails({"kind": "status", "status": 401, "path": "/api/"})
    status = imports.imported(kind)
    halted_at = time.time()
    assert (status["status"], status["resumable"], status["failed"]) == ("halted", True, 0)
    assert "401" in status["haltReason"]
    imports.assert_silent_after(halted_at)
    imports.klaviyo_fails()
    status = imports.resumed(kind, status["runId"])
    assert (status["status"], status["failed"], status["seen"]) == ("completed", 0, SIZES[kind])
    imports.assert_right(kind)


@by_kind
def test_a_commercetools_that_refuses_halts_the_run_and_resume_finishes_it(imports: Imports, kind: str) -> None:
    """403 of what is to be imported is a matter for a person as well."""
    _prepared(imports, kind)
    imports.commercetools_fails({"kind": "status", "status": 403, "path": f"/sandbox/{READS[kind]}"})
    status = imports.imported(kind)
    assert (status["status"], status["resumable"]) == ("halted", True)
    imports.commercetools_fails()
    assert imports.resumed(kind, status["runId"])["status"] == "completed"
    imports.assert_right(kind)


@by_kind
def test_what_changes_during_the_import_ends_as_it_is_then(imports: Imports, kind: str) -> None:
    """The closing sweep (flows.md): read before the change, and in Klaviyo after it all the same."""
    _prepared(imports, kind)
    resource = imports.wanted(kind)[4]
    with imports.meanwhile(kind) as run_id:
        _change_meanwhile(imports, kind, resource)
    status = imports.finished(kind, run_id)
    assert (status["status"], status["failed"]) == ("completed", 0)
    imports.assert_right(kind)


def _change_meanwhile(imports: Imports, kind: str, resource: Mapping[str, Any]) -> None:
    if kind == "products":
        imports.change_product(resource, name={"en": "Renamed meanwhile"})
    elif kind == "categories":
        imports.change(kind, resource["id"], name={"en": "Renamed meanwhile"})
    elif kind == "customers":
        imports.change(kind, resource["id"], firstName="Renamed")
    else:
        imports.change(kind, resource["id"], orderState="Complete", completedAt=resource["lastModifiedAt"])


@by_kind
def test_what_is_made_during_the_import_is_imported_too(imports: Imports, kind: str) -> None:
    """An id anywhere, behind the cursor as well: the closing sweep finds it."""
    _prepared(imports, kind)
    with imports.meanwhile(kind) as run_id:
        made = _made(imports, kind)
    assert imports.finished(kind, run_id)["status"] == "completed"
    assert made["id"] in imports.in_klaviyo(kind)
    imports.assert_right(kind)


def _made(imports: Imports, kind: str) -> dict[str, Any]:
    low = f"00000000-0000-4000-8000-{time.time_ns() % 10**12:012}"  # before everything that there is
    if kind == "customers":
        return imports.put(kind, id=low, email=f"{low}@example.com")
    model = {name: value for name, value in imports.wanted(kind)[0].items() if name not in _SET_BY_THE_API}
    if kind == "orders":
        lines = [{**line, "id": f"{low[:-12]}{number:012}"} for number, line in enumerate(model["lineItems"], 1)]
        model = {**model, "lineItems": lines, "totalPrice": money(100), "customerEmail": "made@example.com"}
        model.pop("customerId", None)
        model.pop("paymentInfo", None)
    if kind == "products":
        master = {"id": 1, "sku": f"sku-{low}", "prices": [], "images": [], "attributes": [], "assets": []}
        data = {**model["masterData"]["current"], "masterVariant": master, "variants": []}
        model["masterData"] = {**model["masterData"], "current": data, "staged": data}
    return imports.put(kind, **{**model, "id": low})


_SET_BY_THE_API = {"id", "version", "createdAt", "lastModifiedAt", "key", "orderNumber"}


@by_kind
def test_a_lost_answer_or_a_refusal_for_the_moment_is_repeated_and_counted_once(imports: Imports, kind: str) -> None:
    """Case 91: 429 and 503 at the start of a job, an accepted one whose answer is lost: sent again, each item counted once."""
    _prepared(imports, kind)
    endpoint = WRITES[kind]
    imports.klaviyo_fails(
        {"kind": "status", "status": 429, "retry_after": "1", "endpoint": endpoint, "first": 1},
        {"kind": "status", "status": 503, "endpoint": endpoint, "first": 1},
        {"kind": "lost", "endpoint": endpoint, "first": 1},
    )
    status = imports.completed(kind)
    assert (status["seen"], status["sent"]) == (SIZES[kind], len(imports.wanted(kind)))
    assert sum(1 for request in imports.requests() if request["status"] == 429) == 1
    imports.assert_right(kind)
