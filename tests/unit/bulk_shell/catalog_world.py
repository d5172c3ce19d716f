"""Batches of the catalog, worked by hand between both simulators, and what Klaviyo has afterwards."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shell_world import CONTROL, EVERYTHING, World

from sandbox.checker_catalog import CatalogCheck, check_catalog
from sandbox.checker_sources import resources, stored
from shared.budget import Budget, budget_of
from shared.bulk.kinds.categories import import_categories
from shared.bulk.kinds.deletions import delete_catalog
from shared.bulk.kinds.products import import_products
from shared.bulk.records import Batch, BatchResult, Feed, IdRange, Kind, Run, RunOptions, RunStatus
from shared.bulk.results import total
from shared.bulk.tally import Progress
from shared.klaviyo.catalog_imports import CatalogImporter, CatalogOutcomes, Categories, Items, Variants
from shared.klaviyo.requests import CONTENT_TYPE, REVISION
from shared.klaviyo.row_outcomes import Failed

LOWEST, HIGHEST = "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"
NOBODY = "00000000-0000-4000-8000-000000000000"

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Catalog:
    """An import's catalog work on one world."""

    world: World

    def meddled(self, refused: Collection[str] = (), before_items: Callable[[], None] = lambda: None) -> Catalog:
        """The same with a `MeddledImporter`."""
        importer = MeddledImporter(self.world, refused, before_items)
        return Catalog(replace(self.world, app=replace(self.world.app, catalog=importer)))

    # batches

    def products(self, ids: Sequence[str] | None = None, options: RunOptions = EVERYTHING) -> BatchResult:
        """Work a batch of these products; of all, when none are named."""
        return self.worked(run_of(Kind.PRODUCTS, options), _batch(ids))

    def categories(self, ids: Sequence[str] | None = None, options: RunOptions = EVERYTHING) -> BatchResult:
        """Work a batch of these categories; of all, when none are named."""
        return self.worked(run_of(Kind.CATEGORIES, options), _batch(ids))

    def deleted(self, kind: Kind, ids: Sequence[str], feed: Feed = Feed.KLAVIYO) -> BatchResult:
        """Work a batch that deletes what has these ids in Klaviyo."""
        run = run_of(kind, RunOptions(delete_all=True), self.world.app.new_id())
        self.world.store.create(run, [IdRange(index=0, feed=feed)])
        return self.worked(run, _batch(ids, run.run_id))

    def worked(self, run: Run, batch: Batch, progress: Progress | None = None, budget: Budget | None = None) -> BatchResult:
        """Work a batch to its end; each item of it is accounted for, once."""
        progress = progress or Progress(batch.cursor, batch.result)
        work = delete_catalog if run.options.delete_all else _WORK[run.kind]
        for step in work(self.world.app, run, batch, progress, budget or budget_of(60.0)):
            progress.add(step)
        result = progress.result
        assert result.seen == result.sent + total(result.skipped) + total(result.failed)
        assert progress.cursor == (max(batch.ids) if batch.ids else batch.last)
        return result

    # commercetools

    def rows(self, collection: str) -> list[Document]:
        """All resources of a collection."""
        return list(resources(self.world.servers.commercetools.url, collection))

    def published(self) -> list[Document]:
        """The published products."""
        return [row for row in self.rows("products") if row["masterData"]["published"]]

    def change(self, collection: str, resource_id: str, **fields: Any) -> None:
        """Change a resource."""
        CONTROL.patch(self._source(f"{collection}/{resource_id}"), json=fields).raise_for_status()

    def create(self, collection: str, **fields: Any) -> str:
        """The id of a new resource."""
        made = CONTROL.post(self._source(collection), json=fields)
        made.raise_for_status()
        return str(made.json()["id"])

    def remove(self, collection: str, resource_id: str) -> None:
        """Delete a resource."""
        CONTROL.delete(self._source(f"{collection}/{resource_id}")).raise_for_status()

    def unpublish(self, product_id: str) -> None:
        """Take a product off sale."""
        (row,) = (row for row in self.rows("products") if row["id"] == product_id)
        self.change("products", product_id, masterData={**row["masterData"], "published": False})

    def set_variants(self, product_id: str, variants: Sequence[Document]) -> None:
        """Give a product these variants, published; the first is the master."""
        (row,) = (row for row in self.rows("products") if row["id"] == product_id)
        numbered = [{**variant, "id": number} for number, variant in enumerate(variants, 1)]
        current = {**row["masterData"]["current"], "masterVariant": numbered[0], "variants": numbered[1:]}
        self.change("products", product_id, masterData={**row["masterData"], "current": current, "staged": current})

    # Klaviyo

    def check(self) -> CatalogCheck:
        """What is wrong with Klaviyo's catalog, by the simulators' own account."""
        return check_catalog(self.world.servers.commercetools.url, self.world.servers.klaviyo.url)

    def stored(self, kind: str) -> dict[str, Document]:
        """Klaviyo's `item`s, `variant`s or `categories`, by external id."""
        rows = stored(self.world.servers.klaviyo.url, "catalog")
        return {row["external_id"]: row for row in rows if row["kind"].removeprefix("catalog-") == kind}

    def send(self, method: str, path: str, body: Document | None = None) -> None:
        """Somebody else's request to Klaviyo."""
        key = self.world.app.settings.klaviyo.auth_key.reveal()
        headers = {"Authorization": f"Klaviyo-API-Key {key}", "revision": REVISION, "Content-Type": CONTENT_TYPE}
        CONTROL.request(method, f"{self.world.servers.klaviyo.url}/api/{path}", json=body, headers=headers).raise_for_status()

    def klaviyo_is(self, **settings: Any) -> None:
        """Choose how the simulated Klaviyo behaves."""
        CONTROL.post(f"{self.world.servers.klaviyo.url}/_sandbox/settings", json=settings).raise_for_status()

    def _source(self, path: str) -> str:
        return f"{self.world.servers.commercetools.url}/_sandbox/{path}"


