"""Products: the item and its variants follow what is published (mapping.md "Catalog")."""

from __future__ import annotations

from datetime import datetime

from shared.mapping.choices import Choices
from shared.mapping.product import product_of
from shared.mapping.sources import ProductSource
from shared.realtime.notification import Change, Notification
from shared.realtime.route import NoSource, Result, Route
from shared.realtime.writes import Mapped, PutProduct, RemoveProduct
from shared.settings.document import SyncDocument


def product_published(_notification: Notification, source: ProductSource, choices: Choices, now: datetime) -> Result:
    """The product as it is published now; also where an older notification says that it was not."""
    mapped = product_of(source, choices, now)
    return Mapped((PutProduct(mapped.item, mapped.variants, mapped.categories),), mapped.adjustments)


def product_deleted(notification: Notification, _source: NoSource, _choices: Choices, _now: datetime) -> Result:
    """No such product any more."""
    return Mapped((RemoveProduct(notification.resource_id),))


def _unpublished(notification: Notification, choices: Choices) -> Result:
    return Mapped((RemoveProduct(notification.resource_id, hide=choices.document.product.unpublished == "hide"),))


def _vanished(notification: Notification, choices: Choices, _made: bool) -> Result:
    return _unpublished(notification, choices)


def _unpublished_types(document: SyncDocument) -> list[str]:
    return [name for name in document.product.messages.deleted if name != Change.DELETED]


def _deleted_types(document: SyncDocument) -> list[str]:
    return [name for name in document.product.messages.deleted if name == Change.DELETED]


ROUTES = (
    Route(
        name="ProductPublished",
        resource_type="product",
        types=lambda document: document.product.messages.published,
        source=ProductSource,
        map=product_published,
        vanished=_vanished,
        converges=True,
        summary="creates or updates the item, then its variants; deletes variants that are gone",
    ),
    Route(
        name="ProductUnpublished",
        resource_type="product",
        types=_unpublished_types,
        source=ProductSource,
        map=product_published,
        is_gone=_unpublished,
        vanished=_vanished,
        converges=True,
        summary="deletes the variants and the item, or hides them (`product.unpublished`)",
    ),
    Route(
        name="ProductResourceDeleted",
        resource_type="product",
        types=_deleted_types,
        source=NoSource,
        map=product_deleted,
        summary="deletes the variants and the item",
    ),
)
