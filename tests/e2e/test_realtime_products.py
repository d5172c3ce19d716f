"""Products (cases 63 to 71): the item, then its variants; texts, prices and links; unpublished and deleted ones.

Two differences from the older product run through all of them. Klaviyo's variants are looked up once, and that they answer
404 says that there is no item: there is no look-up of the item. And the product is read before and after the writes
(decisions.md 7): its projection, and the stock of its SKUs.
"""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.notifications import messages
from sandbox.notifications.platform import change, without_payload
from tests.e2e.realtime_requests import (
    ITEMS,
    OLDER_SCOPES,
    UNKNOWN_STOCK,
    VARIANTS,
    adjusted,
    delete,
    entry,
    find_categories,
    has_category,
    has_item,
    has_variant,
    hide_item,
    in_any_order,
    in_stock,
    list_variants,
    much_is_prepared,
    patch_item,
    patch_variant,
    post_category,
    post_item,
    post_variant,
    price,
    said,
    scopes,
    shown,
    texts,
)
from tests.e2e.realtime_resources import category, money, product, projection, variant
from tests.e2e.realtime_world import World, stamp

READ_TWICE = {"GET product-projections/{id} 200": 2, "GET inventory 200": 2}
CHANNEL, OTHER_CHANNEL = "5b1dc8b0-0000-4000-8000-000000000001", "5b1dc8b0-0000-4000-8000-000000000002"
GROUP, OTHER_GROUP = "5b1dc8b0-0000-4000-8000-000000000003", "5b1dc8b0-0000-4000-8000-000000000004"
PAST, LONG_AGO, FUTURE, FAR_FUTURE = (
    "2022-01-01T00:00:00Z",
    "2020-01-01T00:00:00Z",
    "2090-01-01T00:00:00Z",
    "2095-01-01T00:00:00Z",
)


def _sku(world: World) -> str:
    return f"sku-{world.new_id()}"


