"""Whose a SKU is by now, for SKUs that were deleted in Klaviyo from a product that had them before (mapping.md "Catalog")."""

from __future__ import annotations

from collections.abc import Iterable

from shared.budget import Budget
from shared.commercetools.catalog import Reference
from shared.commercetools.client import CommercetoolsClient
from shared.commercetools.reads import chunked, rows
from shared.reading.lookups import READ_S

_HAS_ONE = "masterVariant(sku in :sku) or variants(sku in :sku)"


def owners_of(skus: Iterable[str], client: CommercetoolsClient, budget: Budget, *, read_timeout_s: float = READ_S) -> list[str]:
    """The ids of the published products that have one of these SKUs, sorted; one request for a hundred SKUs.

    Raises what the client raises. Only what is published counts: a query answers with that unless told otherwise.
    """
    found = {
        product.id
        for piece in chunked(skus)
        for product in rows(
            client, "product-projections", Reference, _HAS_ONE, {"sku": piece}, budget=budget, read_timeout_s=read_timeout_s
        )
    }
    return sorted(found)
