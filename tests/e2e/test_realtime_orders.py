"""Orders (cases 36 to 51, 57, 58): what events they become, when, and for whom.

Differences from the older product that run through all of them: `value_currency` and Klaviyo's own property names are always
there, raw commercetools fields only where they are wanted (mapping.md "Properties"); products are looked up first and
categories then, and both are kept for a while; Placed Order goes first, its lines then at the same time.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.notifications import messages
from sandbox.notifications.platform import without_payload
from tests.e2e.realtime_requests import (
    adjusted,
    check_events,
    event,
    first_then_rest,
    item_of,
    later,
    line_properties,
    metric_of,
    order_properties,
    said,
    scopes,
)
from tests.e2e.realtime_resources import category, line, money, order, product, variant
from tests.e2e.realtime_world import AT, HTTP, Sent, World, stamp, upsert

GUEST = "guest@example.com"
LOOKED_UP = {"GET products 200": 1, "GET categories 200": 1}
ADDRESS = {
    "country": "IT",
    "firstName": "Roxana",
    "lastName": "Doe",
    "streetNumber": "23",
    "streetName": "High Road",
    "city": "London",
    "region": "Lazio",
    "postalCode": "00118",
    "phone": "+39 06 7934 9010",
}
LOCATION = {"address1": "23, High Road", "city": "London", "country": "IT", "region": "Lazio", "zip": "00118"}
SHOWN_ADDRESS = {
    "FirstName": "Roxana",
    "LastName": "Doe",
    "Address1": "23, High Road",
    "City": "London",
    "RegionCode": "Lazio",
    "CountryCode": "IT",
    "Zip": "00118",
    "Phone": "+39 06 7934 9010",
}


def _line(world: World, name: str = "Shirt", cents: int = 1300, **different: Any) -> dict[str, Any]:
    """A line item of a product that does not exist (any more)."""
    return line(name, world.new_id(), cents, **different)


def _buyer(held: dict[str, Any]) -> dict[str, str]:
    """The profile that an order's events name at least."""
    names = {"external_id": "customerId", "email": "customerEmail"}
    return {identifier: held[name] for identifier, name in names.items() if held.get(name)}


def _placed(held: dict[str, Any], *items: dict[str, Any], profile: dict[str, Any] | None = None, **more: Any) -> list[Sent]:
    """Placed Order and Ordered Product for each line; `more` are further properties of Placed Order."""
    total = held["totalPrice"]
    value, currency = total["centAmount"] / 10 ** total["fractionDigits"], total["currencyCode"]
    buyer, created = _buyer(held), held["createdAt"]
    placed = event("Placed Order", profile or buyer, held["id"], created, value, order_properties(held, *items, **more), currency)
    lines = [
        event("Ordered Product", buyer, row["id"], later(created, 1), item["RowTotal"], line_properties(held, item), currency)
        for row, item in zip(held["lineItems"], items, strict=True)
    ]
    return [placed, *lines]


def _whole(metric: str, held: dict[str, Any], time: str, **more: Any) -> Sent:
    """Fulfilled Order or Cancelled Order."""
    items = [item_of(row) for row in held["lineItems"]]
    value = held["totalPrice"]["centAmount"] / 100
    return event(metric, _buyer(held), held["id"], time, value, order_properties(held, *items, **more))


def _created(world: World, held: dict[str, Any], type_: str = "OrderCreated", status: int = 204) -> None:
    assert world.deliver(messages.order_placed(held, stamp(), type_)).status == status


def _orders(world: World) -> list[tuple[str, str | None, str | None]]:
    """Every Placed Order in Klaviyo: the order, and whose it is; twice the same order would be twice the revenue."""
    placed = [kept for kept in world.events() if kept["metric"] == "Placed Order"]
    return [(kept["unique_id"], kept["external_id"], kept["email"]) for kept in placed]


def test_an_open_order_is_placed_and_each_line_is_an_ordered_product(world: World) -> None:
    """Case 36: value 13 EUR, unique ids of order and line, the lines one second later, ItemNames, Categories; and Items."""
    shown = world.put("categories", **category("Test Category 1"))
    bought = world.put("products", **product("Shirt", variant(1, "s-1"), categories=[{"typeId": "category", "id": shown["id"]}]))
    held = world.put("orders", **order(line("Shirt", bought["id"], 1300), customerId=world.new_id()))
    _created(world, held)
    expected = _placed(held, item_of(held["lineItems"][0], ["Test Category 1"]))
    assert said(expected[0])["profile"]["data"]["attributes"] == {"external_id": held["customerId"], "email": GUEST}
    check_events(world, *expected)
    assert world.reads() == {**LOOKED_UP, "GET customers 200": 1}
    assert world.outcomes() == [("OrderCreated", "done", None)]
    assert adjusted(world) is None


