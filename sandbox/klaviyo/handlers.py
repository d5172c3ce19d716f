"""Which handler answers which operation of the contract."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from sandbox.klaviyo import (
    account_api,
    catalog_api,
    catalog_jobs,
    consent_api,
    event_api,
    imports,
    profile_api,
)
from sandbox.klaviyo.answers import Answer
from sandbox.klaviyo.catalog import Kind
from sandbox.klaviyo.state import Call

Handler = Callable[[Call], Answer]

_KINDS: Final[dict[Kind, tuple[str, str, str, str]]] = {
    # singular, plural, and the two as the operations on jobs spell them
    "item": ("item", "items", "catalog_items", "catalog_items"),
    "variant": ("variant", "variants", "catalog_variants", "variants"),
    "category": ("category", "categories", "catalog_categories", "categories"),
}


def _catalog_handlers() -> dict[str, Handler]:
    found: dict[str, Any] = {}
    for kind, (one, many, posted, jobs) in _KINDS.items():
        found[f"get_catalog_{many}"] = partial(catalog_api.list_all, kind=kind)
        found[f"create_catalog_{one}"] = partial(catalog_api.create, kind=kind)
        found[f"get_catalog_{one}"] = partial(catalog_api.read, kind=kind)
        found[f"update_catalog_{one}"] = partial(catalog_api.update, kind=kind)
        found[f"delete_catalog_{one}"] = partial(catalog_api.delete, kind=kind)
        for action in ("create", "update", "delete"):
            found[f"bulk_{action}_{posted}"] = partial(catalog_jobs.start, kind=kind, action=action)
            found[f"get_bulk_{action}_{jobs}_jobs"] = partial(catalog_jobs.list_of, kind=kind, action=action)
            found[f"get_bulk_{action}_{jobs}_job"] = partial(catalog_jobs.one, kind=kind, action=action)
    linked: tuple[tuple[str, Kind, Kind], ...] = (
        ("items_for_catalog_category", "item", "category"),
        ("categories_for_catalog_item", "category", "item"),
        ("variants_for_catalog_item", "variant", "item"),
    )
    for name, kind, owner in linked:
        handler = partial(catalog_api.list_linked, kind=kind, owner_kind=owner)
        many, rest = name.split("_for_")
        found[f"get_{name}"] = handler
        found[f"get_{_KINDS[kind][0]}_ids_for_{rest}"] = handler
        if kind != "variant":
            change = partial(catalog_api.change_links, owner_kind=owner)
            found[f"update_{name}"] = change
            found[f"add_{many}_to_{rest}"] = change
            found[f"remove_{many}_from_{rest}"] = change
    return found


HANDLERS: Final[dict[str, Handler]] = {
    "get_profiles": profile_api.get_profiles,
    "get_profile": profile_api.get_profile,
    "create_profile": profile_api.create_profile,
    "update_profile": profile_api.update_profile,
    "create_or_update_profile": profile_api.create_or_update_profile,
    "merge_profiles": profile_api.merge_profiles,
    "bulk_import_profiles": imports.bulk_import_profiles,
    "get_bulk_import_profiles_jobs": imports.get_jobs,
    "get_bulk_import_profiles_job": imports.get_one,
    "get_errors_for_bulk_import_profiles_job": imports.get_errors,
    "get_profiles_for_bulk_import_profiles_job": imports.get_profiles_of_job,
    "get_profile_ids_for_bulk_import_profiles_job": imports.get_profile_ids_of_job,
    "create_event": event_api.create_event,
    "bulk_create_events": event_api.bulk_create_events,
    "get_events": event_api.get_events,
    "get_event": event_api.get_event,
    "bulk_subscribe_profiles": consent_api.bulk_subscribe_profiles,
    "bulk_unsubscribe_profiles": consent_api.bulk_unsubscribe_profiles,
    "bulk_suppress_profiles": consent_api.bulk_suppress_profiles,
    "bulk_unsuppress_profiles": consent_api.bulk_unsuppress_profiles,
    "get_bulk_suppress_profiles_jobs": consent_api.get_suppress_jobs,
    "get_bulk_suppress_profiles_job": consent_api.get_suppress_job,
    "get_bulk_unsuppress_profiles_jobs": consent_api.get_unsuppress_jobs,
    "get_bulk_unsuppress_profiles_job": consent_api.get_unsuppress_job,
    "request_profile_deletion": consent_api.request_profile_deletion,
    "get_accounts": account_api.get_accounts,
    "get_metrics": account_api.get_metrics,
    "get_metric": account_api.get_metric,
    "get_mapped_metrics": account_api.get_mapped_metrics,
    "get_mapped_metric": account_api.get_mapped_metric,
    "update_mapped_metric": account_api.update_mapped_metric,
    **_catalog_handlers(),
}
