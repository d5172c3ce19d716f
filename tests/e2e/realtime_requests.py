"""Klaviyo's requests for events and the catalog as tests write them down, and the further resources that lead to them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.launch import KLAVIYO_KEY
from shared.klaviyo.catalog import compound_id
from tests.e2e.realtime_resources import money
from tests.e2e.realtime_world import AT, HTTP, Sent, World

ITEMS, VARIANTS, CATEGORIES = "/api/catalog-items", "/api/catalog-variants", "/api/catalog-categories"
OLDER_SCOPES = ("view_orders", "view_published_products", "view_products", "view_customers", "view_payments")
"""What the older product asks for (reference.md 4.3)."""
GRANTED = ("manage_project", *OLDER_SCOPES)
"""What the API client of these tests has; without `CT_SCOPES` it gets all of it."""
_NEW = {"integration_type": "$custom", "catalog_type": "$default"}
UNKNOWN_STOCK = {"inventory_policy": 2, "inventory_quantity": 1_000_000}
"""What is sent where nothing is known of the stock (mapping.md "Stock")."""

ALL_WE_WRITE = "title,description,sku,inventory_policy,inventory_quantity,price,url,image_full_url,custom_metadata,published"
"""What is looked up of variants, so that those that are as they are to be are not written again."""


def scopes(*names: str) -> str:
    """The value of `CT_SCOPES`."""
    return " ".join(f"{name}:sandbox" for name in names)


def in_stock(quantity: int) -> dict[str, int]:
    """Tracked stock of so many pieces."""
    return {"inventory_policy": 1, "inventory_quantity": quantity}


def later(time: str, seconds: int) -> str:
    """An ISO time in UTC with milliseconds, so many seconds later."""
    moment = datetime.fromisoformat(time) + timedelta(seconds=seconds)
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def event(
    metric: str,
    profile: Mapping[str, Any],
    unique_id: str,
    time: str,
    value: float,
    properties: Mapping[str, Any],
    currency: str = "EUR",
) -> Sent:
    """The request that records an event."""
    attributes = {
        "metric": {"data": {"type": "metric", "attributes": {"name": metric}}},
        "profile": {"data": {"type": "profile", "attributes": dict(profile)}},
        "unique_id": unique_id,
        "time": time,
        "value": value,
        "value_currency": currency,
        "properties": dict(properties),
    }
    return Sent("POST", "/api/events", 202, {"data": {"type": "event", "attributes": attributes}})


def said(sent: Sent) -> dict[str, Any]:
    """The attributes in the body of a request."""
    attributes: dict[str, Any] = sent.body["data"]["attributes"]
    return attributes


def metric_of(sent: Sent) -> str:
    """The metric of an event's request."""
    name: str = said(sent)["metric"]["data"]["attributes"]["name"]
    return name


def in_any_order(sent: Iterable[Sent]) -> list[Sent]:
    """Requests that go at the same time, in an order of their own."""
    return sorted(sent, key=repr)


def first_then_rest(sent: Sequence[Sent]) -> list[Sent]:
    """The first request first, and the others, which go at the same time, in an order of their own."""
    return [*sent[:1], *in_any_order(sent[1:])]


def item_of(line: Mapping[str, Any], categories: Iterable[str] = (), **more: Any) -> dict[str, Any]:
    """A line item's element of `Items`."""
    quantity, cents = line["quantity"], line["price"]["value"]["centAmount"]
    return {
        "ProductID": line["productId"],
        "VariantID": line["variant"]["sku"],
        "SKU": line["variant"]["sku"],
        "ProductName": line["name"]["en"],
        "Quantity": quantity,
        "ItemPrice": cents / 100,
        "RowTotal": cents * quantity / 100,
        "Categories": list(categories),
        **more,
    }


