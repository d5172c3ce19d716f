"""What Klaviyo's catalog already has of something, read page by page."""

from __future__ import annotations

from collections.abc import Sequence

from shared.budget import Budget
from shared.errors import PermanentError
from shared.klaviyo.catalog_requests import CATEGORIES_PER_REQUEST, find_categories, list_variants
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.requests import next_cursor
from shared.klaviyo.verdicts import is_missing


def variants_of(item_id: str, client: KlaviyoClient, budget: Budget) -> list[str] | None:
    """The external ids of an item's variants; None when there is no such item. Raises what sending raises."""
    skus: list[str] = []
    cursor: str | None = None
    while True:
        try:
            page = client.send(list_variants(item_id, cursor), budget)
        except PermanentError as error:
            if is_missing(error):
                return None
            raise
        skus.extend(page.skus)
        cursor = next_cursor(page.links)
        if cursor is None:
            return skus


def names_of(category_ids: Sequence[str], client: KlaviyoClient, budget: Budget) -> dict[str, str]:
    """The names of those of these categories that Klaviyo has, by external id. Raises what sending raises."""
    names: dict[str, str] = {}
    for start in range(0, len(category_ids), CATEGORIES_PER_REQUEST):
        found = client.send(find_categories(category_ids[start : start + CATEGORIES_PER_REQUEST]), budget)
        names.update(found)
    return names
