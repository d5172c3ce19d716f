"""The lines of an order, with their discounts, and its taxes."""

from functools import lru_cache
from typing import Any

from sandbox.sample import identity, product_types, products, project
from sandbox.sample.money import cents, ratio
from sandbox.sample.order_plan import Line, Plan
from sandbox.sample.project import outside_reference
from sandbox.sample.scale import Scale

Resource = dict[str, Any]

_HEAVY_NOTE = "An engraving that nobody can read. " * 1_560


def line_items(seed: int, planned: Plan, scale: Scale) -> list[Resource]:
    """Return the line items of a planned order."""
    ids = identity.loose_ids(seed, "line-item", planned.index, len(planned.lines))
    rate = None if planned.untaxed else tax_rate(planned)
    state = outside_reference(seed, "state")
    return [
        _line_item(seed, planned, line, identifier, rate, state, scale)
        for line, identifier in zip(planned.lines, ids, strict=True)
    ]


def _line_item(
    seed: int, planned: Plan, line: Line, identifier: str, rate: Resource | None, state: Resource, scale: Scale
) -> Resource:
    place = line.place
    variant = products.cached_variant(seed, place, line.number, scale.variants)
    kind = place % product_types.PRODUCT_TYPES
    item: Resource = {
        "id": identifier,
        "productId": outside_reference(seed, "product")["id"] if line.gone else _product_id(seed, place, scale.products),
        "name": products.name_of(place),
        "productType": {"typeId": "product-type", "id": products.product_type_ids(seed)[kind]},
        "variant": variant,
        "price": line.price,
        "quantity": line.quantity,
        "totalPrice": cents(planned.currency, line.total),
        "discountedPricePerQuantity": _discounts(seed, planned, line),
        "taxedPricePortions": [],
        "state": [{"quantity": line.quantity, "state": state}],
        "perMethodTaxRate": [],
        "priceMode": line.mode,
        "lineItemMode": "GiftLineItem" if line.gift else "Standard",
    }
    if line.roll % 9:
        item["productSlug"] = products.slug_of(place)
        item["productKey"] = products.key_of(place)
    if rate is not None:
        item["taxRate"] = rate
        item["taxedPrice"] = taxed(planned, line.total, planned.tax_name)
    if planned.roll[14] % 6 == 0:
        item["distributionChannel"] = project.channel_references(seed)[2]
    if planned.heavy:
        item["custom"] = {"type": outside_reference(seed, "type", 1), "fields": {"engraving": _HEAVY_NOTE}}
    elif line.roll % 23 == 0:
        item["custom"] = {"type": outside_reference(seed, "type", 1), "fields": {"engraving": "Für Oma 💐", "count": 0}}
    return item


@lru_cache(maxsize=4_096)
def _product_id(seed: int, index: int, size: int) -> str:
    return identity.id_at(seed, "product", index, size)


def _discounts(seed: int, planned: Plan, line: Line) -> list[Resource]:
    """What one piece costs after cart discounts."""
    taken = line.price["value"]["centAmount"] if line.gift else line.reduction
    if not taken:
        return []
    value = line.price["discounted"]["value"] if "discounted" in line.price else line.price["value"]
    left = 0 if line.gift else value["centAmount"] - taken
    portion = {
        "discount": outside_reference(seed, "cart-discount", 1 if line.gift else 0),
        "discountedAmount": cents(planned.currency, taken),
    }
    price = {"value": cents(planned.currency, left), "includedDiscounts": [portion]}
    return [{"quantity": line.quantity, "discountedPrice": price}]


def custom_line_items(seed: int, planned: Plan) -> list[Resource]:
    """Return what is charged beside the products: gift wrapping, or a voucher."""
    ids = identity.loose_ids(seed, "custom-line-item", planned.index, len(planned.custom))
    found = []
    for (name, slug, amount), identifier in zip(planned.custom, ids, strict=True):
        item: Resource = {
            "id": identifier,
            "name": {"en": name},
            "slug": slug,
            "money": cents(planned.currency, amount),
            "totalPrice": cents(planned.currency, amount),
            "quantity": 1,
            "taxedPricePortions": [],
            "state": [{"quantity": 1, "state": outside_reference(seed, "state")}],
            "perMethodTaxRate": [],
            "discountedPricePerQuantity": [],
            "priceMode": "Standard",
        }
        if not planned.untaxed:
            item |= {"taxRate": tax_rate(planned), "taxedPrice": taxed(planned, amount, planned.tax_name)}
        found.append(item)
    return found


def tax_rate(planned: Plan) -> Resource:
    """Return the one rate by which the whole order is taxed."""
    return {
        "id": f"rate-{planned.country}",
        "name": planned.tax_name,
        "amount": planned.tax_rate,
        "includedInPrice": planned.tax_included,
        "country": planned.country,
        "subRates": [],
    }


def taxed(planned: Plan, amount: int, name: str) -> Resource:
    """Return `amount`, in the currency's smallest unit, net and gross; `name` is that of the tax."""
    gross = amount if planned.tax_included else amount + round(amount * planned.tax_rate)
    net = ratio(amount * 10_000, round(10_000 + planned.tax_rate * 10_000)) if planned.tax_included else amount
    tax = cents(planned.currency, gross - net)
    return {
        "totalNet": cents(planned.currency, net),
        "totalGross": cents(planned.currency, gross),
        "taxPortions": [{"name": name, "rate": planned.tax_rate, "amount": tax}],
        "totalTax": tax,
    }
