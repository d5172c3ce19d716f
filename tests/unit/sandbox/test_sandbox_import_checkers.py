"""The checkers of an import say what is wrong: without them neither the demo nor a benchmark could fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from sandbox import checker_events, checker_imports
from sandbox.checker_imports import ImportCheck, event_problems
from sandbox.checker_ledger import Account, check_limits, most_jobs, sent_after, written
from sandbox.checker_prices import price_of
from sandbox.checker_products import Held, Shelves, Sources
from sandbox.ledger import Effect, Entry
from sandbox.sample.money import cents, precise

CREATED, MODIFIED = "2026-01-02T03:04:05.678Z", "2026-02-03T00:00:00.000Z"
CREATED_S = 1_767_323_045
NOW = "2026-11-22T00:00:00Z"


def order(**more: Any) -> dict[str, Any]:
    """A customer's order of one line."""
    base = {
        "id": "o",
        "customerId": "c",
        "customerEmail": "a@example.com",
        "orderState": "Open",
        "totalPrice": cents("EUR", 900),
        "lineItems": [{"id": "line", "totalPrice": cents("EUR", 900)}],
        "createdAt": CREATED,
        "lastModifiedAt": MODIFIED,
    }
    return {**base, **more}


def stored(metric: str, unique_id: str, **more: Any) -> dict[str, Any]:
    """An imported event as Klaviyo has it."""
    base = {"value": 9.0, "value_currency": "EUR", "external_id": "c", "email": "a@example.com", "backfill": True}
    return {"metric": metric, "unique_id": unique_id, "time": CREATED_S, **base, **more}


PLACED, LINE = stored("Placed Order", "o"), stored("Ordered Product", "line", time=CREATED_S + 1)


def said(*events: Mapping[str, Any], live: tuple[str, ...] = (), **more: Any) -> list[str]:
    """What is wrong with these events of the order."""
    return sorted(event_problems(checker_events.events_of(order(**more), {}), events, {"c": "a@example.com"}, live))


def test_the_times_of_the_past_follow_from_the_order() -> None:
    """Placed when it was created, a line one second later, cancelled at the last change."""
    assert said(PLACED, LINE) == []
    assert said(PLACED | {"time": CREATED_S + 1}, LINE) == [f"Placed Order o is at {CREATED_S + 1}, not {CREATED_S}"]
    cancelled = checker_events.events_of(order(orderState="Cancelled"), {})["Cancelled Order", "o"]
    assert cancelled.second == checker_events.second_of(MODIFIED)


@pytest.mark.parametrize(
    ("more", "second"),
    [
        ({}, MODIFIED),
        ({"completedAt": CREATED}, CREATED),
        ({"completedAt": CREATED, "shippingInfo": {"deliveries": [{"createdAt": NOW}, {"createdAt": MODIFIED}]}}, MODIFIED),
        ({"shipping": [{"shippingInfo": {"deliveries": [{"createdAt": NOW}]}}]}, NOW),
    ],
)
def test_an_order_was_fulfilled_with_its_first_delivery(more: dict[str, Any], second: str) -> None:
    """Else when it was complete, else at its last change."""
    fulfilled = checker_events.events_of(order(orderState="Complete", **more), {})["Fulfilled Order", "o"]
    assert fulfilled.second == checker_events.second_of(second)


def test_an_event_of_the_past_is_marked_and_a_live_one_has_its_own_time() -> None:
    """Without the mark a flow would fire for years of orders."""
    unmarked = PLACED | {"backfill": False, "time": CREATED_S + 99}
    assert said(unmarked, LINE)[1] == "Placed Order o is not marked as backfill"
    assert said(unmarked, LINE, live=("o",)) == []


def test_events_that_are_wrong_missing_or_too_many_are_named() -> None:
    """Value, person, presence."""
    assert "worth" in said(PLACED | {"value": 9.01}, LINE)[0]
    assert "worth" in said(PLACED | {"value_currency": "USD"}, LINE)[0]
    assert "not of customer c" in said(PLACED | {"external_id": "x", "email": "b@example.com"}, LINE)[0]
    assert said(PLACED | {"external_id": "x"}, LINE) == []  # e-mails that differ in case are one person
    assert said(PLACED) == ["Ordered Product line is missing"]
    assert said(PLACED, PLACED, LINE) == ["Placed Order o is there more than once"]
    assert said(PLACED, LINE, stored("Refunded Order", "o")) == ["Refunded Order o should not be there"]