def test_the_events_of_a_customer_carry_the_customers_own_email(world: World) -> None:
    """Case 36: our own: an event writes its e-mail into the profile, and the one in an order may be out of date."""
    ada = world.put("customers", email="Ada@Example.com")
    held = world.put("orders", **order(_line(world), customerId=ada["id"], customerEmail="old@example.com"))
    _created(world, held)
    check_events(world, *_placed({**held, "customerEmail": "ada@example.com"}, item_of(held["lineItems"][0])))
    assert world.profiles() == [{"external_id": ada["id"], "email": "ada@example.com"}]


def test_everything_of_an_order_has_klaviyos_name(world: World) -> None:
    """Case 36: our own: all of mapping.md "Properties" that an order can give."""
    dressed = world.having(PRODUCT_URL_TEMPLATE="https://shop.example.com/p/{{productSlug}}")
    attributes = [{"name": "brand", "value": "Nord"}]
    bought = dressed.put("products", **product("Shirt", variant(1, "s-1"), attributes=attributes))
    group = dressed.put("customer-groups", key="gold", name="Gold")
    code = dressed.put("discount-codes", code="SPRING", isActive=True)
    sold = variant(
        1,
        "s-1",
        attributes=[{"name": "colour", "value": {"key": "r", "label": {"en": "Red"}}}, {"name": "size", "value": 42}],
        images=[{"url": "https://images.example.com/1.jpg", "dimensions": {"w": 1, "h": 1}}],
    )
    discounted = {"quantity": 2, "discountedPrice": {"value": money(1200), "includedDiscounts": [_discount(100)]}}
    row = line(
        "Shirt",
        bought["id"],
        1300,
        2,
        variant=sold,
        productSlug={"en": "shirt"},
        totalPrice=money(2400),
        discountedPricePerQuantity=[discounted],
    )
    tracked = {"trackingId": "T-1", "carrier": "DHL"}
    held = dressed.put(
        "orders",
        **order(
            row,
            orderNumber="O-17",
            store={"typeId": "store", "key": "rome"},
            country="IT",
            customerGroup={"typeId": "customer-group", "id": group["id"]},
            discountCodes=[{"discountCode": {"typeId": "discount-code", "id": code["id"]}, "state": "MatchesCart"}],
            billingAddress=ADDRESS,
            shippingAddress={**ADDRESS, "city": "Rome"},
            shippingInfo={
                "shippingMethodName": "Express",
                "price": money(0),
                "deliveries": [{"id": "d", "createdAt": AT, "items": [], "parcels": [{"id": "p", "trackingData": tracked}]}],
            },
            custom={"type": {"typeId": "type", "id": dressed.new_id()}, "fields": {"gift": False, "note": ""}},
        ),
    )
    _created(dressed, held)
    item = item_of(row, Brand="Nord", RowTotal=24, ProductURL="https://shop.example.com/p/shirt")
    item["ImageURL"] = "https://images.example.com/1.jpg"
    properties = order_properties(
        held,
        item,
        OrderNumber="O-17",
        DiscountCodes=["SPRING"],
        DiscountCode="SPRING",
        DiscountValue=2,
        ShippingMethod="Express",
        Store="rome",
        Country="IT",
        CustomerGroup="Gold",
        BillingAddress=SHOWN_ADDRESS,
        ShippingAddress={**SHOWN_ADDRESS, "City": "Rome"},
        TrackingNumber="T-1",
        Carrier="DHL",
        gift=False,
        note="",
    )
    placing = {"email": GUEST, "phone_number": "+390679349010", "first_name": "Roxana", "last_name": "Doe", "location": LOCATION}
    created = held["createdAt"]
    placed = event("Placed Order", placing, held["id"], created, 24, properties)
    ordered = event(
        "Ordered Product",
        {"email": GUEST},
        row["id"],
        later(created, 1),
        24,
        line_properties(held, item, colour="Red", size=42),
    )
    check_events(dressed, placed, ordered)
    assert dressed.profiles() == [placing]


def _discount(cents: int) -> dict[str, Any]:
    return {"discount": {"typeId": "cart-discount", "id": World.new_id()}, "discountedAmount": money(cents)}


@pytest.mark.parametrize("state", ["Confirmed", "Complete", "Cancelled"])
def test_an_order_that_is_created_in_another_state_is_ignored(world: World, state: str) -> None:
    """Case 37: not in `placedOrder`: 204 and no call of either side."""
    held = world.put("orders", **order(_line(world), orderState=state))
    _created(world, held)
    assert (world.sent(), world.reads()) == ([], {})
    assert world.outcomes() == [("OrderCreated", "skipped", "order_state")]


