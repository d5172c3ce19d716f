"""The catalog in bulk: create, update and delete jobs for items, variants and categories (decisions.md 8, klaviyo.md 5.2)."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from shared.budget import Budget
from shared.errors import Host, TransientError
from shared.klaviyo.catalog import CatalogCategory, CatalogItem, CatalogKind, CatalogVariant
from shared.klaviyo.catalog_carrier import Carried, Carrier, Load
from shared.klaviyo.catalog_jobs import JOB_TYPES, Action, Says, what_it_says
from shared.klaviyo.catalog_reads import ids_there, variants_under
from shared.klaviyo.catalog_requests import (
    encode_category,
    encode_deletion,
    encode_hidden,
    encode_item,
    encode_new_category,
    encode_new_item,
    encode_new_variant,
    encode_variant,
)
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.job_places import JobPlaces
from shared.klaviyo.limits import CATALOG_JOBS_MOST
from shared.klaviyo.row_outcomes import Failed, RowOutcome, Sent
from shared.klaviyo.verdicts import Refusal
from shared.slots import Slots

ROUNDS_MOST = 3
"""How often a row is sent, each time the other way, while what Klaviyo has changes under it; then it has failed."""


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
    made again. Ids to delete or hide are external ids, or Klaviyo's own, which hold `:::`.
    """

    def __init__(
        self,
        client: KlaviyoClient,
        *,
        slots: Slots | None = None,
        rate_share: float = 1.0,
        jobs_most: int = CATALOG_JOBS_MOST,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`slots`: those of which the caller has taken one; it is given up while Klaviyo works.

        `jobs_most`: how many jobs the account may have in progress, of which this process takes its `rate_share`.
        """
        self._client = client
        places = JobPlaces(max(1, int(jobs_most * rate_share + 1e-9)))
        self._carrier = Carrier(client, places, slots, monotonic=monotonic)

    @property
    def rows_at_once(self) -> int:
        """How many rows fit the jobs that this process may have in progress."""
        return self._carrier.places.most * self._carrier.limits.rows_most

    def put_categories(self, categories: Categories, there: Collection[str], budget: Budget) -> CatalogOutcomes:
        """Create the categories, or update those whose ids are in `there`."""
        rows = {category.external_id: category for category in categories}
        put = _Put(self._client, self._carrier, budget, CatalogKind.CATEGORY)
        return put.run(rows, there, lambda key: encode_new_category(rows[key]), lambda key: encode_category(rows[key]))

    def put_items(self, items: Items, there: Collection[str], budget: Budget) -> CatalogOutcomes:
        """Create the items, or update those whose ids are in `there`. All categories they link to should exist."""
        rows = {item.external_id: item for item in items}
        put = _Put(self._client, self._carrier, budget, CatalogKind.ITEM)
        return put.run(rows, there, lambda key: encode_new_item(rows[key]), lambda key: encode_item(rows[key]))

    def put_variants(self, variants: Variants, there: Collection[str], budget: Budget) -> CatalogOutcomes:
        """Create the variants under their items, or update those whose SKUs are in `there`: under their own item already.

        A SKU that another item has is deleted there first, since Klaviyo cannot move it. Raises `TransientError` when an
        item is missing; a variant that Klaviyo refuses although its item is there has failed.
        """
        rows = {variant.external_id: variant for variant in variants}
        item_of = {sku: variant.item_id for sku, variant in rows.items()}
        put = _Put(self._client, self._carrier, budget, CatalogKind.VARIANT, item_of)
        return put.run(rows, there, lambda key: encode_new_variant(rows[key]), lambda key: encode_variant(rows[key]))

    def hide_items(self, item_ids: Sequence[str], budget: Budget) -> CatalogOutcomes:
        """Set `published` to false; what is missing is fine."""
        return self._removed(CatalogKind.ITEM, Action.UPDATE, item_ids, budget)

    def hide_variants(self, skus: Sequence[str], budget: Budget) -> CatalogOutcomes:
        """Set `published` to false; what is missing is fine."""
        return self._removed(CatalogKind.VARIANT, Action.UPDATE, skus, budget)

    def delete_categories(self, category_ids: Sequence[str], budget: Budget) -> CatalogOutcomes:
        """Delete categories; what is missing is fine."""
        return self._removed(CatalogKind.CATEGORY, Action.DELETE, category_ids, budget)

    def delete_items(self, item_ids: Sequence[str], budget: Budget) -> CatalogOutcomes:
        """Delete items; what is missing is fine. Their variants are to be deleted before."""
        return self._removed(CatalogKind.ITEM, Action.DELETE, item_ids, budget)

    def delete_variants(self, skus: Sequence[str], budget: Budget) -> CatalogOutcomes:
        """Delete variants; what is missing is fine."""
        return self._removed(CatalogKind.VARIANT, Action.DELETE, skus, budget)

    def _removed(self, kind: CatalogKind, action: Action, ids: Sequence[str], budget: Budget) -> CatalogOutcomes:
        encode = encode_deletion if action is Action.DELETE else encode_hidden
        load = Load(JOB_TYPES[kind, action], ids, lambda key: encode(kind, key))
        carried = self._carrier.carry([load], budget)
        says = _Reading(self._client, budget, kind).of(action, carried.refused)
        outcomes: dict[str, RowOutcome] = {
            key: Sent() if key not in says or says[key] is Says.MISSING else _failed(carried.refused[key]) for key in ids
        }
        return CatalogOutcomes(outcomes, tuple(carried.job_ids))


class _Reading:
    """What the errors of refused rows say, in the end: where it is unclear, by a look at what Klaviyo has."""

    def __init__(self, client: KlaviyoClient, budget: Budget, kind: CatalogKind) -> None:
        self._client = client
        self._budget = budget
        self._kind = kind

    def of(self, action: Action, refused: Mapping[str, Refusal]) -> dict[str, Says]:
        """By external id; `UNCLEAR` is not among them."""
        says = {key: what_it_says(refusal) for key, refusal in refused.items()}
        unclear = [key for key, one in says.items() if one is Says.UNCLEAR]
        if unclear:
            there = ids_there(self._kind, unclear, self._client, self._budget)
            for key in unclear:
                says[key] = _by_look(action, key in there)
        return says


class _Put:
    """One call that creates and updates objects of a kind. `item_of`: the items of variants, by SKU."""

    def __init__(
        self, client: KlaviyoClient, carrier: Carrier, budget: Budget, kind: CatalogKind, item_of: Mapping[str, str] | None = None
    ) -> None:
        self._client = client
        self._carrier = carrier
        self._budget = budget
        self._kind = kind
        self._item_of = item_of
        self._reading = _Reading(client, budget, kind)
        self._outcomes: dict[str, RowOutcome] = {}
        self._job_ids: list[str] = []
        self._replaced: set[str] = set()

    def run(
        self,
        keys: Iterable[str],
        there: Collection[str],
        encode_new: Callable[[str], bytes],
        encode: Callable[[str], bytes],
    ) -> CatalogOutcomes:
        """Send each row, and those that fail for what Klaviyo has or has not the other way."""
        keys, known = list(keys), set(there)
        creates, updates = [key for key in keys if key not in known], [key for key in keys if key in known]
        for rounds_left in reversed(range(ROUNDS_MOST)):
            refused = self._carried(
                Load(JOB_TYPES[self._kind, Action.CREATE], creates, encode_new),
                Load(JOB_TYPES[self._kind, Action.UPDATE], updates, encode),
            )
            for key in (*creates, *updates):
                self._outcomes[key] = _failed(refused[key]) if key in refused else Sent()
            taken, missing = self._turned(creates, updates, refused)
            if not rounds_left or not (taken or missing):
                break
            own, freed = self._told_apart(taken)
            creates, updates = [*missing, *freed], list(own)
        return CatalogOutcomes({key: self._outcomes[key] for key in keys}, tuple(self._job_ids), frozenset(self._replaced))

    def _carried(self, *loads: Load) -> Mapping[str, Refusal]:
        carried: Carried = self._carrier.carry([load for load in loads if load.keys], self._budget)
        self._job_ids.extend(carried.job_ids)
        return carried.refused

    def _turned(
        self, creates: Sequence[str], updates: Sequence[str], refused: Mapping[str, Refusal]
    ) -> tuple[list[str], list[str]]:
        """What was to be created and is there, and what is still to be created."""
        created = self._reading.of(Action.CREATE, {key: refused[key] for key in creates if key in refused})
        updated = self._reading.of(Action.UPDATE, {key: refused[key] for key in updates if key in refused})
        taken = [key for key, one in created.items() if one is Says.TAKEN]
        missing = [key for key, one in updated.items() if one is Says.MISSING]
        unlinked = [key for key, one in created.items() if one in {Says.LINK, Says.MISSING}]
        return taken, [*missing, *self._refused_for_items(unlinked)]

    def _refused_for_items(self, refused: Sequence[str]) -> Sequence[str]:
        """The variants that were refused for their items, which are there by now. Raises when one of these is not."""
        if self._item_of is None or not refused:
            return ()
        items = sorted({self._item_of[sku] for sku in refused})
        if len(ids_there(CatalogKind.ITEM, items, self._client, self._budget)) < len(items):
            raise TransientError("the item of a variant is missing while it is written", host=Host.KLAVIYO)
        return refused

    def _told_apart(self, taken: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
        """Of what is taken: what can be updated, and what is free now, since it was deleted under another item."""
        if self._item_of is None or not taken:
            return taken, ()
        under = variants_under(sorted({self._item_of[sku] for sku in taken}), self._client, self._budget)
        own = [sku for sku in taken if sku in under.get(self._item_of[sku], ())]
        others = sorted(set(taken).difference(own))
        if not others:
            return own, ()
        refused = self._carried(
            Load(JOB_TYPES[CatalogKind.VARIANT, Action.DELETE], others, lambda sku: encode_deletion(CatalogKind.VARIANT, sku))
        )
        says = self._reading.of(Action.DELETE, refused)
        kept = {sku for sku, one in says.items() if one is not Says.MISSING}
        self._outcomes.update((sku, _failed(refused[sku])) for sku in kept)
        self._replaced.update(sku for sku in others if sku not in refused)
        return own, [sku for sku in others if sku not in kept]


def _by_look(action: Action, there: bool) -> Says:
    """What an unclear error means, now that it is known whether Klaviyo has the object."""
    if action is Action.CREATE:
        return Says.TAKEN if there else Says.CONTENT
    return Says.CONTENT if there else Says.MISSING


def _failed(refusal: Refusal) -> Failed:
    return Failed(refusal.code, refusal.pointer)
