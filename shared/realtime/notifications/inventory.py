"""Inventory: the variant's stock is read anew, whatever the notification says (mapping.md "Stock")."""

from __future__ import annotations

from datetime import datetime

from shared.mapping.choices import Choices
from shared.mapping.result import Adjustment
from shared.mapping.sources import StockSource
from shared.mapping.stock import is_unknown, stock_of_entries
from shared.realtime.notification import Change, Notification
from shared.realtime.route import Result, Route
from shared.realtime.writes import Mapped, SetStock


def stock_changed(_notification: Notification, source: StockSource, choices: Choices, _now: datetime) -> Result:
    """The current stock of the SKU, 0 included."""
    stock = stock_of_entries(source.entries, choices)
    return Mapped((SetStock(source.sku, stock),), (Adjustment.STOCK_UNKNOWN,) if is_unknown(stock) else ())


ROUTES = (
    Route(
        name="InventoryResourceUpdated",
        resource_type="inventory-entry",
        types=lambda _document: ("InventoryEntryDeleted", *Change),
        source=StockSource,
        map=stock_changed,
        converges=True,
        summary="updates the variant's stock",
    ),
)