def test_the_state_inside_the_notification_counts_not_the_one_since(world: World) -> None:
    """Case 37: an order that is complete by the time its creation is heard of is placed all the same."""
    held = world.put("orders", **order(_line(world)))
    world.change("orders", held["id"], orderState="Complete")
    _created(world, held)
    check_events(world, *_placed(held, item_of(held["lineItems"][0])))


def test_the_states_in_which_an_order_is_placed_are_configured(world: World) -> None:
    """Case 37: `order.states.created.placedOrder`."""
    confirming = world.having({"order": {"states": {"created": {"placedOrder": ["Confirmed"]}}}})
    for state, metrics in (("Open", []), ("Confirmed", ["Placed Order", "Ordered Product"])):
        held = confirming.put("orders", **order(_line(confirming), orderState=state))
        _created(confirming, held)
        assert [metric_of(sent) for sent in confirming.sent()] == metrics


def test_an_order_of_nobody_is_ignored(world: World) -> None:
    """Case 38: neither e-mail nor customer: 204, no call of Klaviyo, and the reason."""
    held = world.put("orders", **order(_line(world), customerEmail=None))
    _created(world, held)
    assert world.sent() == []
    assert world.outcomes() == [("OrderCreated", "skipped", "no_identity")]


@pytest.mark.parametrize("type_", ["OrderCreated", "OrderCreatedFromRecurringOrder", "OrderImported"])
def test_an_order_whose_payload_was_left_out_is_read_and_its_state_checked(world: World, type_: str) -> None:
    """Case 39: GET order; a state of any list counts, and what happened since is sent as well; Case 41: so is OrderImported."""
    ended = world.put("orders", **order(_line(world), orderState="Confirmed"))
    assert world.deliver(without_payload(messages.order_placed(ended, stamp(), type_))).status == 204
    assert world.outcomes() == [(type_, "skipped", "order_state")]
    assert world.sent() == []
    for state, further in (("Open", None), ("Complete", "Fulfilled Order"), ("Cancelled", "Cancelled Order")):
        held = world.put("orders", **order(_line(world), orderState=state))
        assert world.deliver(without_payload(messages.order_placed(held, stamp(), type_))).status == 204
        expected = _placed(held, item_of(held["lineItems"][0]))
        if further:
            expected.append(_whole(further, held, held["lastModifiedAt"]))
        assert first_then_rest(world.sent()) == first_then_rest(expected)
        assert world.reads() == {"GET orders/{id} 200": 1, "GET products 200": 1}


def test_an_imported_order_is_placed(world: World) -> None:
    """Case 41: as OrderCreated, from the embedded order."""
    held = world.put("orders", **order(_line(world)))
    _created(world, held, "OrderImported")
    check_events(world, *_placed(held, item_of(held["lineItems"][0])))
    assert world.reads() == {"GET products 200": 1}


@pytest.mark.parametrize(
    ("fields", "metric", "time"),
    [
        pytest.param({"orderState": "Complete"}, "Fulfilled Order", "", id="complete"),
        pytest.param({"orderState": "Complete", "completedAt": AT}, "Fulfilled Order", AT, id="complete with its moment"),
        pytest.param({"shipmentState": "Delivered"}, "Fulfilled Order", "", id="open and delivered"),
        pytest.param(
            {
                "orderState": "Complete",
                "completedAt": AT,
                "shippingInfo": {
                    "price": money(0),
                    "deliveries": [{"id": "d", "createdAt": "2026-09-20T08:00:00.000Z", "items": [], "parcels": []}],
                },
            },
            "Fulfilled Order",
            "2026-09-20T08:00:00.000Z",
            id="complete with a delivery",
        ),
        pytest.param({"orderState": "Cancelled"}, "Cancelled Order", "", id="cancelled"),
    ],
)
def test_an_imported_order_brings_what_happened_to_it_before(
    world: World, fields: dict[str, Any], metric: str, time: str
) -> None:
    """Case 41: our own: one that is fulfilled or cancelled is placed and that as well, at the moment that it tells."""
    held = world.put("orders", **order(_line(world), **fields))
    _created(world, held, "OrderImported")
    further = _whole(metric, held, time or held["lastModifiedAt"])
    check_events(world, *_placed(held, item_of(held["lineItems"][0])), further)


def test_a_confirmed_imported_order_is_in_no_list_and_ignored(world: World) -> None:
    """Case 41: a state that nobody has listed says neither that it was placed nor what else."""
    _created(world, world.put("orders", **order(_line(world), orderState="Confirmed")), "OrderImported")
    assert world.sent() == []
    assert world.outcomes() == [("OrderImported", "skipped", "order_state")]


