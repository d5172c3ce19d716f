"""Whose a SKU is by now, for SKUs that were deleted in Klaviyo from a product that had them before (mapping.md "Catalog")."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from shared.budget import Budget
from shared.commercetools.client import CommercetoolsClient
from shared.commercetools.reads import chunked, rows
from shared.reading.lookups import READ_S

_HAS_ONE = "masterVariant(sku in :sku) or variants(sku in :sku)"


class _Variant(msgspec.Struct, frozen=True):
    sku: str | None = None


class _Product(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    master_variant: _Variant = _Variant()
    variants: tuple[_Variant, ...] = ()


def owners_by_sku(
    skus: Iterable[str], client: CommercetoolsClient, budget: Budget, *, read_timeout_s: float = READ_S
) -> dict[str, set[str]]:
    """The ids of the published products that have these SKUs, by SKU; one request for a hundred of them.

    A SKU that none of them has is not there. Raises what the client raises. Only what is published counts: a query answers
    with that unless told otherwise.
    """
    found: dict[str, set[str]] = {}
    for piece in chunked(skus):
        wanted = set(piece)
        for product in rows(
            client, "product-projections", _Product, _HAS_ONE, {"sku": piece}, budget=budget, read_timeout_s=read_timeout_s
        ):
            for variant in (product.master_variant, *product.variants):
                if variant.sku in wanted:
                    found.setdefault(variant.sku, set()).add(product.id)
    return found


def owners_of(skus: Iterable[str], client: CommercetoolsClient, budget: Budget, *, read_timeout_s: float = READ_S) -> list[str]:
    """The ids of the published products that have one of these SKUs, sorted; otherwise as `owners_by_sku`."""
    owners = owners_by_sku(skus, client, budget, read_timeout_s=read_timeout_s)
    return sorted({owner for some in owners.values() for owner in some})
