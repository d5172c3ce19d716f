"""The requests that a write comes to when Klaviyo has what it is known to have. Pure.

The writers send these; what they do when Klaviyo turns out to have something else is theirs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

from shared.klaviyo.catalog import CatalogCategory, CatalogItem, CatalogVariant
from shared.klaviyo.catalog_requests import (
    create_category,
    create_item,
    create_variant,
    delete_category,
    delete_item,
    delete_variant,
    hide_item,
    hide_variant,
    rename_category,
    set_stock,
    update_item,
    update_variant,
)
from shared.klaviyo.event_requests import create_event
from shared.klaviyo.profile_requests import (
    FoundProfile,
    encode_profile,
    erase_profile,
    patch_profile,
    suppress_profile,
    upsert_profile,
)
from shared.klaviyo.requests import Request
from shared.realtime.writes import (
    PutCategories,
    PutProduct,
    RemoveCategory,
    RemoveProduct,
    RemoveProfile,
    SendEvents,
    SetStock,
    UpsertProfile,
    Write,
)


@dataclass(frozen=True, slots=True)
class Known:
    """What Klaviyo has of what a write is about.

    `item`: the product's item is there. `variants`: external ids under that item. `categories`: names by external id.
    `profile`: the person's, if it was looked for and found. `settled`: those of the `variants` that are as they are to be.
    """

    item: bool = False
    variants: Collection[str] = ()
    categories: Mapping[str, str] = field(default_factory=dict)
    profile: FoundProfile | None = None
    settled: Collection[str] = ()


NOTHING = Known()


def preferred_requests(write: Write, known: Known = NOTHING) -> list[Request[Any]]:
    """In the order of their dependence; none when there is nothing to do, or nobody to do it to."""
    match write:
        case UpsertProfile(attributes) if known.profile is not None:
            return [patch_profile(known.profile.id, attributes)]
        case UpsertProfile(attributes):
            return [upsert_profile(encode_profile(attributes))]
        case RemoveProfile():
            return _removing_profile(write, known.profile)
        case SendEvents(events):
            return [create_event(event) for event in events]
        case PutCategories(categories):
            return [category_request(category, known) for category in changed(categories, known)]
        case RemoveCategory(category_id):
            return [delete_category(category_id)]
        case PutProduct(item, variants):
            return [
                item_request(item, there=known.item),
                *(
                    variant_request(variant, there=variant.external_id in known.variants)
                    for variant in unsettled(variants, known)
                ),
                *map(delete_variant, superfluous(variants, known)),
            ]
        case RemoveProduct(product_id, hide=True):
            return [*(hide_variant(sku) for sku in known.variants if sku not in known.settled), hide_item(product_id)]
        case RemoveProduct(product_id):
            return [*map(delete_variant, known.variants), delete_item(product_id)]
        case SetStock(sku, stock):
            return [set_stock(sku, stock)]
        case _:
            assert_never(write)


def item_request(item: CatalogItem, *, there: bool) -> Request[None]:
    """What brings an item to the state given; `there`: Klaviyo has it."""
    return update_item(item) if there else create_item(item)


def variant_request(variant: CatalogVariant, *, there: bool) -> Request[None]:
    """What brings a variant to the state given; `there`: Klaviyo has it under its item."""
    return update_variant(variant) if there else create_variant(variant)


def category_request(category: CatalogCategory, known: Known) -> Request[None]:
    """What gives a category its name."""
    return rename_category(category) if category.external_id in known.categories else create_category(category)


def changed(categories: Collection[CatalogCategory], known: Known) -> list[CatalogCategory]:
    """Those that are not there, or under another name."""
    return [category for category in categories if known.categories.get(category.external_id) != category.name]


def unsettled(variants: Collection[CatalogVariant], known: Known) -> list[CatalogVariant]:
    """Those that have to be written: what is not there first, then what is there but different."""
    missing = [variant for variant in variants if variant.external_id not in known.variants]
    there = [variant for variant in variants if variant.external_id in known.variants]
    return [*missing, *(variant for variant in there if variant.external_id not in known.settled)]


def superfluous(variants: Collection[CatalogVariant], known: Known) -> list[str]:
    """What Klaviyo has under the item and commercetools has not."""
    wanted = {variant.external_id for variant in variants}
    return [sku for sku in known.variants if sku not in wanted]


def _removing_profile(write: RemoveProfile, profile: FoundProfile | None) -> list[Request[Any]]:
    if profile is None:
        return []
    if write.how == "erase":
        return [erase_profile(profile.id)]
    return [suppress_profile(profile.attributes.email)] if profile.attributes.email else []
