"""Deleting a whole catalog: variants before items, whatever Klaviyo does with those of an item (http-api.md "deleteAll")."""

from __future__ import annotations

import pytest
from catalog_world import NOBODY, Catalog
from shell_world import World

from shared.bulk.records import Feed, Kind

FOREIGN = "somebody-elses"
FOREIGN_VARIANT = "somebody-elses-variant"


@pytest.fixture
def catalog(world: World) -> Catalog:
    """A catalog that was imported, and an item of somebody else's."""
    catalog = Catalog(world)
    catalog.categories()
    catalog.products()
    _put_foreign_item(catalog)
    return catalog


@pytest.mark.parametrize("reading", ["variants_too", "item_only"])
def test_items_are_deleted_after_their_variants(catalog: Catalog, reading: str) -> None:
    """Nothing is left of either, and what was not there any more counts as sent too."""
    catalog.klaviyo_is(item_delete=reading)
    ids = [*catalog.stored("item"), NOBODY]
    result = catalog.deleted(Kind.PRODUCTS, ids)
    assert (result.seen, result.sent, result.failed) == (len(ids), len(ids), {})
    assert (catalog.stored("item"), catalog.stored("variant")) == ({}, {})
    assert catalog.stored("category") != {}


def test_only_the_items_that_are_listed_are_deleted(catalog: Catalog) -> None:
    """With `onlyOwn` the plan lists those alone that have the id of a commercetools resource."""
    own = [item for item in catalog.stored("item") if item != FOREIGN]
    catalog.deleted(Kind.PRODUCTS, own)
    assert (list(catalog.stored("item")), list(catalog.stored("variant"))) == ([FOREIGN], [FOREIGN_VARIANT])


def test_variants_without_an_item_are_deleted_by_themselves(catalog: Catalog) -> None:
    """The range says that its ids are those of variants."""
    catalog.klaviyo_is(item_delete="item_only")
    catalog.send("DELETE", f"catalog-items/$custom:::$default:::{FOREIGN}")
    assert FOREIGN_VARIANT in catalog.stored("variant")
    result = catalog.deleted(Kind.PRODUCTS, [FOREIGN_VARIANT], Feed.KLAVIYO_VARIANTS)
    assert (result.seen, result.sent) == (1, 1)
    assert FOREIGN_VARIANT not in catalog.stored("variant")
    assert len(catalog.stored("item")) > 1


def test_categories_are_deleted_and_items_stay(catalog: Catalog) -> None:
    """One that is gone already counts as sent."""
    ids = [*catalog.stored("category"), NOBODY]
    result = catalog.deleted(Kind.CATEGORIES, ids)
    assert (result.sent, result.failed, catalog.stored("category")) == (len(ids), {}, {})
    assert FOREIGN in catalog.stored("item")


def test_klaviyos_whole_ids_name_the_same_objects(catalog: Catalog) -> None:
    """As they stand in the batch when they have another beginning than ours."""
    result = catalog.deleted(Kind.PRODUCTS, [f"$custom:::$default:::{FOREIGN}"])
    assert (result.sent, FOREIGN in catalog.stored("item"), FOREIGN_VARIANT in catalog.stored("variant")) == (1, False, False)


def _put_foreign_item(catalog: Catalog) -> None:
    attributes = {"title": "Another", "description": "of another shop", "url": "https://example.com/another"}
    own = {"integration_type": "$custom", "catalog_type": "$default"}
    item = {"type": "catalog-item", "attributes": {**own, **attributes, "external_id": FOREIGN}}
    catalog.send("POST", "catalog-items", {"data": item})
    variant = {
        "type": "catalog-variant",
        "attributes": {
            **own,
            **attributes,
            "external_id": FOREIGN_VARIANT,
            "sku": FOREIGN_VARIANT,
            "inventory_quantity": 1,
            "price": 1,
        },
        "relationships": {"item": {"data": {"type": "catalog-item", "id": f"$custom:::$default:::{FOREIGN}"}}},
    }
    catalog.send("POST", "catalog-variants", {"data": variant})
