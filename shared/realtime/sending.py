"""Makes a write true in Klaviyo (flows.md "One notification")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from shared.budget import Budget
from shared.klaviyo.client import KlaviyoClient
from shared.mapping.result import Adjustment, SkipReason
from shared.realtime.catalog_writes import (
    Created,
    Deleted,
    put_categories,
    put_product,
    remove_category,
    remove_product,
    set_stock,
)
from shared.realtime.event_writes import EventMemory, send_events
from shared.realtime.profile_writes import remove_profile, upsert_profile
from shared.realtime.writes import (
    PutCategories,
    PutProduct,
    RemoveCategory,
    RemoveProduct,
    RemoveProfile,
    SendEvents,
    SetStock,
    UpsertProfile,
    Write,
)


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of a write: what was left out, why nothing was done, and whether a profile was new to Klaviyo."""

    adjustments: tuple[Adjustment, ...] = ()
    skip: SkipReason | None = None
    created: bool = False


def send(
    write: Write,
    klaviyo: KlaviyoClient,
    budget: Budget,
    *,
    deduplicate: bool = False,
    memory: EventMemory | None = None,
    created_categories: Created | None = None,
    deleted_skus: Deleted | None = None,
) -> WriteResult:
    """Send what the write comes to, within the budget; it may be sent again at any time.

    `deduplicate`: a customer goes to the profile with the same e-mail address (`customer.deduplication.enabled`).
    `memory`: the events that an earlier delivery of the message has settled. `created_categories` gathers the external ids
    of categories that were new to Klaviyo, `deleted_skus` those of variants that were deleted or may have been, both also
    when the write fails. Raises `AuthError`, `HostDown`, `RateLimited`, `TransientError`, `PermanentError` and `Interrupted`.
    """
    budget.check()
    created = [] if created_categories is None else created_categories
    deleted = [] if deleted_skus is None else deleted_skus
    match write:
        case UpsertProfile(attributes):
            written = upsert_profile(attributes, klaviyo, budget, deduplicate=deduplicate)
            return WriteResult(written.adjustments, created=written.created)
        case RemoveProfile():
            return WriteResult(skip=remove_profile(write, klaviyo, budget))
        case SendEvents():
            return WriteResult(send_events(write, klaviyo, budget, EventMemory() if memory is None else memory))
        case PutCategories():
            put_categories(write, klaviyo, budget, created)
        case RemoveCategory(category_id):
            remove_category(category_id, klaviyo, budget)
        case PutProduct():
            return WriteResult(put_product(write, klaviyo, budget, created, deleted))
        case RemoveProduct():
            remove_product(write, klaviyo, budget, deleted)
        case SetStock():
            return WriteResult(skip=set_stock(write, klaviyo, budget))
        case _:
            assert_never(write)
    return WriteResult()
