"""Categories: the name is the breadcrumb, so a renamed category renames all below it (mapping.md "Catalog")."""

from __future__ import annotations

from datetime import datetime

from shared.mapping.category import category_of
from shared.mapping.choices import Choices
from shared.mapping.sources import CategorySource
from shared.realtime.notification import Change, Notification
from shared.realtime.route import NoSource, Result, Route
from shared.realtime.writes import Mapped, PutCategories, RemoveCategory


def category_created(_notification: Notification, source: CategorySource, choices: Choices, _now: datetime) -> Result:
    """The category, which Klaviyo probably does not know yet."""
    return _put(source, choices, new=True)


def category_updated(_notification: Notification, source: CategorySource, choices: Choices, _now: datetime) -> Result:
    """The category and all below it."""
    return _put(source, choices, new=False)


def category_deleted(notification: Notification, _source: NoSource, _choices: Choices, _now: datetime) -> Result:
    """No such category any more."""
    return Mapped((RemoveCategory(notification.resource_id),))


def _put(source: CategorySource, choices: Choices, *, new: bool) -> Result:
    categories = (source.category, *source.descendants)
    return Mapped((PutCategories(tuple(category_of(category, choices.locale) for category in categories), new=new),))


def _vanished(notification: Notification, _choices: Choices, _made: bool) -> Result:
    return Mapped((RemoveCategory(notification.resource_id),))


ROUTES = (
    Route(
        name="CategoryCreated",
        resource_type="category",
        types=lambda document: document.category.messages.created,
        source=CategorySource,
        map=category_created,
        vanished=_vanished,
        converges=True,
        summary="creates the category",
    ),
    Route(
        name="CategoryResourceUpdated",
        resource_type="category",
        types=lambda _document: (Change.UPDATED,),
        source=CategorySource,
        map=category_updated,
        vanished=_vanished,
        converges=True,
        summary="updates the category's name and those of all categories below it",
    ),
    Route(
        name="CategoryResourceDeleted",
        resource_type="category",
        types=lambda _document: (Change.DELETED,),
        source=NoSource,
        map=category_deleted,
        summary="deletes the category",
    ),
)
