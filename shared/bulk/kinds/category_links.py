"""The categories that items link to: there before the items are, and as commercetools has them (mapping.md "Catalog")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from shared import logs
from shared.budget import Budget
from shared.bulk.app import ImportApp
from shared.bulk.kinds.category_writes import bring_over, read_categories
from shared.klaviyo.catalog import CatalogCategory, CatalogItem
from shared.klaviyo.catalog_reads import categories_there
from shared.klaviyo.row_outcomes import Failed, Sent

_log = logs.get(__name__)


class CategoryLinks:
    """What is known of Klaviyo's categories while a batch is worked on. `job_ids` gathers the jobs that created some.

    `created`: the categories made, here or by an earlier attempt, of which nobody knows yet whether they still should be there.
    """

    def __init__(self, app: ImportApp, created: Iterable[str] = ()) -> None:
        self.job_ids: list[str] = []
        self.created = set(created)
        self._app = app
        self._there: set[str] = set()

    def linkable(
        self, items: Sequence[CatalogItem], nameable: Mapping[str, CatalogCategory], budget: Budget
    ) -> list[CatalogItem]:
        """The items with those of their links that Klaviyo can take, once missing categories have been created if `nameable`.

        Raises what sending raises.
        """
        asked = {category_id for item in items for category_id in item.categories} - self._there
        if asked:
            self._there.update(categories_there(sorted(asked), self._app.klaviyo, budget))
        missing = [nameable[category_id] for category_id in sorted(asked - self._there) if category_id in nameable]
        if missing:
            self.created.update(category.external_id for category in missing)
            created = self._app.catalog.put_categories(missing, (), budget)
            self.job_ids += created.job_ids
            self._there.update(key for key, outcome in created.outcomes.items() if isinstance(outcome, Sent))
        return [self._linked(item) for item in items]

    def settle(self, locale: str, budget: Budget) -> None:
        """Rename or delete those created of which commercetools says otherwise by now. Raises what reading and sending raise."""
        if not self.created:
            return
        brought = bring_over(self._app, read_categories(self._app, self.created, budget), locale, budget, below=False)
        self.job_ids += brought.job_ids
        for category_id, outcome in brought.outcomes.items():
            if isinstance(outcome, Failed):
                _log.warning(
                    "a category that products link to could not be put right", resource_id=category_id, reason=outcome.reason
                )
        self.created.clear()

    def forget(self, items: Iterable[CatalogItem]) -> None:
        """Look the categories of these items up anew when they are needed."""
        self._there -= {category_id for item in items for category_id in item.categories}

    def _linked(self, item: CatalogItem) -> CatalogItem:
        kept = tuple(category_id for category_id in item.categories if category_id in self._there)
        return item if kept == item.categories else msgspec.structs.replace(item, categories=kept)