def test_an_order_under_a_malformed_email_may_be_missing_as_a_whole() -> None:
    """Klaviyo refuses it; but not some of its events only."""
    assert said(customerEmail="nobody") == []
    assert said(PLACED, customerEmail="nobody") == ["Ordered Product line is missing"]


def test_the_status_of_a_run_is_compared_with_the_records() -> None:
    """Each number, and that they add up."""
    check = ImportCheck("orders", 10, Counter(), refused=frozenset({"x"}), without=2)
    good = {"seen": 10, "sent": 7, "skipped": 2, "failed": 1}
    assert check.differs_from(good) == []
    assert check.differs_from({**good, "sent": 8}) == [
        "the status says sent 8, the simulators' records 7",
        "seen is not sent + skipped + failed",
    ]


def test_there_is_a_check_for_each_kind_and_no_other() -> None:
    """A typing error is no verdict."""
    assert set(checker_imports.KINDS) == {"customers", "orders", "products", "categories"}
    with pytest.raises(ValueError, match="there are no carts"):
        checker_imports.check_import("carts", "", "")


@pytest.mark.parametrize(
    ("prices", "amount"),
    [
        ([], "0"),
        ([{"value": cents("EUR", 100)}], "1.00"),
        ([{"value": cents("EUR", 100), "discounted": {"value": cents("EUR", 80)}}], "0.80"),
        ([{"value": precise("EUR", 123_455, 5)}], "1.23455"),
        ([{"value": cents("USD", 100), "country": "US"}], "0"),
        ([{"value": cents("USD", 100), "country": "US"}, {"value": cents("EUR", 90)}], "0.90"),
        ([{"value": cents("EUR", 90)}, {"value": cents("JPY", 5)}], "0.90"),
        ([{"value": cents("EUR", 90)}, {"value": cents("EUR", 80), "validFrom": "2026-01-01T00:00:00Z"}], "0.80"),
        ([{"value": cents("EUR", 90)}, {"value": cents("EUR", 80), "validUntil": "2026-01-01T00:00:00Z"}], "0.90"),
        ([{"value": cents("EUR", 90)}, {"value": cents("EUR", 80), "validFrom": "2027-01-01T00:00:00Z"}], "0.90"),
        (
            [
                {"value": cents("EUR", 90), "validUntil": "2028-01-01T00:00:00Z"},
                {"value": cents("EUR", 80), "validUntil": "2027-01-01T00:00:00Z"},
            ],
            "0.80",
        ),
    ],
)
def test_the_price_for_everybody(prices: list[dict[str, Any]], amount: str) -> None:
    """By a rule of the checkers' own."""
    assert str(price_of(prices, NOW)) == amount


PRODUCT = {
    "id": "p",
    "name": {"en": " P "},
    "categories": [{"id": "b"}],
    "priceMode": "Embedded",
    "masterVariant": {"sku": "s", "prices": [{"value": cents("EUR", 100)}], "images": [{"url": "https://example.com/1.jpg"}]},
    "variants": [{"sku": "t", "prices": [], "images": []}, {"prices": [], "images": []}],
}
ITEM = Held(None, frozenset({"b"}), "P", 1.0, "https://example.com/1.jpg", True, None)
S = Held("p", frozenset(), "P", 1.0, "https://example.com/1.jpg", True, (3, 1))
T = Held("p", frozenset(), "P", 0.0, "https://example.com/1.jpg", True, (1_000_000, 2))


SOURCES = Sources(
    categories=[{"id": "a", "ancestors": []}, {"id": "b", "ancestors": [{"id": "a"}]}],
    inventory=[{"sku": "s", "availableQuantity": 3}, {"sku": "t", "availableQuantity": 9, "supplyChannel": {}}],
    standalone_prices=[],
)


