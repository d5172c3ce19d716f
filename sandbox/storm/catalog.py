"""A storm's categories and products, and what one of them means for the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.notifications.drafts import product_draft, variants_of
from sandbox.notifications.project import Resource
from sandbox.notifications.shop import Act
from sandbox.storm.state import SEED, Acts, Storm

_MOST_PRODUCTS, _MOST_CATEGORIES = 300, 60


def new_category(storm: Storm) -> list[Act]:
    """One at the top, or below another."""
    if len(storm.categories.rows) >= _MOST_CATEGORIES:
        return []
    parent = storm.categories.any(storm.random, lambda held: len(held["ancestors"]) < 3)
    number = storm.number()
    act = storm.shop.create_category({"en": f"Category {number}"}, f"category-{number}", parent)
    storm.categories.put(act.resource)
    return [act]


def _renamed(storm: Storm) -> list[Act]:
    held = storm.categories.any(storm.random)
    if held is None:
        return []
    act = storm.shop.rename_category(held["id"], {"en": f"Renamed {storm.number()}"})
    storm.categories.put(act.resource)
    return [act]


def _moved(storm: Storm) -> list[Act]:
    held = storm.categories.any(storm.random)
    if held is None:
        return []
    below = _below(storm, held)
    inside = {held["id"], *(row["id"] for row in below)}
    parent = storm.categories.any(storm.random, lambda row: row["id"] not in inside and len(row["ancestors"]) < 3)
    acts = storm.shop.move_category(held, parent, below)
    for act in acts:
        storm.categories.put(act.resource)
    return [*acts, *_tidied(storm, _products_in(storm, inside))]


def _no_category(storm: Storm) -> list[Act]:
    held = storm.categories.any(storm.random, lambda row: bool(row["ancestors"]))
    if held is None or len(storm.categories.rows) < 5:
        return []
    below = _below(storm, held)
    products = _products_in(storm, {held["id"], *(row["id"] for row in below)})
    acts = storm.shop.delete_category(held["id"], below, products)
    for act in acts:
        if "masterData" in act.resource:
            storm.products.put(act.resource)
        else:
            storm.categories.drop(act.resource["id"])
    return [*acts, *_tidied(storm, [storm.products.rows[row["id"]] for row in products])]


def _products_in(storm: Storm, categories: set[str]) -> list[Resource]:
    rows = storm.products.rows.values()
    return [row for row in rows if any(c["id"] in categories for c in row["masterData"]["current"]["categories"])]


def _tidied(storm: Storm, products: Sequence[Resource]) -> list[Act]:
    if storm.weather.untidy:
        return []
    acts = [storm.shop.publish_product(product) for product in products if product["masterData"]["published"]]
    for act in acts:
        storm.products.put(act.resource)
    return acts


def _below(storm: Storm, category: Resource) -> list[Resource]:
    identifier = category["id"]
    return [row for row in storm.categories.rows.values() if any(above["id"] == identifier for above in row["ancestors"])]


def _some_categories(storm: Storm) -> list[str]:
    chosen = [held["id"] for _ in range(storm.random.randint(0, 3)) if (held := storm.categories.any(storm.random))]
    return list(dict.fromkeys(chosen))


def new_product(storm: Storm) -> list[Act]:
    """Mostly a published one, in some of the categories; the first has many variants."""
    if len(storm.products.rows) >= _MOST_PRODUCTS:
        return []
    published = storm.random.random() < 0.9
    variants = storm.random.choice((1, 1, 2, 3)) if storm.products.rows else 12
    draft = product_draft(SEED, storm.number(), published=published, categories=_some_categories(storm), variants=variants)
    act = storm.shop.create_product(**draft)
    storm.products.put(act.resource)
    storm.skus.update(dict.fromkeys(variant["sku"] for variant in variants_of(act.resource) if "sku" in variant))
    return [act]


def _other_product(storm: Storm) -> list[Act]:
    """Published with another name, in other categories, or with fewer variants, or with all of the staged ones again."""
    held = storm.products.any(storm.random)
    if held is None:
        return []
    current: dict[str, Any] = {"name": {"en": f"Product {storm.number()}"}}
    if storm.random.random() < 0.5:
        current["categories"] = [{"typeId": "category", "id": id_} for id_ in _some_categories(storm)]
    if storm.random.random() < 0.3:
        current["variants"] = variants_of(held)[1 : storm.random.randint(1, len(variants_of(held)))]
    act = storm.shop.publish_product(held, **current)
    storm.products.put(act.resource)
    return [act]


def _hidden(storm: Storm) -> list[Act]:
    held = storm.products.any(storm.random, lambda product: bool(product["masterData"]["published"]))
    if held is None:
        return []
    act = storm.shop.unpublish_product(held)
    storm.products.put(act.resource)
    return [act]


def _no_product(storm: Storm) -> list[Act]:
    held = storm.products.any(storm.random)
    if held is None or len(storm.products.rows) < 5:
        return []
    storm.products.drop(held["id"])
    return storm.shop.delete_product(held)


ACTS: Acts = (
    (new_category, 2),
    (_renamed, 2),
    (_moved, 1),
    (_no_category, 1),
    (new_product, 2),
    (_other_product, 3),
    (_hidden, 2),
    (_no_product, 1),
)
"""Each with its weight."""
