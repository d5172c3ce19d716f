"""The catalog in bulk: create, update and delete jobs for items, variants and categories (decisions.md 8, klaviyo.md 5.2)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from shared.budget import Budget
from shared.klaviyo.catalog import CatalogCategory, CatalogItem, CatalogVariant
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.row_outcomes import RowOutcome
from shared.slots import Slots


@dataclass(frozen=True, slots=True)
class CatalogOutcomes:
    """What became of each object, by external id, and the jobs that carried them.

    `replaced` has the SKUs that were under another item and were deleted there before they were created here.
    """

    outcomes: dict[str, RowOutcome] = field(default_factory=dict)
    job_ids: tuple[str, ...] = ()
    replaced: frozenset[str] = frozenset()


Items: TypeAlias = Sequence[CatalogItem]
Variants: TypeAlias = Sequence[CatalogVariant]
Categories: TypeAlias = Sequence[CatalogCategory]


class CatalogImporter:
    """Writes the catalog in bulk; one per process, so that its threads share the polling and the number of jobs in progress.

    Every method packs rows into jobs of at most 100 rows and 5 MB, starts them (at most 500 in progress, a process its rate
    share of them), waits until they are complete, and says of each object what became of it. A row that fails because what
    it creates exists, or what it updates is missing, is sent the other way. Objects are distinct by external id. All methods
    raise `AuthError`, `TransientError` (`RateLimited`, `HostDown`, `JobLost`) and `Interrupted`; the same call may then be
    made again.
    """

    def __init__(self, client: KlaviyoClient, *, slots: Slots | None = None, rate_share: float = 1.0) -> None:
        """`slots`: those of which the caller has taken one; it is given up while Klaviyo works."""
        self._client = client
        self._slots = slots
        self._rate_share = rate_share

    def put_categories(self, categories: Categories, there: Collection[str], budget: Budget) -> CatalogOutcomes:
        """Create the categories, or update those whose ids are in `there`."""
        raise NotImplementedError

    def put_items(self, items: Items, there: Collection[str], budget: Budget) -> CatalogOutcomes:
        """Create the items, or update those whose ids are in `there`. All categories they link to should exist."""
        raise NotImplementedError

    def put_variants(self, variants: Variants, there: Collection[str], budget: Budget) -> CatalogOutcomes:
        """Create the variants under their items, or update those whose SKUs are in `there`: under their own item already.

        A SKU that another item has is deleted there first, since Klaviyo cannot move it. Raises `TransientError` when an
        item is missing.
        """
        raise NotImplementedError

    def hide_items(self, item_ids: Sequence[str], budget: Budget) -> CatalogOutcomes:
        """Set `published` to false; what is missing is fine."""
        raise NotImplementedError

    def hide_variants(self, skus: Sequence[str], budget: Budget) -> CatalogOutcomes:
        """Set `published` to false; what is missing is fine."""
        raise NotImplementedError

    def delete_categories(self, category_ids: Sequence[str], budget: Budget) -> CatalogOutcomes:
        """Delete categories; what is missing is fine."""
        raise NotImplementedError

    def delete_items(self, item_ids: Sequence[str], budget: Budget) -> CatalogOutcomes:
        """Delete items; what is missing is fine. Their variants are to be deleted before."""
        raise NotImplementedError

    def delete_variants(self, skus: Sequence[str], budget: Budget) -> CatalogOutcomes:
        """Delete variants; what is missing is fine."""
        raise NotImplementedError