def test_a_catalog_that_differs_from_the_products_is_named() -> None:
    """Presence, links, title, price, image, owner, stock, and whether it is shown."""

    def differs(items: dict[str, Held], variants: dict[str, Held]) -> list[str]:
        return list(Shelves(items, variants, SOURCES, NOW).problems(iter([PRODUCT])))

    def changed(held: Held, **fields: Any) -> Held:
        return Held(**{name: fields.get(name, getattr(held, name)) for name in Held.__slots__})

    good = {"s": S, "t": T}
    assert differs({"p": ITEM}, good) == []
    assert differs({"p": changed(ITEM, categories=frozenset({"a", "b"}))}, good) == []
    assert "is in ['a']" in differs({"p": changed(ITEM, categories=frozenset({"a"}))}, good)[0]
    assert differs({}, good) == ["item p is missing"]
    assert differs({"p": ITEM, "q": ITEM}, good) == ["item q should not be there"]
    assert differs({"p": ITEM}, {"s": S}) == ["variant t is missing"]
    for fields, words in (
        ({"title": "Q"}, "the title 'Q'"),
        ({"price": 1.01}, "costs 1.01, not 1.00"),
        ({"image": None}, "the image None"),
        ({"published": False}, "is hidden"),
        ({"item": "q"}, "of item q"),
        ({"stock": (2, 1)}, "the stock (quantity, policy) (2, 1), not (3, 1)"),
    ):
        [problem] = differs({"p": ITEM}, {**good, "s": changed(S, **fields)})
        assert words in problem


def entry(seq: int, endpoint: str, rows: int, *, at: float = 0.0, status: int = 202, size: int = 100) -> Entry:
    """A request that was taken."""
    method, path = endpoint.split()
    return Entry(seq, at, method, path, endpoint, status, size, [str(number) for number in range(rows)])


EVENTS, VARIANTS = "POST /api/event-bulk-create-jobs", "POST /api/catalog-variant-bulk-create-jobs"


def test_a_body_that_is_too_large_is_named() -> None:
    """In bytes, in events, in rows of the catalog."""

    def found(*entries: Entry) -> tuple[str, ...]:
        return check_limits(Account(entries, (), 2.0, 0.0)).problems

    assert found(entry(1, EVENTS, 1_000), entry(2, VARIANTS, 100), entry(3, EVENTS, 1, size=5_000_000)) == ()
    assert found(entry(1, EVENTS, 1_001)) == (f"request 1 to {EVENTS} has 1001 rows",)
    assert found(entry(1, VARIANTS, 101)) == (f"request 1 to {VARIANTS} has 101 rows",)
    assert found(entry(1, EVENTS, 1, size=5_000_001)) == (f"request 1 to {EVENTS} has 5000001 bytes",)
    refused = [entry(number, EVENTS, 0, status=429) for number in range(2)]
    assert found(*refused, *(entry(number, EVENTS, 1) for number in range(198))) == ()
    assert found(*refused, entry(3, EVENTS, 1)) == ("2 of 3 requests were answered 429",)


def test_more_than_500_jobs_in_progress_are_named() -> None:
    """A job that has ended does not count."""
    at_once = Account([entry(number, VARIANTS, 1) for number in range(501)], (), 2.0, 0.0)
    assert most_jobs(at_once) == 501
    assert check_limits(at_once).problems == ("501 catalog jobs were in progress at once",)
    in_turn = Account([entry(number, VARIANTS, 1, at=3.0 * number) for number in range(501)], (), 2.0, 0.0)
    assert most_jobs(in_turn) == 1


def test_what_was_written_again_is_counted_by_item() -> None:
    """An event of an order under its order; no more than may have been is in order."""
    names = ("Placed Order:o", "Ordered Product:o", "Placed Order:p")
    effects = [Effect(seq, seq, 0.0, "event_stored", name) for seq in (1, 2) for name in names]
    account = Account([entry(1, EVENTS, 3), entry(2, EVENTS, 3)], effects, 2.0, 0.0)
    check = ImportCheck("orders", 9, Counter(), owners={name: name[-1] for name in names})
    assert check.rewritten(account) == {"o", "p"}
    assert check.redone(account, most=2) == []
    assert check.redone(account, most=1) == ["2 orders were written more than once, 1 might be"]
    assert check.redone(account) == ["2 orders were written more than once, 0 might be"]
    profile = Account([entry(1, EVENTS, 1)], [Effect(1, 1, 0.0, "profile_updated", "c")] * 2, 2.0, 0.0)
    assert written(profile, ("profile",)) == {"c": 2}
    assert written(profile, ("profile",), "profile-bulk-import-jobs") == {}


def test_what_comes_after_a_stop_is_named() -> None:
    """To the moment."""
    account = Account([entry(1, EVENTS, 1, at=10.0)], (), 2.0, 0.0)
    assert sent_after(account, 10.0) == []
    assert sent_after(account, 9.9) == [f"1 requests to {EVENTS} came after the stop"]