def test_categories_are_all_breadcrumbs_of_the_ordered_products(world: World) -> None:
    """Case 42: Women > Pants > Jeans: the three prefixes, each once, for two products of overlapping trees."""
    women = world.put("categories", **category("Women"))
    pants = world.put("categories", **category("Pants", women["id"]))
    jeans = world.put("categories", **category("Jeans", women["id"], pants["id"]))
    links = [[{"typeId": "category", "id": held["id"]}] for held in (jeans, pants)]
    products = [world.put("products", **product("x", variant(1, "s"), categories=linked)) for linked in links]
    held = world.put("orders", **order(*(line("Jeans", bought["id"], 1000) for bought in products)))
    _created(world, held)
    whole = ["Women", "Women > Pants", "Women > Pants > Jeans"]
    items = [item_of(row, paths) for row, paths in zip(held["lineItems"], (whole, whole[:2]), strict=True)]
    expected = _placed(held, *items)
    assert said(expected[0])["properties"]["Categories"] == whole
    check_events(world, *expected)
    assert world.reads() == LOOKED_UP


def test_item_names_are_each_there_once_custom_ones_too(world: World) -> None:
    """Case 43: two lines of the same name and a custom line item, which is no Ordered Product."""
    custom = {"id": world.new_id(), "name": {"en": "Gift wrap"}, "quantity": 1, "totalPrice": money(200), "slug": "wrap"}
    held = world.put("orders", **order(_line(world), _line(world), customLineItems=[custom], totalPrice=money(2800)))
    _created(world, held)
    expected = _placed(held, *map(item_of, held["lineItems"]))
    assert said(expected[0])["properties"]["ItemNames"] == ["Shirt", "Gift wrap"]
    assert len(expected) == 3
    check_events(world, *expected)


@pytest.mark.parametrize("guest", [True, False], ids=["guest", "customer"])
def test_the_billing_address_is_the_location_of_placed_order_alone(world: World, guest: bool) -> None:
    """Case 44: not of Ordered Product. Our own: a guest's names and phone are sent as well; a customer's are the customer's."""
    fields = {} if guest else {"customerId": world.new_id()}
    held = world.put("orders", **order(_line(world), billingAddress=ADDRESS, **fields))
    _created(world, held)
    person = {"phone_number": "+390679349010", "first_name": "Roxana", "last_name": "Doe"} if guest else {}
    profile = {**_buyer(held), **person, "location": LOCATION}
    expected = _placed(held, item_of(held["lineItems"][0]), profile=profile, BillingAddress=SHOWN_ADDRESS)
    assert "location" not in said(expected[1])["profile"]["data"]["attributes"]
    check_events(world, *expected)


def test_a_guest_whose_phone_klaviyo_refuses_is_sent_without_it(world: World) -> None:
    """Case 44: our own: the order is not lost to its buyer's phone number."""
    world.klaviyo_settings(unsupported_phone_prefixes=["+39"])
    held = world.put("orders", **order(_line(world), billingAddress=ADDRESS))
    _created(world, held)
    assert [(metric_of(sent), sent.status) for sent in world.sent()] == [
        ("Placed Order", 400),
        ("Placed Order", 202),
        ("Ordered Product", 202),
    ]
    assert adjusted(world) == ["phone_refused"]


OLDER_RULES = {
    "include": ["customerId", "customerEmail", "id", "createdAt", "lineItems", "customLineItems", "totalPrice", "orderState"],
    "exclude": ["orderState"],
    "map": {"id": "orderId", "lineItems": "items", "customLineItems": "customItems"},
}


def test_the_rules_of_an_older_configuration_give_the_raw_fields_that_its_templates_read(world: World) -> None:
    """Case 45: `order.properties` includes, excludes and renames top-level fields, and so brings the raw order; Klaviyo's own
    names are there beside it, and Ordered Product has the raw line item.
    """
    moved = world.having({"order": {"properties": OLDER_RULES}})
    held = moved.put("orders", **order(_line(moved), customerId=moved.new_id()))
    _created(moved, held)
    (row,) = held["lineItems"]
    raw = {
        "customerId": held["customerId"],
        "customerEmail": GUEST,
        "orderId": held["id"],
        "createdAt": held["createdAt"],
        "items": held["lineItems"],
        "customItems": [],
        "totalPrice": money(1300),
    }
    item = item_of(row)
    placed, _ = _placed(held, item, **raw)
    properties = {**row, **line_properties(held, item)}
    ordered = event("Ordered Product", _buyer(held), row["id"], later(held["createdAt"], 1), 13, properties)
    check_events(moved, placed, ordered)


def test_the_raw_fields_are_there_as_well_when_the_order_is_read(world: World) -> None:
    """Case 45: for the state of an order and for what came without payload."""
    moved = world.having({"order": {"properties": OLDER_RULES}})
    held = moved.put("orders", **order(_line(moved), orderState="Complete"))
    assert moved.deliver(messages.order_state_changed(held, "Open", stamp())).status == 204
    assert moved.deliver(without_payload(messages.order_placed(held, stamp()))).status == 204
    for sent in moved.sent():
        raw = {"variant": held["lineItems"][0]["variant"]} if metric_of(sent) == "Ordered Product" else {"orderId": held["id"]}
        assert raw.items() <= said(sent)["properties"].items()


