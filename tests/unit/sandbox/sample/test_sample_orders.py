"""Generated orders, payments and discount codes: complete with edge cases, and in agreement with each other."""

import json
from collections import Counter
from typing import Any

import pytest

from sandbox.sample import orders, payments
from sandbox.sample.fulfilment import ORDER_STATES, PAYMENT_STATES, SHIPMENT_STATES
from sandbox.sample.heads import head
from sandbox.sample.kinds import rows, sample_kinds
from sandbox.sample.order_plan import plan
from sandbox.sample.orders import order
from sandbox.sample.scale import DEMO, Scale

KINDS = sample_kinds()


def sample(name: str) -> list[dict[str, Any]]:
    """All rows of a kind at the demo's scale."""
    return list(rows(KINDS[name], 7, KINDS[name].default_size))


@pytest.fixture(scope="module")
def sold() -> list[dict[str, Any]]:
    """The demo's orders."""
    return sample("orders")


@pytest.fixture(scope="module")
def paid() -> dict[str, dict[str, Any]]:
    """The demo's payments by id."""
    return {row["id"]: row for row in sample("payments")}


@pytest.mark.parametrize(
    "feature",
    [
        lambda o: "customerId" in o and "customerEmail" in o,
        lambda o: "customerId" in o and "customerEmail" not in o,
        lambda o: "customerId" not in o and "customerEmail" in o,
        lambda o: "customerId" not in o and "customerEmail" not in o and "anonymousId" not in o,
        lambda o: "customerId" not in o and "customerEmail" not in o and "anonymousId" in o,
        lambda o: o.get("customerEmail", "x") != o.get("customerEmail", "x").strip().lower(),
        lambda o: o.get("customerEmail", "").startswith("old."),
        lambda o: "store" not in o,
        lambda o: len(o["lineItems"]) == 1,
        lambda o: len(o["lineItems"]) == 40 and "custom" not in o["lineItems"][0],
        lambda o: not o["lineItems"] and o["customLineItems"],
        lambda o: any(line["totalPrice"]["centAmount"] < 0 for line in o["customLineItems"]),
        lambda o: any(line["lineItemMode"] == "GiftLineItem" for line in o["lineItems"]),
        lambda o: any(line["priceMode"] == "ExternalPrice" for line in o["lineItems"]),
        lambda o: any("sku" not in line["variant"] for line in o["lineItems"]),
        lambda o: any("productSlug" not in line for line in o["lineItems"]),
        lambda o: any("custom" in line for line in o["lineItems"]),
        lambda o: any("discounted" in line["price"] for line in o["lineItems"]),
        lambda o: any(line["discountedPricePerQuantity"] for line in o["lineItems"]),
        lambda o: any(line["price"]["value"]["type"] == "highPrecision" and line["quantity"] > 1 for line in o["lineItems"]),
        lambda o: any(line["quantity"] == 200 for line in o["lineItems"]),
        lambda o: len(o["discountCodes"]) == 2,
        lambda o: "discountOnTotalPrice" in o,
        lambda o: "taxedPrice" not in o and o["taxMode"] == "Disabled",
        lambda o: o["taxMode"] == "External",
        lambda o: o["totalPrice"]["currencyCode"] == "JPY" and o["totalPrice"]["fractionDigits"] == 0,
        lambda o: o["totalPrice"]["currencyCode"] == "KWD" and o["totalPrice"]["fractionDigits"] == 3,
        lambda o: "shippingInfo" not in o and o["shippingMode"] == "Single",
        lambda o: o["shippingMode"] == "Multiple",
        lambda o: "billingAddress" not in o,
        lambda o: "orderNumber" not in o,
        lambda o: "country" not in o,
        lambda o: o.get("completedAt", "9") < "2021" and o["orderState"] == "Complete" and "cart" not in o,
        lambda o: o["origin"] == "RecurringOrder" and "recurringOrder" in o,
        lambda o: len(o.get("shippingInfo", {}).get("deliveries", [])) == 2,
        lambda o: any(not d["parcels"] for d in o.get("shippingInfo", {}).get("deliveries", [])),
        lambda o: any("carrier" not in p.get("trackingData", {"carrier": 1}) for d in deliveries(o) for p in d["parcels"]),
        lambda o: any("trackingData" not in p for d in deliveries(o) for p in d["parcels"]),
        lambda o: "returnInfo" in o,
        lambda o: o.get("custom", {}).get("fields", {}).get("giftMessage") == "",
        lambda o: "paymentInfo" not in o,
        lambda o: len(o.get("paymentInfo", {}).get("payments", [])) == 3,
    ],
)
def test_every_edge_case_of_orders_occurs(sold: list[dict[str, Any]], feature: Any) -> None:
    """Each oddity of an order occurs in the demo's five hundred."""
    assert any(feature(row) for row in sold)


def deliveries(order_: dict[str, Any]) -> list[dict[str, Any]]:
    """The deliveries of an order with one shipping method."""
    found: list[dict[str, Any]] = order_.get("shippingInfo", {}).get("deliveries", [])
    return found