def _worded(fields: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """A product with other texts."""
    current = {**fields["masterData"]["current"], **given}
    return {**fields, "masterData": {**fields["masterData"], "current": current, "staged": current}}


def _published(world: World, held: dict[str, Any], status: int = 204) -> None:
    assert world.deliver(messages.product_published(held, projection(held), stamp())).status == status


def _unpublish(world: World, held: dict[str, Any]) -> dict[str, Any]:
    return world.change("products", held["id"], masterData={**held["masterData"], "published": False})


def test_a_new_product_is_an_item_and_then_its_variants(world: World) -> None:
    """Case 63: two SKUs: the item is there before its variants are sent, which the older product sent at the same time."""
    one, two = _sku(world), _sku(world)
    held = world.put("products", **product("Linen Shirt", variant(1, one), variant(2, two)))
    _published(world, held)
    attributes = shown("Linen Shirt")
    looked_up, item, *variants = world.sent()
    assert looked_up == list_variants(held["id"], 404)
    assert item == post_item(held["id"], attributes)
    assert in_any_order(variants) == in_any_order(
        post_variant(held["id"], sku, {**attributes, **UNKNOWN_STOCK}) for sku in (one, two)
    )
    assert world.reads() == READ_TWICE
    assert {name: found["item"] for name, found in world.catalog().items()} == {
        ("item", held["id"]): None,
        ("variant", one): held["id"],
        ("variant", two): held["id"],
    }
    assert world.outcomes() == [("ProductPublished", "done", None)]
    assert adjusted(world) == ["price_missing", "stock_unknown"]


def test_everything_of_a_product_has_its_field(world: World) -> None:
    """Case 63: title, description, url, price, images, categories with those above, all texts, all prices, stock."""
    dressed = world.having(PRODUCT_URL_TEMPLATE="https://shop.example.com/p/{{productSlug}}?sku={{sku}}")
    one, two = _sku(dressed), _sku(dressed)
    women = dressed.put("categories", **category("Women"))
    shirts = dressed.put("categories", **category("Shirts", women["id"]))
    for held, name in ((women, "Women"), (shirts, "Women > Shirts")):
        has_category(dressed, held["id"], name)
    dressed.put("inventory", **entry(one, 12))
    dressed.put("inventory", **entry(two, 0))
    texts_of = {
        "name": {"en": "Shirt", "de": "Hemd"},
        "slug": {"en": "shirt", "de": "hemd"},
        "description": {"en": "Of linen."},
    }
    priced = [price(2999), price(1999, country="DE"), price(3500, "USD")]
    first = variant(1, one, prices=priced, images=[{"url": "https://images.example.com/1.jpg", "dimensions": {"w": 1, "h": 1}}])
    second = variant(2, two, prices=[price(2500)])
    links = [{"typeId": "category", "id": shirts["id"]}]
    held = dressed.put("products", **_worded(product("Shirt", first, second, categories=links), texts_of))
    _published(dressed, held)
    names = {
        "title_json": '{"title_en":"Shirt","title_de":"Hemd"}',
        "slug_json": '{"slug_en":"shirt","slug_de":"hemd"}',
    }
    of_first = {
        **names,
        "price_json": '{"price_EUR":29.99,"price_USD":35,"price_DE":19.99}',
        "currency_json": '{"currency_DE":"EUR"}',
    }
    of_second = {**names, "price_json": '{"price_EUR":25}', "currency_json": "{}"}
    image = {"image_full_url": "https://images.example.com/1.jpg"}
    attributes = shown("Shirt", description="Of linen.", price=29.99, custom_metadata=of_first, **image)
    url = "https://shop.example.com/p/shirt?sku="
    looked_up, item, *variants = dressed.sent()
    assert looked_up == list_variants(held["id"], 404)
    assert item == post_item(held["id"], {**attributes, "url": url + one}, [shirts["id"], women["id"]])
    assert in_any_order(variants) == in_any_order(
        [
            post_variant(held["id"], one, {**attributes, "url": url + one, **in_stock(12)}),
            post_variant(
                held["id"], two, {**attributes, "url": url + two, "price": 25, "custom_metadata": of_second, **in_stock(0)}
            ),
        ]
    )
    assert dressed.catalog()["item", held["id"]]["categories"] == sorted([women["id"], shirts["id"]])
    assert adjusted(dressed) is None


def test_a_published_product_that_klaviyo_has_is_brought_to_its_state(world: World) -> None:
    """Case 64: Klaviyo has one SKU too many and lacks one: PATCH item, DELETE the one, POST the other, PATCH the rest."""
    kept, missing, extra = _sku(world), _sku(world), _sku(world)
    held = world.put("products", **product("Shirt", variant(1, kept), variant(2, missing)))
    has_item(world, held["id"])
    has_variant(world, held["id"], kept)
    has_variant(world, held["id"], extra)
    _published(world, held)
    attributes = shown("Shirt")
    looked_up, item, *variants = world.sent()
    assert (looked_up, item) == (list_variants(held["id"]), patch_item(held["id"], attributes))
    assert in_any_order(variants) == in_any_order(
        [
            patch_variant(kept, {"sku": kept, **attributes, **UNKNOWN_STOCK}),
            post_variant(held["id"], missing, {**attributes, **UNKNOWN_STOCK}),
            delete(VARIANTS, extra),
        ]
    )
    found = world.catalog()
    assert found.keys() == {("item", held["id"]), ("variant", kept), ("variant", missing)}
    assert {one["attributes"]["title"] for one in found.values()} == {"Shirt"}


def test_a_variant_without_sku_is_left_out_and_the_rest_goes(world: World) -> None:
    """Case 65: nothing can name it in Klaviyo; that is counted, and the older product's 400 does not happen."""
    sku = _sku(world)
    held = world.put("products", **product("Shirt", variant(1, None), variant(2, sku), variant(3, "  ")))
    _published(world, held)
    attributes = shown("Shirt")
    assert world.sent() == [
        list_variants(held["id"], 404),
        post_item(held["id"], attributes),
        post_variant(held["id"], sku, {**attributes, **UNKNOWN_STOCK}),
    ]
    assert adjusted(world) == ["price_missing", "stock_unknown", "variant_without_sku"]


def test_a_product_that_lost_all_categories_loses_its_links(world: World) -> None:
    """Case 66: the update names no category, which clears what the older product left."""
    sku, old = _sku(world), world.new_id()
    held = world.put("products", **product("Shirt", variant(1, sku)))
    has_category(world, old, "Old")
    has_item(world, held["id"], categories=[old])
    assert world.catalog()["item", held["id"]]["categories"] == [old]
    _published(world, held)
    assert world.sent()[1] == patch_item(held["id"], shown("Shirt"), [])
    assert world.catalog()["item", held["id"]]["categories"] == []


@pytest.mark.parametrize("status", [404, 400])
def test_a_linked_category_that_klaviyo_does_not_know_is_created_first(world: World, status: int) -> None:
    """Not in the older product, which loses the message: the item is refused, its categories are made, the item goes again.

    Klaviyo's documents leave open whether the refusal is a 404 or a 400.
    """
    world.klaviyo_settings(missing_link_status=status)
    sku = _sku(world)
    women = world.put("categories", **category("Women"))
    shirts = world.put("categories", **category("Shirts", women["id"]))
    has_category(world, women["id"], "Women")
    held = world.put("products", **product("Shirt", variant(1, sku), categories=[{"typeId": "category", "id": shirts["id"]}]))
    _published(world, held)
    attributes, links = shown("Shirt"), [shirts["id"], women["id"]]
    assert world.sent() == [
        list_variants(held["id"], 404),
        post_item(held["id"], attributes, links, status=status),
        find_categories(*links),
        post_category(shirts["id"], "Women > Shirts"),
        post_item(held["id"], attributes, links),
        post_variant(held["id"], sku, {**attributes, **UNKNOWN_STOCK}),
    ]
    assert world.catalog()["item", held["id"]]["categories"] == sorted(links)


@pytest.mark.parametrize("status", [404, 400])
def test_a_linked_category_that_nobody_knows_is_left_out(world: World, status: int) -> None:
    """One that is gone from commercetools but still named by the product: the item goes without it, and that is counted."""
    world.klaviyo_settings(missing_link_status=status)
    sku, gone = _sku(world), world.new_id()
    held = world.put("products", **product("Shirt", variant(1, sku), categories=[{"typeId": "category", "id": gone}]))
    has_item(world, held["id"])
    _published(world, held)
    attributes = shown("Shirt")
    assert world.sent() == [
        list_variants(held["id"]),
        patch_item(held["id"], attributes, [gone], status=status),
        find_categories(gone),
        patch_item(held["id"], attributes, []),
        post_variant(held["id"], sku, {**attributes, **UNKNOWN_STOCK}),
    ]
    assert "category_unknown" in (adjusted(world) or [])


@pytest.mark.parametrize("with_payload", [True, False], ids=["whole", "payload not included"])
@pytest.mark.parametrize("item_delete", ["variants_too", "item_only"])
def test_an_unpublished_product_is_deleted_with_its_variants(world: World, item_delete: str, with_payload: bool) -> None:
    """Case 67: our difference: the variants are deleted one by one, whether or not Klaviyo deletes them with their item."""
    world.klaviyo_settings(item_delete=item_delete)
    one, two = _sku(world), _sku(world)
    held = _unpublish(world, world.put("products", **product("Shirt", variant(1, one), variant(2, two))))
    has_item(world, held["id"])
    has_variant(world, held["id"], one)
    has_variant(world, held["id"], two)
    notification = messages.product_unpublished(held, stamp())
    assert world.deliver(notification if with_payload else without_payload(notification)).status == 204
    looked_up, *variants, item = world.sent()
    assert (looked_up, item) == (list_variants(held["id"], fields="id"), delete(ITEMS, held["id"]))
    assert in_any_order(variants) == in_any_order(delete(VARIANTS, sku) for sku in (one, two))
    assert world.catalog() == {}
    assert world.reads() == {"GET product-projections/{id} 404": 2, "GET product-projections 200": 1}  # whose its SKUs are by now


def test_an_unpublished_product_that_klaviyo_does_not_have_is_no_error(world: World) -> None:
    """Case 67: Klaviyo answers 404 to everything: 204, and no dead letter."""
    held = _unpublish(world, world.put("products", **product("Shirt", variant(1, _sku(world)))))
    assert world.deliver(messages.product_unpublished(held, stamp())).status == 204
    assert world.sent() == [list_variants(held["id"], 404, "id"), delete(ITEMS, held["id"], 404)]
    assert world.dead_letters() == []


def test_an_unpublished_product_can_be_hidden_instead(world: World) -> None:
    """Case 67: `product.unpublished: "hide"`: variants and item stay as they are, but are not published any more."""
    hiding = world.having({"product": {"unpublished": "hide"}})
    sku = _sku(hiding)
    held = _unpublish(hiding, hiding.put("products", **product("Shirt", variant(1, sku))))
    has_item(hiding, held["id"])
    has_variant(hiding, held["id"], sku)
    assert hiding.deliver(messages.product_unpublished(held, stamp())).status == 204
    assert hiding.sent() == [
        list_variants(held["id"], fields="published"),
        patch_variant(sku, {"published": False}),
        hide_item(held["id"]),
    ]
    found = hiding.catalog()
    assert {name: one["attributes"]["published"] for name, one in found.items()} == {
        ("item", held["id"]): False,
        ("variant", sku): False,
    }
    assert found["variant", sku]["attributes"]["inventory_quantity"] == 5


def test_a_hidden_product_that_is_published_again_is_shown_again(world: World) -> None:
    """Case 67: the item and its variants are there still, so they are updated; `published` is part of every update."""
    hiding = world.having({"product": {"unpublished": "hide"}})
    sku = _sku(hiding)
    held = _unpublish(hiding, hiding.put("products", **product("Shirt", variant(1, sku))))
    has_item(hiding, held["id"])
    has_variant(hiding, held["id"], sku)
    assert hiding.deliver(messages.product_unpublished(held, stamp())).status == 204
    held = hiding.change("products", held["id"], masterData={**held["masterData"], "published": True})
    _published(hiding, held)
    assert hiding.sent() == [
        list_variants(held["id"]),
        patch_item(held["id"], shown("Shirt")),
        patch_variant(sku, {"sku": sku, **shown("Shirt"), **UNKNOWN_STOCK}),
    ]
    assert all(found["attributes"]["published"] for found in hiding.catalog().values())


def test_a_hidden_product_that_klaviyo_does_not_have_stays_unknown(world: World) -> None:
    """`hide` creates nothing: 404 is fine."""
    hiding = world.having({"product": {"unpublished": "hide"}})
    held = _unpublish(hiding, hiding.put("products", **product("Shirt", variant(1, _sku(hiding)))))
    assert hiding.deliver(messages.product_unpublished(held, stamp())).status == 204
    assert hiding.sent() == [list_variants(held["id"], 404, "published"), hide_item(held["id"], 404)]
    assert (hiding.catalog(), hiding.dead_letters()) == ({}, [])


def test_an_old_notification_that_a_product_was_unpublished_does_not_delete_it(world: World) -> None:
    """State before deltas: the product is published again meanwhile, so it is written as it is."""
    sku = _sku(world)
    held = world.put("products", **product("Shirt", variant(1, sku)))
    assert world.deliver(messages.product_unpublished(held, stamp())).status == 204
    assert world.catalog().keys() == {("item", held["id"]), ("variant", sku)}


def test_an_old_notification_that_a_product_was_published_does_not_bring_it_back(world: World) -> None:
    """The same the other way round: the product does not exist as a published one, so there is nothing to write."""
    held = world.put("products", **product("Shirt", variant(1, _sku(world))))
    _unpublish(world, held)
    _published(world, held)
    assert world.sent() == []
    assert world.outcomes() == [("ProductPublished", "skipped", "gone")]


@pytest.mark.parametrize("known", [True, False], ids=["known to Klaviyo", "unknown to Klaviyo"])
def test_a_deleted_product_is_deleted(world: World, known: bool) -> None:
    """Case 68: by default, where the older product ignores it; only whose its SKUs are by now is read, and 404 is fine."""
    held, sku = {"id": world.new_id(), "version": 4}, _sku(world)
    if known:
        has_item(world, held["id"])
        has_variant(world, held["id"], sku)
    assert world.deliver(change("ResourceDeleted", "product", held, stamp())).status == 204
    if known:
        assert world.sent() == [list_variants(held["id"], fields="id"), delete(VARIANTS, sku), delete(ITEMS, held["id"])]
    else:
        assert world.sent() == [list_variants(held["id"], 404, "id"), delete(ITEMS, held["id"], 404)]
    assert world.reads() == ({"GET product-projections 200": 1} if known else {})
    assert (world.catalog(), world.dead_letters()) == ({}, [])


def test_without_a_template_the_address_is_none(world: World) -> None:
    """Case 69: Klaviyo requires an address, so the literal `None` of the older product stays (mapping.md "Catalog")."""
    held = world.put("products", **product("Shirt", variant(1, _sku(world))))
    _published(world, held)
    assert [said(sent)["url"] for sent in world.sent()[1:]] == ["None", "None"]


def test_the_template_takes_every_token_url_encoded(world: World) -> None:
    """Case 69: slug, id, key and SKU, each as often as it stands there, each encoded."""
    template = "https://shop.example.com/{{productSlug}}/{{productId}}/{{productKey}}?sku={{sku}}&again={{productSlug}}"
    linking = world.having(PRODUCT_URL_TEMPLATE=template)
    one, two = f"a/b {linking.new_id()}", f"ü+{linking.new_id()}"
    fields = product("Shirt", variant(1, one), variant(2, two), slug={"en": "größe & co"})
    held = linking.put("products", **fields, key="k?1")
    _published(linking, held)
    slug = "gr%C3%B6%C3%9Fe%20%26%20co"
    begun = f"https://shop.example.com/{slug}/{held['id']}/k%3F1?sku="
    of_one = f"{begun}a%2Fb%20{one.removeprefix('a/b ')}&again={slug}"
    of_two = f"{begun}%C3%BC%2B{two.removeprefix('ü+')}&again={slug}"
    item, *variants = (said(sent) for sent in linking.sent()[1:])
    assert item["url"] == of_one
    assert {found["sku"]: found["url"] for found in variants} == {one: of_one, two: of_two}


@pytest.mark.parametrize(
    ("preferred", "names", "title"),
    [
        pytest.param("en-US", {"de": "Hemd", "en": "Shirt"}, "Shirt", id="its language"),
        pytest.param("en-US", {"en": "Shirt", "en-US": "Tee"}, "Tee", id="exactly"),
        pytest.param("en-US", {"de": "Hemd", "EN_us": "Tee"}, "Tee", id="capitals and underscores do not count"),
        pytest.param("en-US", {"de": "Hemd", "en-GB": "Jumper"}, "Jumper", id="any locale of the language"),
        pytest.param("de-DE", {"en": "Shirt", "de": "Hemd"}, "Hemd", id="de-DE to de"),
        pytest.param("de-DE", {"en": "Shirt", "fr": "Chemise"}, "Shirt", id="none: the first"),
        pytest.param("en", {"de": "Hemd", "en-US": "Tee"}, "Tee", id="en to en-US"),
        pytest.param("", {"fr": "Chemise", "en": "Shirt"}, "Chemise", id="nothing preferred: the first"),
    ],
)
def test_texts_are_in_the_preferred_locale(world: World, preferred: str, names: dict[str, str], title: str) -> None:
    """Case 70: as the older product, and also from the language to one of its locales, whatever the capitals."""
    speaking = world.having(PREFERRED_LOCALE=preferred) if preferred else world
    slugs = {locale: text.lower() for locale, text in names.items()}
    worded = _worded(product("x", variant(1, _sku(speaking))), {"name": names, "slug": slugs, "description": names})
    held = speaking.put("products", **worded)
    _published(speaking, held)
    assert [(said(sent)["title"], said(sent)["description"]) for sent in speaking.sent()[1:]] == [(title, title)] * 2


EURO = {"PREFERRED_CURRENCY": "EUR"}
SCOPED = {"product": {"price": {"country": "DE", "channel": CHANNEL, "customerGroup": "gold"}}}
DISCOUNT = {"typeId": "product-discount", "id": OTHER_GROUP}

# By name: the prices of a variant in their order, what is chosen when EUR is preferred, and what when Germany, a channel and
# a customer group are configured as well.
PRICES: dict[str, tuple[list[dict[str, Any]], float, float]] = {
    "channel price first": ([price(900, channel=CHANNEL), price(1000)], 10, 9),
    "another channel's price first": ([price(900, channel=OTHER_CHANNEL), price(1000)], 10, 10),
    "country price first": ([price(900, country="DE"), price(1000)], 10, 9),
    "another country's price first": ([price(900, country="FR"), price(1000)], 10, 10),
    "customer group price first": ([price(900, customerGroup=GROUP), price(1000)], 10, 9),
    "dated customer group price": ([price(900, customerGroup=GROUP, validFrom=PAST), price(1000)], 10, 9),
    "another group's dated price": ([price(900, customerGroup=OTHER_GROUP, validFrom=PAST), price(1000)], 10, 10),
    "group over channel over country": (
        [price(700, country="DE"), price(800, channel=CHANNEL), price(900, customerGroup=GROUP), price(1000)],
        10,
        9,
    ),
    "channel over country": ([price(700, country="DE"), price(800, channel=CHANNEL), price(1000)], 10, 8),
    "only scoped prices": ([price(900, country="FR"), price(800, channel=OTHER_CHANNEL)], 0, 0),
    "two active ranges": ([price(900, validFrom=LONG_AGO), price(800, validFrom=PAST), price(1000)], 8, 8),
    "only an end, and only a begin": ([price(900, validFrom=PAST), price(800, validUntil=FUTURE), price(1000)], 8, 8),
    "the one that ends soonest": ([price(900, validUntil=FAR_FUTURE), price(800, validUntil=FUTURE)], 8, 8),
    "future range": ([price(900, validFrom=FUTURE), price(1000)], 10, 10),
    "expired range": ([price(900, validUntil=PAST), price(1000)], 10, 10),
    "dated before undated": ([price(1000), price(900, validFrom=PAST, validUntil=FUTURE)], 9, 9),
    "preferred currency absent": ([price(900, "USD"), price(800, "CHF")], 0, 0),
    "preferred currency second": ([price(900, "USD"), price(1000)], 10, 10),
    "product discount": ([price(1000, discounted={"value": money(750), "discount": DISCOUNT})], 7.5, 7.5),
    "tiers": ([price(1000, tiers=[{"minimumQuantity": 5, "value": money(500)}])], 10, 10),
    "recurrence only": ([price(500, recurrencePolicy={"typeId": "recurrence-policy", "id": GROUP}), price(1000)], 10, 10),
    "high precision": (
        [price(0) | {"value": {**money(1), "type": "highPrecision", "preciseAmount": 123456, "fractionDigits": 7}}],
        0.0123456,
        0.0123456,
    ),
    "no price": ([], 0, 0),
}


@pytest.mark.parametrize("scoped", [False, True], ids=["EUR preferred", "country, channel and group configured"])
def test_the_price_of_a_variant_by_every_row_of_the_matrix(world: World, scoped: bool) -> None:
    """Case 71: generic prices, scoped ones only where they are configured (channel by id, group by key), discounts, high
    precision; each row of reference.md 3.5 is a variant of one product.

    The older product took a channel's or a country's price that stood first, and a dated one of any customer group.
    """
    pricing = world.having(SCOPED, **EURO) if scoped else world.having(**EURO)
    pricing.put("customer-groups", id=GROUP, key="gold", name="Gold")
    skus = {name: f"{name.replace(' ', '-').replace(',', '')}-{pricing.new_id()}" for name in PRICES}
    first, *others = (variant(at, skus[name], prices=PRICES[name][0]) for at, name in enumerate(PRICES, start=1))
    held = pricing.put("products", **product("Shirt", first, *others))
    _published(pricing, held)
    chosen = {name: row[2 if scoped else 1] for name, row in PRICES.items()}
    _, item, *variants = pricing.sent()
    assert {said(sent)["sku"]: said(sent)["price"] for sent in variants} == {skus[name]: chosen[name] for name in PRICES}
    assert said(item)["price"] == chosen["channel price first"]
    kept = pricing.catalog()
    assert {name: kept["variant", sku]["attributes"]["price"] for name, sku in skus.items()} == chosen
    assert adjusted(pricing) == ["price_missing", "stock_unknown"]


def test_without_a_preferred_currency_that_of_the_first_price_counts(world: World) -> None:
    """Case 71: the first price in the list, whatever its currency; but a generic one, and in that currency the best."""
    sku = _sku(world)
    prices = [price(100, "CHF", country="CH"), price(900, "USD"), price(1000), price(800, "USD", validFrom=PAST)]
    held = world.put("products", **product("Shirt", variant(1, sku, prices=prices)))
    _published(world, held)
    assert [said(sent)["price"] for sent in world.sent()[1:]] == [8, 8]
    metadata = {
        **texts("Shirt"),
        "price_json": '{"price_USD":8,"price_EUR":10,"price_CH":1}',
        "currency_json": '{"currency_CH":"CHF"}',
    }
    assert said(world.sent()[1])["custom_metadata"] == metadata


def test_a_product_with_standalone_prices_is_sold_at_those(world: World) -> None:
    """Case 71: our own: active standalone prices of the SKU by the same rules; embedded ones then count for nothing."""
    one, two = _sku(world), _sku(world)
    for given in (
        {**price(700), "sku": one, "active": True},
        {**price(600, validFrom=PAST), "sku": one, "active": False},
        {**price(500, country="DE"), "sku": one, "active": True},
    ):
        world.put("standalone-prices", **given)
    variants = variant(1, one, prices=[price(1000)]), variant(2, two, prices=[price(1000)])
    held = world.put("products", **product("Shirt", *variants), priceMode="Standalone")
    _published(world, held)
    assert {said(sent)["sku"]: said(sent)["price"] for sent in world.sent()[2:]} == {one: 7, two: 0}
    assert world.reads() == {**READ_TWICE, "GET standalone-prices 200": 2}


def test_a_sku_that_moved_to_another_product_moves_in_klaviyo(world: World) -> None:
    """Not in the older product: Klaviyo cannot move a variant, so it is deleted there and created under its new item."""
    sku, former = _sku(world), world.new_id()
    has_item(world, former)
    has_variant(world, former, sku)
    held = world.put("products", **product("Shirt", variant(1, sku)))
    _published(world, held)
    attributes = shown("Shirt")
    row = {**attributes, **UNKNOWN_STOCK}
    assert world.sent() == [
        list_variants(held["id"], 404),
        post_item(held["id"], attributes),
        post_variant(held["id"], sku, row, status=409),
        list_variants(held["id"], fields="id"),
        delete(VARIANTS, sku),
        post_variant(held["id"], sku, row),
    ]
    assert world.catalog()["variant", sku]["item"] == held["id"]
    assert ("item", former) in world.catalog()


def test_a_product_with_120_variants_arrives_and_is_updated_over_all_pages(world: World) -> None:
    """Case 64: Klaviyo shows 100 variants a page; the older product read one and tried to create the others again for ever."""
    skus = [f"v{number:03}-{world.new_id()}" for number in range(120)]
    first, *others = (variant(at, sku) for at, sku in enumerate(skus, start=1))
    held = world.put("products", **product("Shirt", first, *others))
    _published(world, held)
    looked_up, item, *variants = world.sent()
    assert (looked_up, item) == (list_variants(held["id"], 404), post_item(held["id"], shown("Shirt")))
    assert in_any_order(variants) == in_any_order(
        post_variant(held["id"], sku, {**shown("Shirt"), **UNKNOWN_STOCK}) for sku in skus
    )
    held = world.change("products", held["id"], masterData=product("Tee", *(variant(1, sku) for sku in skus))["masterData"])
    _published(world, held)
    one, two, item, *variants = world.sent()
    cursor = {"page[cursor]": two.query["page[cursor]"]}
    assert [one, two, item] == [
        list_variants(held["id"]),
        list_variants(held["id"], **cursor),
        patch_item(held["id"], shown("Tee")),
    ]
    assert in_any_order(variants) == in_any_order(
        patch_variant(sku, {"sku": sku, **shown("Tee"), **UNKNOWN_STOCK}) for sku in skus
    )
    assert {(name[0], found["attributes"]["title"]) for name, found in world.catalog().items()} == {
        ("item", "Tee"),
        ("variant", "Tee"),
    }


def test_variants_that_klaviyo_has_too_many_are_deleted_from_every_page(world: World) -> None:
    """Case 64: 130 variants in Klaviyo, of which one is left in commercetools."""
    left = _sku(world)
    held = world.put("products", **product("Shirt", variant(1, left)))
    extra = [f"extra-{number}-{world.new_id()}" for number in range(129)]
    with much_is_prepared(world):
        has_item(world, held["id"])
        for sku in (*extra, left):
            has_variant(world, held["id"], sku)
    _published(world, held)
    assert in_any_order(world.sent()[3:]) == in_any_order(
        [patch_variant(left, {"sku": left, **shown("Shirt"), **UNKNOWN_STOCK}), *(delete(VARIANTS, sku) for sku in extra)]
    )
    assert world.catalog().keys() == {("item", held["id"]), ("variant", left)}


def test_an_item_that_vanishes_while_it_is_written_is_created_again(world: World) -> None:
    """Klaviyo had it at the look-up and answers 404 to the update."""
    sku = _sku(world)
    held = world.put("products", **product("Shirt", variant(1, sku)))
    has_item(world, held["id"])
    has_variant(world, held["id"], sku)
    world.klaviyo_fails({"kind": "status", "status": 404, "method": "PATCH", "path": ITEMS, "first": 1})
    _published(world, held)
    looked_up, patched, *rest = world.sent()
    assert (looked_up, patched.method, patched.status) == (list_variants(held["id"]), "PATCH", 404)
    # here it was there all the time, so the creation meets it and turns into an update
    assert rest[0] == post_item(held["id"], shown("Shirt"), status=409)
    assert rest[1] == patch_item(held["id"], shown("Shirt"))
    assert {found["attributes"]["title"] for found in world.catalog().values()} == {"Shirt"}


def test_an_api_client_with_the_older_products_scopes_goes_without_standalone_prices(world: World) -> None:
    """decisions.md 4: 403 on an optional look-up: gone on without it, counted, named once in the log."""
    sku = _sku(world)
    with world.fresh(CT_SCOPES=scopes(*OLDER_SCOPES)) as narrow:
        narrow.put("standalone-prices", **{**price(700), "sku": sku, "active": True})
        held = narrow.put("products", **product("Shirt", variant(1, sku)), priceMode="Standalone")
        for _ in range(2):
            _published(narrow, held)
        assert [one["adjusted"] for one in narrow.logged("notification handled")] == [
            ["price_missing", "stock_unknown", "lookup_forbidden"]
        ] * 2
        assert narrow.reads() == {
            "GET inventory 200": 4,
            "GET product-projections/{id} 200": 4,
            "GET standalone-prices 403": 1,
        }
        (named,) = narrow.logged("the API client may not read something that is optional: going on without it")
        assert (named["severity"], named["operation"]) == ("WARNING", "standalone-prices")
    assert world.catalog()["variant", sku]["attributes"]["price"] == 0


def test_the_deadline_cuts_a_product_short_and_its_redelivery_finishes_it(world: World) -> None:
    """Nothing is acknowledged before it is done: the item is there, some variants are not, 503; then the rest follows."""
    brief = world.having(REALTIME_DEADLINE_S="1.5")
    skus = [f"v{number:02}-{brief.new_id()}" for number in range(40)]
    first, *others = (variant(at, sku) for at, sku in enumerate(skus, start=1))
    held = brief.put("products", **product("Shirt", first, *others))
    brief.klaviyo_fails({"kind": "delay", "seconds": 0.8, "path": VARIANTS})
    _published(brief, held, status=503)
    assert brief.dead_letters() == []
    world.klaviyo_fails()
    _published(world, held)
    assert world.catalog().keys() == {("item", held["id"]), *(("variant", sku) for sku in skus)}
    assert world.dead_letters() == []