def test_without_rules_no_raw_field_is_sent(world: World) -> None:
    """Case 45: our own default: no addresses, references and cent amounts of the raw order; custom fields are sent."""
    custom = {"type": {"typeId": "type", "id": world.new_id()}, "fields": {"gift": True}}
    held = world.put("orders", **order(_line(world), anonymousId="a-17", custom=custom))
    _created(world, held)
    check_events(world, *_placed(held, item_of(held["lineItems"][0]), gift=True))


def test_metrics_are_named_as_configured(world: World) -> None:
    """Case 45: `order.metrics`."""
    names = {"placedOrder": "Bestellung", "orderedProduct": "Bestellter Artikel", "cancelledOrder": "Storno"}
    named = world.having({"order": {"metrics": names}})
    held = named.put("orders", **order(_line(named), orderState="Cancelled"))
    _created(named, held, "OrderImported")
    assert sorted(metric_of(sent) for sent in named.sent()) == sorted(names.values())


def test_an_order_goes_without_what_cannot_be_looked_up(world: World) -> None:
    """Case 46: the products cannot be read: the events are sent, Categories empty; our own: that is counted."""
    brief = world.having(REALTIME_DEADLINE_S="5")
    brief.commercetools_fails({"kind": "status", "status": 500, "path": "/sandbox/products"})
    held = brief.put("orders", **order(_line(brief)))
    _created(brief, held)
    check_events(brief, *_placed(held, item_of(held["lineItems"][0])))
    assert adjusted(brief) == ["lookup_failed"]


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 500}, {"kind": "hang", "seconds": 20.0}])
def test_a_second_page_of_products_that_keeps_failing_does_not_hold_the_order_up(world: World, fault: dict[str, Any]) -> None:
    """Case 47: the older product asks for ever; here a part of the time is spent on it, then the events go without.

    A page is of a hundred products.
    """
    brief = world.having(REALTIME_DEADLINE_S="5")
    brief.commercetools_fails({**fault, "path": "/sandbox/products", "skip": 1})
    held = brief.put("orders", **order(*(_line(brief, f"Shirt {number}") for number in range(101))))
    _created(brief, held)
    check_events(brief, *_placed(held, *map(item_of, held["lineItems"])))
    assert adjusted(brief) == ["lookup_failed"]


def test_without_any_product_nothing_is_looked_up(world: World) -> None:
    """Case 46: an order of custom line items alone; the older product asks for products of no id."""
    custom = {"id": world.new_id(), "name": {"en": "Gift card"}, "quantity": 1, "totalPrice": money(500), "slug": "card"}
    held = world.put("orders", **order(customLineItems=[custom], totalPrice=money(500)))
    _created(world, held)
    check_events(world, *_placed(held))
    assert world.reads() == {}


def test_an_api_client_that_may_read_nothing_but_orders_sends_them_all_the_same(world: World) -> None:
    """decisions.md 4: 403 on all that an order refers to: it goes without, counted, named once."""
    with world.fresh(CT_SCOPES=scopes("view_orders")) as narrow:
        for _ in range(2):
            group = {"customerGroup": {"typeId": "customer-group", "id": narrow.new_id()}, "customerId": narrow.new_id()}
            codes = [{"discountCode": {"typeId": "discount-code", "id": narrow.new_id()}, "state": "MatchesCart"}]
            held = narrow.put("orders", **order(_line(narrow), discountCodes=codes, **group))
            _created(narrow, held)
            more = {"CustomerGroup": held["customerGroup"]["id"]}
            assert first_then_rest(narrow.sent()) == first_then_rest(_placed(held, item_of(held["lineItems"][0]), **more))
        named = narrow.function.output.read_text().splitlines()
        message = "the API client may not read something that is optional: going on without it"
        operations = [json.loads(said_)["operation"] for said_ in named if message in said_]
        assert sorted(operations) == ["customer-groups", "customers", "discount-codes", "products"]
        assert adjusted(narrow) == ["lookup_forbidden"]


@pytest.mark.parametrize("with_payload", [True, False], ids=["whole", "payload not included"])
@pytest.mark.parametrize(("state", "metric"), [("Complete", "Fulfilled Order"), ("Cancelled", "Cancelled Order")])
def test_a_state_that_counts_is_an_event(world: World, state: str, metric: str, with_payload: bool) -> None:
    """Case 48: Complete is Fulfilled Order. Case 49: Cancelled is Cancelled Order. The order is read.

    Difference: the time is that of the notification, not of the order's last change.
    """
    held = world.put("orders", **order(_line(world), orderState=state))
    notification = messages.order_state_changed(held, "Open", stamp())
    assert world.deliver(notification if with_payload else without_payload(notification)).status == 204
    check_events(world, _whole(metric, held, AT))
    assert world.reads() == {"GET orders/{id} 200": 1, "GET products 200": 1}