def test_all_states_occur(sold: list[dict[str, Any]]) -> None:
    """Every order, shipment and payment state, and orders that leave one out."""
    assert {row["orderState"] for row in sold} == set(ORDER_STATES)
    assert {row.get("shipmentState") for row in sold} == {*SHIPMENT_STATES, None}
    assert {row.get("paymentState") for row in sold} == {*PAYMENT_STATES, None}


def test_one_order_is_of_two_megabytes(sold: list[dict[str, Any]]) -> None:
    """And no other is larger than a hundred and fifty kilobytes."""
    sizes = sorted(len(json.dumps(row, ensure_ascii=False).encode()) for row in sold)
    assert 2_000_000 < sizes[-1] < 3_000_000
    assert sizes[-2] < 150_000


def test_the_total_is_the_sum_of_the_parts(sold: list[dict[str, Any]]) -> None:
    """Lines, custom lines and shipping less the discount on the total; one currency throughout."""
    for row in sold:
        parts = [line["totalPrice"] for line in [*row["lineItems"], *row["customLineItems"]]]
        infos = [row["shippingInfo"]] if "shippingInfo" in row else [one["shippingInfo"] for one in row["shipping"]]
        parts += [info["price"] for info in infos]
        taken = row["discountOnTotalPrice"]["discountedAmount"]["centAmount"] if "discountOnTotalPrice" in row else 0
        assert 0 <= row["totalPrice"]["centAmount"] == sum(part["centAmount"] for part in parts) - taken
        assert {part["currencyCode"] for part in parts} <= {row["totalPrice"]["currencyCode"]}
        if "taxedPrice" in row:
            taxed = {name: row["taxedPrice"][name]["centAmount"] for name in ("totalNet", "totalGross", "totalTax")}
            assert taxed["totalNet"] + taxed["totalTax"] == taxed["totalGross"]


def test_lines_cost_what_their_price_says(sold: list[dict[str, Any]]) -> None:
    """Quantity times the discounted price where it is in whole minor units; gifts cost nothing."""
    for line in (line for row in sold for line in row["lineItems"]):
        value = line["price"].get("discounted", line["price"])["value"]
        per_piece = [part["discountedPrice"]["value"]["centAmount"] for part in line["discountedPricePerQuantity"]]
        if line["lineItemMode"] == "GiftLineItem":
            assert (line["totalPrice"]["centAmount"], per_piece) == (0, [0] * len(per_piece))
        elif "preciseAmount" not in value:
            assert line["totalPrice"]["centAmount"] == line["quantity"] * (per_piece or [value["centAmount"]])[0]


def test_lines_name_products_of_the_sample(sold: list[dict[str, Any]]) -> None:
    """The variant is the product's own; a few products were deleted since."""
    known = {row["id"]: row for row in sample("products")}
    lines = [line for row in sold for line in row["lineItems"]]
    gone = [line for line in lines if line["productId"] not in known]
    assert 0 < len(gone) < len(lines) / 40
    for line in lines:
        if line["productId"] in known:
            data = known[line["productId"]]["masterData"]["current"]
            assert line["variant"] in [data["masterVariant"], *data["variants"]]
            assert line["name"] == data["name"]


def test_customers_of_orders_exist_and_have_that_mail(sold: list[dict[str, Any]]) -> None:
    """The e-mail of an order is the customer's, unless it has changed since."""
    known = {row["id"]: row for row in sample("customers")}
    for row in (row for row in sold if "customerId" in row):
        customer = known[row["customerId"]]
        assert row.get("customerGroup") == customer.get("customerGroup")
        if not row.get("customerEmail", "old.").startswith("old."):
            assert row["customerEmail"] == customer["email"]


def test_discount_codes_resolve_or_were_deleted(sold: list[dict[str, Any]]) -> None:
    """Orders name codes of the sample and one that is gone."""
    known = {row["id"] for row in sample("discount-codes")}
    named = {info["discountCode"]["id"] for row in sold for info in row["discountCodes"]}
    assert named > known
    assert len(named - known) == 1


def test_payments_and_orders_agree(sold: list[dict[str, Any]], paid: dict[str, dict[str, Any]]) -> None:
    """Every payment is of one order, in its currency, of its customer; together they plan for what is due."""
    seen: Counter[str] = Counter()
    for row in sold:
        own = [paid[reference["id"]] for reference in row.get("paymentInfo", {"payments": []})["payments"]]
        seen.update(payment["id"] for payment in own)
        due = row["taxedPrice"]["totalGross"] if "taxedPrice" in row else row["totalPrice"]
        assert {p["amountPlanned"]["currencyCode"] for p in own} <= {due["currencyCode"]}
        assert {p.get("customer", {}).get("id") for p in own} <= {row.get("customerId")}
        if own:
            assert sum(p["amountPlanned"]["centAmount"] for p in own) == due["centAmount"]
    assert seen == dict.fromkeys(paid, 1)


