"""What the merchant chose for the mapping, with every key resolved to the id that commercetools' resources name."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.settings.document import SyncDocument


@dataclass(frozen=True, slots=True)
class Choices:
    """`locale`, `currency` and `url_template` are empty when nothing is preferred; the ids when nothing is configured.

    A channel or customer group that is configured but does not exist has an id that nothing matches.
    """

    document: SyncDocument = field(default_factory=SyncDocument)
    locale: str = ""
    currency: str = ""
    url_template: str = ""
    price_channel_id: str = ""
    price_group_id: str = ""
    stock_channel_id: str = ""