def test_confirmed_is_no_fulfilment_by_default(world: World) -> None:
    """Case 50: Confirmed, then Complete: one event, at the second."""
    held = world.put("orders", **order(_line(world), orderState="Confirmed"))
    assert world.deliver(messages.order_state_changed(held, "Open", stamp())).status == 204
    assert (world.sent(), world.reads()) == ([], {})
    assert world.outcomes() == [("OrderStateChanged", "skipped", "order_state")]
    held = world.change("orders", held["id"], orderState="Complete")
    assert world.deliver(messages.order_state_changed(held, "Confirmed", stamp())).status == 204
    check_events(world, _whole("Fulfilled Order", held, AT))


def test_an_order_is_fulfilled_once_however_often_that_is_said(world: World) -> None:
    """Case 50: the older default: Confirmed and Complete are both fulfilment; so is each shipment state: one event in Klaviyo."""
    older = world.having({"order": {"states": {"changed": {"fulfilledOrder": ["Confirmed", "Complete"]}}}})
    held = older.put("orders", **order(_line(older), orderState="Confirmed"))
    assert older.deliver(messages.order_state_changed(held, "Open", stamp())).status == 204
    first = _whole("Fulfilled Order", held, AT)
    for fields, told in (
        ({"orderState": "Complete"}, lambda now: messages.order_state_changed(now, "Confirmed", stamp())),
        ({"shipmentState": "Shipped"}, lambda now: messages.order_shipment_state_changed(now, None, stamp())),
        ({"shipmentState": "Delivered"}, lambda now: messages.order_shipment_state_changed(now, "Shipped", stamp())),
    ):
        held = older.change("orders", held["id"], meanwhile=True, **fields)
        assert older.deliver(told(held)).status == 204
    assert older.sent() == [first] * 4
    assert [kept["unique_id"] for kept in older.events()] == [held["id"]]


@pytest.mark.parametrize("with_payload", [True, False], ids=["whole", "payload not included"])
@pytest.mark.parametrize(("state", "counts"), [("Shipped", True), ("Delivered", True), ("Ready", False), ("Backorder", False)])
def test_a_shipment_state_may_be_fulfilment(world: World, state: str, counts: bool, with_payload: bool) -> None:
    """Case 48: our own: `order.shipmentStates.fulfilledOrder`."""
    held = world.put("orders", **order(_line(world), shipmentState=state))
    notification = messages.order_shipment_state_changed(held, None, stamp())
    assert world.deliver(notification if with_payload else without_payload(notification)).status == 204
    assert world.sent() == ([_whole("Fulfilled Order", held, AT)] if counts else [])
    outcome = ("done", None) if counts else ("skipped", "order_state")
    assert world.outcomes() == [("OrderShipmentStateChanged", *outcome)]


def test_an_order_that_cannot_be_read_now_comes_again(world: World) -> None:
    """Case 51: commercetools answers 500: 503, not lost as in the older product; delivered again later, the event is there."""
    brief = world.having(REALTIME_DEADLINE_S="1.5")
    held = brief.put("orders", **order(_line(brief), orderState="Complete"))
    message = messages.order_state_changed(held, "Open", stamp())
    brief.commercetools_fails({"kind": "status", "status": 500, "path": "/sandbox/orders"})
    assert brief.deliver(message).status == 503
    assert (brief.sent(), brief.dead_letters()) == ([], [])
    world.commercetools_fails()
    assert world.deliver(message).status == 204
    check_events(world, _whole("Fulfilled Order", held, AT))


def test_an_order_that_is_gone_is_skipped(world: World) -> None:
    """Case 51: 404 is an answer: nothing of it can be sent any more."""
    gone = {"id": world.new_id(), "version": 3, "orderState": "Complete"}
    assert world.deliver(messages.order_state_changed(gone, "Open", stamp())).status == 204
    assert world.sent() == []
    assert world.outcomes() == [("OrderStateChanged", "skipped", "gone")]


