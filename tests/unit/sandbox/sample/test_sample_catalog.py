"""Generated categories, products, prices and stock: deterministic, complete with edge cases, and in agreement."""

import json
from collections import Counter
from typing import Any

import pytest

from sandbox.sample import categories, inventory, prices, variants
from sandbox.sample.heads import head
from sandbox.sample.kinds import rows, sample_kinds
from sandbox.sample.money import precise, ratio, times
from sandbox.sample.products import is_published, product, projection, published_total
from sandbox.sample.scale import DEMO, Scale

KINDS = sample_kinds()


def sample(name: str) -> list[dict[str, Any]]:
    """All rows of a kind at the demo's scale."""
    return list(rows(KINDS[name], 7, KINDS[name].default_size))


@pytest.fixture(scope="module")
def tree() -> list[dict[str, Any]]:
    """The demo's categories."""
    return sample("categories")


@pytest.fixture(scope="module")
def catalog() -> list[dict[str, Any]]:
    """The demo's products."""
    return sample("products")


def variants_of(product_: dict[str, Any]) -> list[dict[str, Any]]:
    """Master variant and the others of a product's current data."""
    current = product_["masterData"]["current"]
    return [current["masterVariant"], *current["variants"]]


def test_categories_are_a_tree_of_three_levels(tree: list[dict[str, Any]]) -> None:
    """5 roots, 15 children, 30 leaves; ancestors lead from the root to the parent."""
    by_id = {row["id"]: row for row in tree}
    assert len(tree) == 50
    assert Counter(len(row["ancestors"]) for row in tree) == {0: 5, 1: 15, 2: 30}
    for row in tree:
        above = [reference["id"] for reference in row["ancestors"]]
        assert row.get("parent", {}).get("id") == (above[-1] if above else None)
        if above:
            assert above == [*(r["id"] for r in by_id[above[-1]]["ancestors"]), above[-1]]


def test_a_parent_may_come_after_its_children(tree: list[dict[str, Any]]) -> None:
    """The order of ids says nothing of the tree."""
    assert any("parent" in row and row["parent"]["id"] > row["id"] for row in tree)
    assert any("parent" in row and row["parent"]["id"] < row["id"] for row in tree)


def test_some_categories_miss_a_locale_and_two_the_english_slug(tree: list[dict[str, Any]]) -> None:
    """A tenth has two names instead of three; exactly two have no slug in the default locale but in another."""
    assert sum(len(row["name"]) == 2 for row in tree) == 5
    by_place = [row for index, row in enumerate(tree) if categories.place_of(index, 50) in categories.NO_ENGLISH_SLUG_PLACES]
    assert len(by_place) == 2
    assert all("en" not in row["slug"] and row["slug"] for row in by_place)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 50, 500, 991])
def test_a_tree_of_any_size_is_whole(size: int) -> None:
    """Places are dealt once each, and every parent is on the level above."""
    assert sorted(categories.place_of(index, size) for index in range(size)) == list(range(size))
    assert all(categories.index_at(categories.place_of(index, size), size) == index for index in range(size))
    for place in range(size):
        parent = categories.parent_place(place, size)
        assert parent is None or parent < place


def test_only_unpublished_products_are_in_the_archive(tree: list[dict[str, Any]], catalog: list[dict[str, Any]]) -> None:
    """What stands for an unpublished branch: no published product is there, all unpublished ones are."""
    root = next(row["id"] for row in tree if row["name"].get("en", row["name"].get("fr")) in ("Archive", "Archives"))
    archive = {row["id"] for row in tree if root in (row["id"], *(r["id"] for r in row["ancestors"]))}
    known = {row["id"] for row in tree}
    for row in catalog:
        named = {reference["id"] for reference in row["masterData"]["current"]["categories"]}
        assert named
        assert named <= (known - archive if row["masterData"]["published"] else archive)


def test_the_shares_of_the_demo(catalog: list[dict[str, Any]]) -> None:
    """Of 200: 20 unpublished, 10 with staged changes, 10 without images, 6 without description, 2 standalone, 2 heavy."""
    data = [row["masterData"]["current"] for row in catalog]
    assert sum(not row["masterData"]["published"] for row in catalog) == 20
    assert sum(row["masterData"]["hasStagedChanges"] for row in catalog) == 10
    assert sum(not any(v["images"] for v in variants_of(row)) for row in catalog) == 10
    assert sum("description" not in current for current in data) == 6
    assert sum(row["priceMode"] == "Standalone" for row in catalog) == 2
    assert sum(len(json.dumps(current)) > 100_000 and len(current["variants"]) < 10 for current in data) == 2
    assert sum(not any(v["prices"] for v in variants_of(row)) for row in catalog) == 2  # one of them is standalone
    assert Counter(len(variants_of(row)) for row in catalog).keys() == {*range(1, 9), 100}
    for master in (row["masterData"] for row in catalog):
        assert master["hasStagedChanges"] == (master["staged"] != master["current"])


