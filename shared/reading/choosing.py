"""The merchant's choices with their keys resolved to ids (mapping.md "Price of a variant", "Stock")."""

from __future__ import annotations

import re

import msgspec

from shared import logs
from shared.budget import Budget
from shared.mapping.choices import Choices
from shared.mapping.sources import ProductSource, StockSource
from shared.reading.lookups import Lookups
from shared.settings.model import MappingSettings

NOWHERE = "does-not-exist"
"""The id of what is configured but does not exist: no resource has it."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

_log = logs.get(__name__)


class Chooser:
    """Resolves what the document configures; one for the process."""

    def __init__(self, mapping: MappingSettings, lookups: Lookups) -> None:
        self._mapping = mapping
        self._lookups = lookups
        self._named: set[str] = set()

    def choices(self, source: type[msgspec.Struct], budget: Budget) -> Choices:
        """The choices for a mapping of `source`; keys are resolved only for those that look at prices or stock.

        What is configured but does not exist has an id that nothing matches. Raises what the client raises.
        """
        mapping, product = self._mapping, self._mapping.document.product
        for_prices = source is ProductSource
        for_stock = for_prices or source is StockSource
        return Choices(
            document=mapping.document,
            locale=mapping.preferred_locale,
            currency=mapping.preferred_currency,
            url_template=mapping.product_url_template,
            price_channel_id=self._id("product.price.channel", "channels", product.price.channel, budget) if for_prices else "",
            price_group_id=(
                self._id("product.price.customerGroup", "customer-groups", product.price.customerGroup, budget)
                if for_prices
                else ""
            ),
            stock_channel_id=(
                self._id("product.inventory.useChannelInventory", "channels", product.inventory.useChannelInventory, budget)
                if for_stock
                else ""
            ),
        )

    def _id(self, document_key: str, path: str, configured: str, budget: Budget) -> str:
        if not configured:
            return ""
        if _UUID.fullmatch(configured):
            return configured.lower()
        found = self._lookups.id_of_key(path, configured, budget)
        if not found and document_key not in self._named:
            self._named.add(document_key)
            _log.warning("the configuration names something that does not exist in commercetools", operation=document_key)
        return found or NOWHERE