def test_the_order_of_a_guest_goes_to_the_profile_with_that_email(world: World) -> None:
    """Case 57: deduplication is on and the profile exists. Difference: Klaviyo finds it by the e-mail, so nobody looks it up, and
    the event needs no id of Klaviyo's.
    """
    deduplicating = world.having({"customer": {"deduplication": {"enabled": True}}})
    profile_id = deduplicating.klaviyo_has_profile(email="GUEST@example.com", first_name="Ada")
    held = deduplicating.put("orders", **order(_line(deduplicating), customerEmail="Guest@Example.com"))
    _created(deduplicating, held)
    expected = _placed({**held, "customerEmail": GUEST}, item_of(held["lineItems"][0]))
    assert first_then_rest(deduplicating.sent()) == first_then_rest(expected)
    assert deduplicating.profiles() == [{"email": GUEST, "first_name": "Ada"}]
    assert (deduplicating.profile(email=GUEST) or {})["id"] == profile_id
    assert _orders(deduplicating) == [(held["id"], None, GUEST)]


def test_what_is_nested_too_deeply_is_trimmed_and_the_order_sent(world: World) -> None:
    """Case 58: Klaviyo takes ten levels; the older product's order is refused and lost. Our own: the loss is counted."""
    nested: dict[str, Any] = {"end": 1}
    for _ in range(14):
        nested = {"in": nested}
    expected: dict[str, Any] = {}
    for _ in range(8):
        expected = {"in": expected}
    custom = {"type": {"typeId": "type", "id": world.new_id()}, "fields": {"nested": nested, "flat": 1}}
    held = world.put("orders", **order(_line(world), custom=custom))
    _created(world, held)
    check_events(world, *_placed(held, item_of(held["lineItems"][0]), nested=expected, flat=1))
    assert adjusted(world) == ["property_trimmed"]


def test_amounts_are_exact_in_every_currency(world: World) -> None:
    """Case 36: our own: yen have no decimals, dinars three, high precision as many as it has; no binary fraction is in a body."""
    yen = {"type": "centPrecision", "currencyCode": "JPY", "centAmount": 12345, "fractionDigits": 0}
    dinar = {"type": "centPrecision", "currencyCode": "KWD", "centAmount": 1234567, "fractionDigits": 3}
    precise = {
        "type": "highPrecision",
        "currencyCode": "EUR",
        "centAmount": 12,
        "preciseAmount": 1234567890123,
        "fractionDigits": 13,
    }
    for amount, value in ((yen, "12345"), (dinar, "1234.567"), (precise, "0.1234567890123")):
        bought = line("Shirt", world.new_id(), 0, 1, price={"id": world.new_id(), "value": amount}, totalPrice=amount)
        held = world.put("orders", **order(bought, totalPrice=amount))
        _created(world, held)
        bodies = [kept["body"] for kept in HTTP.get(f"{world.klaviyo_url}/_sandbox/bodies").json()][-2:]
        for body in bodies:
            assert f'"value":{value},"value_currency":"{amount["currencyCode"]}"' in body
            assert f'"ItemPrice":{value}' in body
        assert f'"RowTotal":{value}' in bodies[0]


def test_an_order_of_three_hundred_lines_fits_the_deadline(world: World) -> None:
    """Our own: 301 requests and three look-ups, each event once, in one delivery."""
    held = world.put("orders", **order(*(_line(world, f"Shirt {number}", 100 + number) for number in range(300))))
    answer = world.deliver(messages.order_placed(held, stamp()))
    assert answer.status == 204
    assert answer.moving_s < 8.5
    check_events(world, *_placed(held, *map(item_of, held["lineItems"])))
    assert world.reads() == {"GET products 200": 3}


# An order gets its identity later (mapping.md "Placed, once"): what the order is like before and after, by what each of the two
# identities is, and to whom it belongs in Klaviyo in the end. `ada` and `bob` are customers, the e-mail is `ada`'s or another's.
NOBODY: dict[str, str] = {}
ADA, BOB = {"customerId": "ada"}, {"customerId": "bob"}
ADAS, OTHERS = {"customerEmail": "ada@example.com"}, {"customerEmail": "other@example.com"}
CONSTELLATIONS = {
    "the first of all is a customer": ("OrderCustomerSet", NOBODY, ADA, "places"),
    "a guest turns out to be a customer": ("OrderCustomerSet", ADAS, ADAS | ADA, "places again"),
    "a guest's order goes to another customer": ("OrderCustomerSet", OTHERS, OTHERS | ADA, "upserts"),
    "a customer's order goes to another one": ("OrderCustomerSet", ADAS | ADA, ADAS | BOB, "upserts"),
    "the customer is taken away": ("OrderCustomerSet", ADAS | ADA, ADAS, "nothing"),
    "the first of all is an e-mail": ("OrderCustomerEmailSet", NOBODY, OTHERS, "places"),
    "a customer's order gets the customer's e-mail": ("OrderCustomerEmailSet", ADA, ADA | ADAS, "places again"),
    "a customer's order gets another e-mail": ("OrderCustomerEmailSet", ADA, ADA | OTHERS, "upserts"),
    "a guest gets another e-mail": ("OrderCustomerEmailSet", ADAS, OTHERS, "nothing"),
    "a customer's order changes its e-mail": ("OrderCustomerEmailSet", ADA | OTHERS, ADA | ADAS, "upserts"),
    "the e-mail is taken away": ("OrderCustomerEmailSet", ADA | ADAS, ADA, "upserts"),
    "the e-mail of a guest is taken away": ("OrderCustomerEmailSet", ADAS, NOBODY, "nothing"),
}