@pytest.mark.parametrize(
    "feature",
    [
        lambda p: "<script>" in json.dumps(p["masterData"]["current"]["name"]),
        lambda p: "🌻" in p["masterData"]["current"]["name"].get("en", ""),
        lambda p: "ar" in p["masterData"]["current"]["name"],
        lambda p: "de-AT" in p["masterData"]["current"]["name"],
        lambda p: "en" not in p["masterData"]["current"]["name"],
        lambda p: "en" not in p["masterData"]["current"]["slug"],
        lambda p: p["masterData"]["current"].get("description", {}).get("en") == "",
        lambda p: "key" not in p,
        lambda p: "taxCategory" not in p,
        lambda p: len(p["masterData"]["current"]["categories"]) == 3,
    ],
)
def test_every_edge_case_of_products_occurs(catalog: list[dict[str, Any]], feature: Any) -> None:
    """Each oddity of a product occurs in the demo."""
    assert any(feature(row) for row in catalog)


@pytest.mark.parametrize(
    "feature",
    [
        lambda v: "sku" not in v,
        lambda v: "key" not in v,
        lambda v: "/" in v.get("sku", "") and "ü" in v["sku"],
        lambda v: v["id"] > 1 and not v["images"],
        lambda v: not any(a["name"] == "brand" for a in v["attributes"]),
        lambda v: any(a["name"] == "brand" and isinstance(a["value"], str) for a in v["attributes"]),
        lambda v: any(a["name"] == "brand" and isinstance(a["value"], dict) for a in v["attributes"]),
        lambda v: any(a["name"] == "color" and isinstance(a["value"]["label"], dict) for a in v["attributes"]),
        lambda v: any(a["name"] == "material" and "en" not in a["value"] for a in v["attributes"]),
        lambda v: any(a["name"] == "organic" and a["value"] is False for a in v["attributes"]),
        lambda v: any(a["name"] == "weight" and a["value"] == 0 for a in v["attributes"]),
        lambda v: any(a["name"] == "tags" and a["value"] == [] for a in v["attributes"]),
        lambda v: any(a["name"] == "note" and a["value"] == "" for a in v["attributes"]),
        lambda v: "availability" not in v,
        lambda v: v.get("availability", {}).get("availableQuantity") == 0,
        lambda v: v.get("availability", {}).get("availableQuantity", 0) < 0,
        lambda v: len(v.get("availability", {}).get("channels", {})) == 2 and "availableQuantity" in v["availability"],
        lambda v: "channels" in v.get("availability", {}) and "availableQuantity" not in v["availability"],
    ],
)
def test_every_edge_case_of_variants_occurs(catalog: list[dict[str, Any]], feature: Any) -> None:
    """Each oddity of a variant occurs in the demo."""
    assert any(feature(v) for row in catalog for v in variants_of(row))


@pytest.mark.parametrize(
    "feature",
    [
        lambda p: p["value"]["currencyCode"] == "GBP",
        lambda p: p["value"]["currencyCode"] == "JPY" and p["value"]["fractionDigits"] == 0,
        lambda p: p["value"]["currencyCode"] == "KWD" and p["value"]["fractionDigits"] == 3,
        lambda p: p["value"]["type"] == "highPrecision",
        lambda p: p["value"]["centAmount"] == 0,
        lambda p: "customerGroup" in p,
        lambda p: "channel" in p and "country" not in p,
        lambda p: "channel" in p and "country" in p,
        lambda p: len(p.get("tiers", [])) == 2,
        lambda p: p.get("validUntil", "9") < "2026",
        lambda p: p.get("validFrom", "0") > "2034",
        lambda p: p.get("validFrom", "9") < "2026" and p.get("validUntil", "0") > "2034",
        lambda p: "validFrom" in p and "validUntil" not in p,
        lambda p: "validUntil" in p and "validFrom" not in p,
        lambda p: p.get("discounted", {}).get("value", p["value"])["centAmount"] < p["value"]["centAmount"],
    ],
)
def test_every_edge_case_of_prices_occurs(catalog: list[dict[str, Any]], feature: Any) -> None:
    """Each kind of embedded price occurs in the demo."""
    assert any(feature(price) for row in catalog for v in variants_of(row) for price in v["prices"])


def test_some_variants_have_no_price_in_euros(catalog: list[dict[str, Any]]) -> None:
    """A preferred currency may be missing."""
    prices_of = [v["prices"] for row in catalog for v in variants_of(row) if v["prices"]]
    assert any(all(price["value"]["currencyCode"] != "EUR" for price in found) for found in prices_of)