def test_some_orders_name_their_payments_in_another_order_than_the_ids(sold: list[dict[str, Any]]) -> None:
    """The list's order counts, not the ids'."""
    lists = [[p["id"] for p in row.get("paymentInfo", {"payments": []})["payments"]] for row in sold]
    assert any(ids != sorted(ids) for ids in lists)
    assert any(len(ids) > 1 and ids == sorted(ids) for ids in lists)


@pytest.mark.parametrize(
    "course",
    [[("Charge", "Success"), ("Refund", state)] for state in ("Initial", "Pending", "Success")]
    + [
        [("Charge", "Success"), ("Refund", "Failure"), ("Refund", "Success")],
        [("Charge", "Success"), ("Refund", "Success"), ("Refund", "Success")],
        [("Charge", "Success"), ("Charge", "Success"), ("Refund", "Initial"), ("Refund", "Success")],
        [("Charge", "Pending"), ("Refund", "Success")],
        [("Charge", "Failure")],
        [("Charge", "Success"), ("Chargeback", "Success")],
        [],
    ],
)
def test_every_course_of_a_payment_occurs(paid: dict[str, dict[str, Any]], course: list[tuple[str, str]]) -> None:
    """Refunds in every state, several, before a charge has succeeded, and none."""
    assert any([(t["type"], t["state"]) for t in row["transactions"]] == course for row in paid.values())


def test_refunds_are_partial_whole_and_sometimes_without_a_time(paid: dict[str, dict[str, Any]]) -> None:
    """Amounts below and equal to the payment's; with and without `timestamp`."""
    refunds = [(t, row) for row in paid.values() for t in row["transactions"] if t["type"] == "Refund"]
    whole = [t["amount"]["centAmount"] == row["amountPlanned"]["centAmount"] > 0 for t, row in refunds]
    assert set(whole) == {True, False}
    assert {"timestamp" in t for t, _ in refunds} == {True, False}


def test_several_payments_of_one_order_have_successful_refunds(sold: list[dict[str, Any]]) -> None:
    """A second payment's refund must not take the id of the first's."""
    large = Scale(orders=20_000)
    size = payments.total(20_000)

    def refunded(index: int) -> bool:
        whole = payments.payment(7, index, size, large)
        return any(t["type"] == "Refund" and t["state"] == "Success" for t in whole["transactions"])

    several = [i for i in range(2_000) if len(payments.indexes_of_order(i)) > 1]
    assert any(sum(refunded(p) for p in payments.indexes_of_order(i)) > 1 for i in several)


def test_orders_scale_without_tables() -> None:
    """A hundred thousand orders of three lines: any row at once, numbers and payments found by arithmetic."""
    scale = Scale(customers=100_000, categories=500, products=10_000, variants=5, orders=100_000, lines=3)
    kind = sample_kinds(scale=scale)["orders"]
    found = [kind.generate(7, index, 100_000) for index in range(99_000, 100_000, 37)]
    assert {len(row["lineItems"]) for row in found} == {3}
    for index, row in zip(range(99_000, 100_000, 37), found, strict=True):
        if "orderNumber" in row:
            assert list(kind.locate["orderNumber"](row["orderNumber"], 100_000)) == [index]
        for reference in row.get("paymentInfo", {"payments": []})["payments"]:
            assert list(kind.locate["paymentInfo.payments.id"](reference["id"], 100_000)) == [index]
    assert [orders.index_of_number(text, 100) for text in ("", "ORD-0000100", "ORD-1", "OLD/8 №", "x")] == [None] * 5


def test_without_customers_all_are_guests_and_without_products_all_products_are_gone() -> None:
    """A sample of orders alone is possible."""
    scale = Scale(customers=0, categories=0, products=0, orders=50)
    found = [order(7, index, 50, scale) for index in range(50)]
    assert all("customerId" not in row for row in found)
    assert len({line["productId"] for row in found for line in row["lineItems"]}) == 1


def test_an_order_depends_on_seed_index_and_scale_only() -> None:
    """The same again, another for another seed; its head and its plan say the same."""
    whole = order(7, 5, 500, DEMO)
    assert whole == order(7, 5, 500, DEMO)
    assert whole["id"] != order(8, 5, 500, DEMO)["id"]
    assert head("order", 7, 5, 500) == {name: whole[name] for name in ("id", "version", "createdAt", "lastModifiedAt")}
    assert plan(7, 5, DEMO).total == whole["totalPrice"]["centAmount"]


@pytest.mark.parametrize("wrong", [{"orders": -1}, {"variants": 0}, {"lines": -2}, {"customers": 1, "malformed_emails": 2}])
def test_impossible_scales_are_refused(wrong: dict[str, int]) -> None:
    """Negative numbers, products without variants, orders without lines."""
    with pytest.raises(ValueError, match=r"negative|at least one"):
        Scale(**wrong)