def _customers(world: World) -> dict[str, dict[str, Any]]:
    return {name: world.put("customers", email=f"{name}@example.com") for name in ("ada", "bob")}


def _identity(given: dict[str, str], customers: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """All identity fields of an order, None where it has none."""
    who = given.get("customerId")
    return {"customerId": customers[who]["id"] if who else None, "customerEmail": given.get("customerEmail")}


def _profile_of(customer: dict[str, Any], status: int | None) -> Sent:
    properties = {"isEmailVerified": False, "commercetools_created_at": customer["createdAt"]}
    return upsert({"external_id": customer["id"], "email": customer["email"], "properties": properties}, status or 0)


@pytest.mark.parametrize("with_payload", [True, False], ids=["whole", "payload not included"])
@pytest.mark.parametrize("constellation", CONSTELLATIONS)
def test_an_order_that_gets_its_identity_later_counts_once(world: World, constellation: str, with_payload: bool) -> None:
    """Case 40: OrderCustomerSet and OrderCustomerEmailSet: placed when it cannot have been placed for somebody else, else
    only the customer's profile is written: there is never a second Placed Order of an order in Klaviyo.

    Without the payload the old value is unknown, so an order is placed only where both identities are the same person.
    """
    type_, before, after, what = CONSTELLATIONS[constellation]
    customers = _customers(world)
    first, now = _identity(before, customers), _identity(after, customers)
    fields = order(_line(world)) | first
    held = world.put("orders", **{name: value for name, value in fields.items() if value is not None})
    _created(world, held)
    placed_before = _orders(world)
    assert len(placed_before) == (1 if before else 0)
    held = world.change("orders", held["id"], **now)
    if type_ == "OrderCustomerSet":
        notification = messages.order_customer_set(held, first["customerId"], stamp())
    else:
        notification = messages.order_customer_email_set(held, first["customerEmail"], stamp())
    assert world.deliver(notification if with_payload else without_payload(notification)).status == 204
    same = after in (ADA | ADAS, ADAS | ADA)
    expected = what if with_payload else "places again" if same else "upserts" if now["customerId"] else "nothing"
    if expected in ("places", "places again"):
        owner = next((one["email"] for one in customers.values() if one["id"] == now["customerId"]), now["customerEmail"])
        expected_events = _placed({**held, "customerEmail": owner}, item_of(held["lineItems"][0]))
        assert first_then_rest(world.sent()) == first_then_rest(expected_events)
    elif expected == "upserts":
        (sent,) = world.sent()
        assert sent == _profile_of(next(one for one in customers.values() if one["id"] == now["customerId"]), sent.status)
    else:
        assert world.sent() == []
        assert world.outcomes() == [(type_, "skipped", "order_placed_before")]
    placed_now = _orders(world)
    assert [kept[0] for kept in placed_now] == ([held["id"]] if before or expected.startswith("places") else [])
    assert len([kept for kept in world.events() if kept["metric"] == "Ordered Product"]) == len(placed_now)


@pytest.mark.parametrize("last", ["e-mail", "customer"])
def test_both_identities_of_one_person_in_any_order_of_delivery_count_once(world: World, last: str) -> None:
    """Case 40: both were set before either notification is handled, and the two come in any order, twice."""
    customers = _customers(world)
    ada = customers["ada"]
    nobody = {"customerId": None, "customerEmail": None}
    held = world.put("orders", **order(_line(world), **nobody))
    held = world.change("orders", held["id"], customerId=ada["id"], customerEmail="Ada@Example.com")
    told = [messages.order_customer_set(held, None, stamp()), messages.order_customer_email_set(held, None, stamp())]
    for notification in (told if last == "e-mail" else told[::-1]) * 2:
        assert world.deliver(notification).status == 204
    assert _orders(world) == [(held["id"], ada["id"], "ada@example.com")]


def test_an_identity_that_comes_to_a_finished_order_brings_what_happened_to_it(world: World) -> None:
    """Case 40: an order of nobody was completed; now somebody is known: placed and fulfilled."""
    held = world.put("orders", **order(_line(world), customerEmail=None, orderState="Complete"))
    held = world.change("orders", held["id"], customerEmail=GUEST)
    assert world.deliver(messages.order_customer_email_set(held, None, stamp())).status == 204
    fulfilled = _whole("Fulfilled Order", held, held["lastModifiedAt"])
    check_events(world, *_placed(held, item_of(held["lineItems"][0])), fulfilled)