def test_stock_agrees_with_inventory(catalog: list[dict[str, Any]]) -> None:
    """What a variant shows is what the entries of its SKU say; no entry is of a SKU that does not exist."""
    entries: dict[str, list[dict[str, Any]]] = {}
    for entry in sample("inventory"):
        entries.setdefault(entry["sku"], []).append(entry)
    for v in (v for row in catalog for v in variants_of(row)):
        shown = v.get("availability", {})
        own = entries.pop(v.get("sku", "none"), [])
        without = [e["availableQuantity"] for e in own if "supplyChannel" not in e]
        by_channel = {e["supplyChannel"]["id"]: e["availableQuantity"] for e in own if "supplyChannel" in e}
        assert [shown[name] for name in ("availableQuantity",) if name in shown] == without
        assert {channel: stock["availableQuantity"] for channel, stock in shown.get("channels", {}).items()} == by_channel
    assert entries == {}


def test_reserved_pieces_are_on_stock_but_not_available() -> None:
    """Some entries have more on stock than is available."""
    assert any(row["availableQuantity"] < row["quantityOnStock"] for row in sample("inventory"))


def test_standalone_prices_belong_to_three_products(catalog: list[dict[str, Any]]) -> None:
    """Two with the price mode, one of them with embedded prices too; and one whose prices are embedded all the same."""
    owner = {v["sku"]: row for row in catalog for v in variants_of(row) if "sku" in v}
    owned = Counter(owner[price["sku"]]["id"] for price in sample("standalone-prices"))
    products = [row for row in catalog if row["id"] in owned]
    assert sorted(row["priceMode"] for row in products) == ["Embedded", "Standalone", "Standalone"]
    assert sorted(bool(variants_of(row)[0]["prices"]) for row in products) == [False, True, True]
    assert all(owned[row["id"]] == 5 * len(variants_of(row)) for row in products)
    assert any(not price["active"] for price in sample("standalone-prices"))


@pytest.mark.parametrize("fixed", [None, 1, 5])
def test_a_sku_leads_to_its_variant_entries_and_prices(fixed: int | None) -> None:
    """Without tables: by arithmetic, over several thousand products."""
    scale = Scale(products=2_050, variants=fixed)
    kinds = sample_kinds(scale=scale)
    for ordinal in range(0, variants.total(2_050, fixed), 7):
        place = variants.located(ordinal, fixed)
        assert variants.ordinal(*place, fixed) == ordinal
        sku = variants.sku_of(*place, fixed)
        if sku is not None:
            assert variants.variant_of_sku(sku, 2_050, fixed) == place
            for index in inventory.indexes_of_sku(sku, 2_050, fixed):
                assert kinds["inventory"].generate(7, index, kinds["inventory"].default_size)["sku"] == sku
    size = kinds["standalone-prices"].default_size
    for index in range(size):
        sku = kinds["standalone-prices"].generate(7, index, size)["sku"]
        assert index in prices.standalone_indexes(sku, 2_050, fixed)
    assert [variants.variant_of_sku(sku, 2_050, fixed) for sku in ("", "SKU-9", "SKU-999999-1", "SKU-000001-99")] == [None] * 4


def test_projections_are_the_published_or_the_staged_data(catalog: list[dict[str, Any]]) -> None:
    """One level up, without what only the product has."""
    changed = next(row for row in catalog if row["masterData"]["hasStagedChanges"])
    current, staged = projection(changed, staged=False), projection(changed, staged=True)
    assert current["name"] == changed["masterData"]["current"]["name"] != staged["name"]
    assert (current["id"], current["published"], "masterData" in current) == (changed["id"], True, False)
    assert published_total(200) == sum(is_published(index) for index in range(200))


def test_a_product_depends_on_seed_index_and_scale_only() -> None:
    """The same again, another for another seed, and its head is its start."""
    whole = product(7, 5, 200, DEMO)
    assert whole == product(7, 5, 200, DEMO)
    assert whole["id"] != product(8, 5, 200, DEMO)["id"]
    assert head("product", 7, 5, 200) == {name: whole[name] for name in ("id", "version", "createdAt", "lastModifiedAt")}


def test_a_scale_can_fix_the_number_of_variants() -> None:
    """Then every product has as many, the one of a hundred too."""
    scale = Scale(products=100, variants=5)
    assert {len(variants_of(product(7, index, 100, scale))) for index in range(0, 100, 11)} == {5}


def test_money_is_rounded_once_and_half_to_even() -> None:
    """High precision prices are multiplied before they are rounded."""
    assert [ratio(n, 10) for n in (15, 25, 26, -15, -25)] == [2, 2, 3, -2, -2]
    price = precise("EUR", 1_455, 5)
    assert (price["centAmount"], times(price, 100)) == (1, 146)
