"""What commercetools calls the kinds of resource that are read: one table, so that another kind is another line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from shared.commercetools.catalog import Category, ProductProjection
from shared.commercetools.orders import Order, OrderWithJson
from shared.commercetools.resources import Customer, Resource

T = TypeVar("T", bound=Resource)


@dataclass(frozen=True, slots=True)
class ResourceKind(Generic[T]):
    """Where resources of a kind are read and as what.

    `path` below the project; `graphql_field` of the query type; `expand` references, left out when the credentials may
    not read them; `params` constant REST parameters. `page_bytes`: how much JSON a page is to hold, where resources may be large.
    `keeps_json`: the type has a field `json` that gets the whole JSON of the resource.
    """

    name: str
    path: str
    graphql_field: str
    resource_type: type[T]
    expand: tuple[str, ...] = ()
    params: tuple[tuple[str, str], ...] = ()
    page_bytes: int | None = None
    keeps_json: bool = False


CUSTOMERS = ResourceKind(
    name="customers",
    path="customers",
    graphql_field="customers",
    resource_type=Customer,
    expand=("customerGroup",),
)

_PRODUCT_PAGE_BYTES = 1_000_000  # decoded it takes several times as much

PRODUCTS = ResourceKind(
    name="products",
    path="product-projections",
    graphql_field="products",
    resource_type=ProductProjection,
    expand=("categories[*].ancestors[*]",),
    params=(("staged", "false"),),
    page_bytes=_PRODUCT_PAGE_BYTES,
)
"""Ids over GraphQL are those of all products, what is read whole are the published ones."""

CATEGORIES = ResourceKind(
    name="categories",
    path="categories",
    graphql_field="categories",
    resource_type=Category,
    expand=("ancestors[*]",),
)

_ORDER_PAGE_BYTES = 2_000_000  # two pages are held, as much again while one is decoded; ordinary orders have some 9 KB

ORDERS = ResourceKind(name="orders", path="orders", graphql_field="orders", resource_type=Order, page_bytes=_ORDER_PAGE_BYTES)
"""Without expansions, which cost commercetools time and are refused as a whole; what orders refer to is looked up."""

ORDERS_WITH_JSON = replace(ORDERS, resource_type=OrderWithJson, keeps_json=True)

KINDS: Mapping[str, ResourceKind[Any]] = {kind.name: kind for kind in (CUSTOMERS, ORDERS, PRODUCTS, CATEGORIES)}