def order_properties(order: Mapping[str, Any], *items: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The properties that events of an order have at least."""
    categories = dict.fromkeys(path for item in items for path in item["Categories"])
    names = dict.fromkeys(line["name"]["en"] for line in (*order["lineItems"], *order["customLineItems"]))
    brands = dict.fromkeys(item["Brand"] for item in items if "Brand" in item)
    return {
        "OrderId": order["id"],
        "Categories": list(categories),
        "ItemNames": list(names),
        "Brands": list(brands),
        "DiscountCodes": [],
        "DiscountValue": 0,
        "Items": [dict(item) for item in items],
        **more,
    }


def line_properties(order: Mapping[str, Any], item: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The properties of Ordered Product."""
    return {"OrderId": order["id"], **{name: value for name, value in item.items() if name != "RowTotal"}, **more}


def stored(sent: Sent, profile: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The event in Klaviyo after this request; `profile`: whose it is, if that has other identifiers than the request."""
    attributes = said(sent)
    who = attributes["profile"]["data"]["attributes"] if profile is None else profile
    return {
        "external_id": who.get("external_id"),
        "email": who.get("email"),
        "metric": metric_of(sent),
        "unique_id": attributes["unique_id"],
        "time": int(datetime.fromisoformat(attributes["time"]).timestamp()),
        "value": attributes["value"],
        "value_currency": attributes["value_currency"],
        "backfill": False,
        "properties": attributes["properties"],
    }


def check_events(world: World, *expected: Sent) -> None:
    """Exactly these events were sent, the first one before the others, and Klaviyo has each of them."""
    assert first_then_rest(world.sent()) == first_then_rest(expected)
    assert sorted(world.events(), key=repr) == sorted(map(stored, expected), key=repr)


def adjusted(world: World) -> list[str] | None:
    """What the log says was left out, of the one notification since the last look."""
    (line,) = world.logged("notification handled")
    found: list[str] | None = line["adjusted"]
    return found


def transaction(kind: str, cents: int, state: str = "Success", **different: Any) -> dict[str, Any]:
    """A transaction of a payment."""
    return {"id": str(uuid.uuid4()), "timestamp": AT, "type": kind, "amount": money(cents), "state": state, **different}


def payment(*transactions: Mapping[str, Any]) -> dict[str, Any]:
    """A payment with these transactions."""
    return {
        "amountPlanned": money(0),
        "paymentMethodInfo": {},
        "transactions": [*transactions],
        "interfaceInteractions": [],
    }


def price(cents: int, currency: str = "EUR", **different: Any) -> dict[str, Any]:
    """A price of a variant; `channel` and `customerGroup` are given by their ids."""
    for name, type_id in (("channel", "channel"), ("customerGroup", "customer-group")):
        if name in different:
            different[name] = {"typeId": type_id, "id": different[name]}
    return {"id": str(uuid.uuid4()), "value": money(cents, currency), **different}


def entry(sku: str, available: int, channel_id: str = "") -> dict[str, Any]:
    """An inventory entry of a SKU."""
    channel = {"supplyChannel": {"typeId": "channel", "id": channel_id}} if channel_id else {}
    return {"sku": sku, "quantityOnStock": available, "availableQuantity": available, **channel}


def texts(name: str, slug: str | None = None) -> dict[str, str]:
    """`custom_metadata` of a product that has an English name and slug and no prices."""
    shown = name.lower().replace(" ", "-") if slug is None else slug
    return {"title_json": f'{{"title_en":"{name}"}}', "slug_json": f'{{"slug_en":"{shown}"}}'}


def shown(title: str, **different: Any) -> dict[str, Any]:
    """The attributes that an item and its variants have in common."""
    return {
        "title": title,
        "description": "",
        "url": "None",
        "price": 0,
        "custom_metadata": texts(title),
        "published": True,
        **different,
    }


def list_variants(product_id: str, status: int = 200, fields: str = ALL_WE_WRITE, **cursor: str) -> Sent:
    """The look-up of an item's variants; `status` 404 when Klaviyo has no such item."""
    query = {"fields[catalog-variant]": fields, "page[size]": "100", **cursor}
    return Sent("GET", f"{ITEMS}/{compound_id(product_id)}/variants", status, query=query)


def post_item(product_id: str, attributes: Mapping[str, Any], categories: Iterable[str] = (), status: int = 201) -> Sent:
    """The creation of an item."""
    row = {"type": "catalog-item", "attributes": {"external_id": product_id, **_NEW, **attributes}, **_links(categories)}
    return Sent("POST", ITEMS, status, {"data": row})


def patch_item(product_id: str, attributes: Mapping[str, Any], categories: Iterable[str] = (), status: int = 200) -> Sent:
    """The update of an item."""
    row = {**_reference("item", product_id), "attributes": dict(attributes), **_links(categories)}
    return Sent("PATCH", f"{ITEMS}/{compound_id(product_id)}", status, {"data": row})


def post_variant(product_id: str, sku: str, attributes: Mapping[str, Any], status: int = 201) -> Sent:
    """The creation of a variant."""
    row = {
        "type": "catalog-variant",
        "attributes": {"external_id": sku, **_NEW, "sku": sku, **attributes},
        "relationships": {"item": {"data": _reference("item", product_id)}},
    }
    return Sent("POST", VARIANTS, status, {"data": row})


def patch_variant(sku: str, attributes: Mapping[str, Any], status: int = 200) -> Sent:
    """The update of some attributes of a variant."""
    row = {**_reference("variant", sku), "attributes": dict(attributes)}
    return Sent("PATCH", f"{VARIANTS}/{compound_id(sku)}", status, {"data": row})


def hide_item(product_id: str, status: int = 200) -> Sent:
    """An item that is not published any more."""
    row = {**_reference("item", product_id), "attributes": {"published": False}}
    return Sent("PATCH", f"{ITEMS}/{compound_id(product_id)}", status, {"data": row})


def delete(collection: str, external_id: str, status: int = 204) -> Sent:
    """The deletion of an object of the catalog."""
    return Sent("DELETE", f"{collection}/{compound_id(external_id)}", status)


def find_categories(*category_ids: str) -> Sent:
    """The look-up of categories' names."""
    ids = ",".join(f'"{compound_id(category_id)}"' for category_id in category_ids)
    query = {"filter": f"any(ids,[{ids}])", "fields[catalog-category]": "name", "page[size]": "100"}
    return Sent("GET", CATEGORIES, 200, query=query)


def post_category(category_id: str, name: str, status: int = 201) -> Sent:
    """The creation of a category."""
    row = {"type": "catalog-category", "attributes": {"external_id": category_id, **_NEW, "name": name}}
    return Sent("POST", CATEGORIES, status, {"data": row})


def rename_category(category_id: str, name: str, status: int = 200) -> Sent:
    """The update of a category."""
    row = {**_reference("category", category_id), "attributes": {"name": name}}
    return Sent("PATCH", f"{CATEGORIES}/{compound_id(category_id)}", status, {"data": row})


def has_item(world: World, product_id: str, title: str = "Old", categories: Iterable[str] = ()) -> None:
    """An item in Klaviyo beforehand."""
    world.klaviyo_has(ITEMS, post_item(product_id, shown(title), categories).body["data"])


def has_variant(world: World, product_id: str, sku: str, **different: Any) -> None:
    """A variant in Klaviyo beforehand, with 5 pieces."""
    attributes = {**shown("Old"), **in_stock(5), **different}
    world.klaviyo_has(VARIANTS, post_variant(product_id, sku, attributes).body["data"])


def has_category(world: World, category_id: str, name: str) -> None:
    """A category in Klaviyo beforehand."""
    world.klaviyo_has(CATEGORIES, post_category(category_id, name).body["data"])


@contextmanager
def much_is_prepared(world: World) -> Iterator[None]:
    """Klaviyo counts no requests as long as the context lasts."""
    world.klaviyo_settings(rate_limits=False)
    yield
    world.klaviyo_settings(rate_limits=True)


def klaviyo_loses(world: World, collection: str, external_id: str) -> None:
    """Somebody else deletes an object of Klaviyo's catalog."""
    headers = {"Authorization": f"Klaviyo-API-Key {KLAVIYO_KEY}", "revision": "2026-07-15"}
    answer = HTTP.delete(f"{world.klaviyo_url}{collection}/{compound_id(external_id)}", headers=headers)
    assert answer.status_code == 204


def _reference(kind: str, external_id: str) -> dict[str, Any]:
    return {"type": f"catalog-{kind}", "id": compound_id(external_id)}


def _links(categories: Iterable[str]) -> dict[str, Any]:
    return {"relationships": {"categories": {"data": [_reference("category", category_id) for category_id in categories]}}}