class MeddledImporter(CatalogImporter):
    """The importer, but Klaviyo refuses the objects of these external ids; `before_items` is done before items are sent."""

    def __init__(self, world: World, refused: Collection[str] = (), before_items: Callable[[], None] = lambda: None) -> None:
        super().__init__(world.app.klaviyo, slots=world.app.slots)
        self._refused = {key: Failed("invalid", f"/data/attributes/{key}") for key in refused}
        self._before_items = before_items

    def put_categories(self, categories: Categories, there: Collection[str], budget: Budget) -> CatalogOutcomes:
        """As of the importer."""
        return self._with_refused(super().put_categories(self._taken(categories), there, budget), categories)

    def put_items(self, items: Items, there: Collection[str], budget: Budget) -> CatalogOutcomes:
        """As of the importer."""
        self._before_items()
        return self._with_refused(super().put_items(self._taken(items), there, budget), items)

    def put_variants(self, variants: Variants, there: Collection[str], budget: Budget) -> CatalogOutcomes:
        """As of the importer."""
        return self._with_refused(super().put_variants(self._taken(variants), there, budget), variants)

    def _taken(self, rows: Sequence[Any]) -> list[Any]:
        return [row for row in rows if row.external_id not in self._refused]

    def _with_refused(self, put: CatalogOutcomes, rows: Sequence[Any]) -> CatalogOutcomes:
        refused = {row.external_id: self._refused[row.external_id] for row in rows if row.external_id in self._refused}
        return replace(put, outcomes={**put.outcomes, **refused})


_WORK = {Kind.PRODUCTS: import_products, Kind.CATEGORIES: import_categories}


def _batch(ids: Sequence[str] | None, run_id: str = "run") -> Batch:
    if ids is None:
        return Batch(run_id=run_id, range_index=0, number=1, size=1_000, first=LOWEST, last=HIGHEST)
    return Batch(run_id=run_id, range_index=0, number=1, size=len(ids), ids=list(ids))


def run_of(kind: Kind, options: RunOptions = EVERYTHING, run_id: str = "run") -> Run:
    now = datetime.now(UTC)
    return Run(
        run_id=run_id,
        kind=kind,
        status=RunStatus.RUNNING,
        fence=1,
        lease_until=now + timedelta(minutes=2),
        started_at=now,
        updated_at=now,
        resumed_at=now,
        options=options,
    )
