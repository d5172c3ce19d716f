"""What Klaviyo's catalog already has of something, read page by page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shared.budget import Budget
from shared.errors import PermanentError
from shared.klaviyo.catalog_requests import ShownVariant, list_variants
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.requests import next_cursor
from shared.klaviyo.verdicts import is_missing


@dataclass(frozen=True, slots=True)
class Listed:
    """The external ids of an item's variants, and of those that are settled: nothing has to be written to them."""

    skus: list[str] = field(default_factory=list)
    settled: set[str] = field(default_factory=set)


def variants_of(
    item_id: str,
    client: KlaviyoClient,
    budget: Budget,
    *,
    fields: Sequence[str] = ("id",),
    is_settled: Callable[[ShownVariant], bool] = lambda _variant: False,
) -> Listed | None:
    """An item's variants; None when there is no such item. Raises what sending raises.

    `is_settled` judges by the attributes in `fields`, which are not kept: a page of them may have megabytes.
    """
    listed = Listed()
    cursor: str | None = None
    while True:
        try:
            page = client.send(list_variants(item_id, cursor, fields), budget)
        except PermanentError as error:
            if is_missing(error):
                return None
            raise
        listed.skus.extend(page.skus)
        listed.settled.update(variant.sku for variant in page.data if is_settled(variant))
        cursor = next_cursor(page.links)
        if cursor is None:
            return listed
