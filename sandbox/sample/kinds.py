"""The kinds of resource that can be generated, as a table."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from sandbox.sample import (
    categories,
    customers,
    discount_codes,
    inventory,
    orders,
    payments,
    prices,
    product_types,
    products,
    project,
    variants,
)
from sandbox.sample.heads import head
from sandbox.sample.identity import stratum_of
from sandbox.sample.scale import DEMO, Scale

Resource = dict[str, Any]
Generate = Callable[[int, int, int], Resource]
Complete = Callable[[Resource, int, int, int], Resource]
Locate = Callable[[str, int], Iterable[int]]


@dataclass(frozen=True, slots=True)
class SampleKind:
    """One kind. `type_id` is the API's reference type id and what ids are derived from.

    `head` takes (seed, index, size) and gives id, version, createdAt and lastModifiedAt only; `complete` makes a whole
    resource of a head that is there already.
    `default_size` rows are made when no number is given; `fixed_size` kinds have just these.
    `index_of_key` names the only row that may have a key, where rows are too many to look through; the key is the
    field `key_field`. `locate` names, for paths of fields that lead to few rows, the rows that may have a value there.
    `outline` gives a head the further fields that `outline_paths` name, at little cost.
    """

    type_id: str
    head: Generate
    complete: Complete
    default_size: int
    fixed_size: bool = False
    index_of_key: Callable[[str, int], int | None] | None = None
    key_field: str = "key"
    locate: Mapping[str, Locate] = field(default_factory=dict)
    outline: Callable[[Resource, int], Resource] | None = None
    outline_paths: frozenset[str] = frozenset()

    def generate(self, seed: int, index: int, size: int) -> Resource:
        """Return the whole resource `index` of a sample of `size`."""
        return self.complete(self.head(seed, index, size), seed, index, size)


def sample_kinds(malformed_emails: int = 0, scale: Scale = DEMO) -> dict[str, SampleKind]:
    """Return all kinds by the name of their REST collection; `malformed_emails` overrides the scale's.

    Product projections are not among them: they are derived, see `products.projection`.
    """
    if malformed_emails:
        scale = replace(scale, malformed_emails=malformed_emails)
    fixed = scale.variants
    return {
        "customers": SampleKind(
            "customer",
            partial(head, "customer"),
            partial(_customer, scale),
            scale.customers,
            index_of_key=customers.index_of_key,
        ),
        "customer-groups": _fixed("customer-group", project.customer_group, project.CUSTOMER_GROUPS),
        "stores": _fixed("store", project.store, project.STORES),
        "channels": _fixed("channel", project.channel, project.CHANNELS),
        "categories": SampleKind(
            "category",
            partial(head, "category"),
            categories.completed,
            scale.categories,
            index_of_key=categories.index_of_key,
        ),
        "product-types": _fixed("product-type", product_types.product_type, product_types.PRODUCT_TYPES),
        "products": SampleKind(
            "product",
            partial(head, "product"),
            partial(_product, scale),
            scale.products,
            index_of_key=products.index_of_key,
            locate={"sku": partial(_product_of_sku, scale)},
            outline=products.outline,
            outline_paths=products.SEARCHABLE_OUTLINE,
        ),
        "inventory": SampleKind(
            "inventory-entry",
            partial(head, "inventory-entry"),
            partial(_entry, scale),
            inventory.total(variants.total(scale.products, fixed)),
            fixed_size=True,
            index_of_key=inventory.index_of_key,
            locate={"sku": lambda sku, _size: inventory.indexes_of_sku(sku, scale.products, fixed)},
        ),
        "standalone-prices": SampleKind(
            "standalone-price",
            partial(head, "standalone-price"),
            partial(_standalone_price, scale),
            prices.standalone_total(scale.products, fixed),
            fixed_size=True,
            index_of_key=partial(_standalone_key, scale),
            locate={"sku": lambda sku, _size: prices.standalone_indexes(sku, scale.products, fixed)},
        ),
        "orders": SampleKind(
            "order",
            partial(head, "order"),
            partial(_order, scale),
            scale.orders,
            index_of_key=orders.index_of_number,
            key_field="orderNumber",
            locate={"orderNumber": _order_of_number, "paymentInfo.payments.id": _order_of_payment},
        ),
        "payments": SampleKind(
            "payment",
            payments.payment_head,
            partial(_payment, scale),
            payments.total(scale.orders),
            fixed_size=True,
            index_of_key=payments.index_of_key,
        ),
        "discount-codes": _fixed("discount-code", discount_codes.discount_code, discount_codes.DISCOUNT_CODES),
    }


def rows(kind: SampleKind, seed: int, size: int) -> Iterator[Resource]:
    """Yield all rows of a kind in the order of their ids, one at a time."""
    for index in range(size):
        yield kind.generate(seed, index, size)


def _customer(scale: Scale, head: Resource, seed: int, index: int, size: int) -> Resource:
    return customers.completed(head, seed, index, size, scale.malformed_emails)


def _product(scale: Scale, head: Resource, seed: int, index: int, _size: int) -> Resource:
    return products.completed(head, seed, index, scale)


def _product_of_sku(scale: Scale, sku: str, size: int) -> list[int]:
    place = variants.variant_of_sku(sku, size, scale.variants)
    return [] if place is None else [place[0]]


def _entry(scale: Scale, head: Resource, seed: int, index: int, _size: int) -> Resource:
    return inventory.completed(head, seed, index, scale.variants)


def _standalone_price(scale: Scale, head: Resource, seed: int, index: int, _size: int) -> Resource:
    return prices.standalone_completed(head, seed, index, scale.variants)


def _standalone_key(scale: Scale, key: str, size: int) -> int | None:
    return prices.index_of_key(key, scale.variants, size)


def _order(scale: Scale, head: Resource, seed: int, index: int, size: int) -> Resource:
    return orders.completed(head, seed, index, size, scale)


def _payment(scale: Scale, head: Resource, seed: int, index: int, _size: int) -> Resource:
    return payments.completed(head, seed, index, scale)


def _order_of_number(number: str, size: int) -> list[int]:
    index = orders.index_of_number(number, size)
    return [] if index is None else [index]


def _order_of_payment(payment_id: str, size: int) -> list[int]:
    index = stratum_of(payment_id, payments.total(size)) if size else None
    return [] if index is None else [payments.order_of(index)]


def _as_it_is(head: Resource, _seed: int, _index: int, _size: int) -> Resource:
    return head


def _fixed(type_id: str, generate: Generate, size: int) -> SampleKind:
    return SampleKind(type_id, generate, _as_it_is, size, fixed_size=True)
