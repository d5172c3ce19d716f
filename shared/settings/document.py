"""The configuration document: the merchant's choices, with their defaults (configuration.md "The document").

Every struct refuses unknown keys; `document_check` merges the merchant's JSON over these defaults and reports all problems.
Key names are those of the older product's `default.json`, so they stay in camel case here.
"""

from __future__ import annotations

from typing import Literal

import msgspec


def _list(*values: str) -> list[str]:
    """A default factory's value for a list of strings."""
    return list(values)


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A JSON object of the document; unknown keys are refused."""


class PropertyRules(Section, frozen=True):
    """Which top-level properties are sent, under which names: `include` (empty: all), minus `exclude`, renamed by `map`."""

    include: list[str] = []
    exclude: list[str] = []
    map: dict[str, str] = {}


class OrderPropertyRules(PropertyRules, frozen=True):
    """`PropertyRules` for the raw order, and whether raw commercetools fields are sent at all.

    A loaded document has `raw` already decided: "auto" is for rules that nobody has written anything about.
    """

    raw: bool | Literal["auto"] = "auto"

    @property
    def sends_raw(self) -> bool:
        """Whether raw commercetools order and line item fields go beside Klaviyo's own names."""
        return bool(self.include or self.exclude or self.map) if self.raw == "auto" else self.raw


class CustomFieldRules(Section, frozen=True):
    """Rules for the custom fields of a resource."""

    properties: PropertyRules = PropertyRules()


class OrderStateLists(Section, frozen=True):
    """Order states that make a Cancelled Order or a Fulfilled Order event."""

    cancelledOrder: list[str] = msgspec.field(default_factory=lambda: _list("Cancelled"))
    fulfilledOrder: list[str] = msgspec.field(default_factory=lambda: _list("Complete"))


class PlacedOrderStates(Section, frozen=True):
    """Order states that make a Placed Order event."""

    placedOrder: list[str] = msgspec.field(default_factory=lambda: _list("Open"))


class OrderStates(Section, frozen=True):
    """Order states by the moment at which they are looked at."""

    changed: OrderStateLists = OrderStateLists()
    created: PlacedOrderStates = PlacedOrderStates()


class ShipmentStates(Section, frozen=True):
    """Shipment states that make a Fulfilled Order event."""

    fulfilledOrder: list[str] = msgspec.field(default_factory=lambda: _list("Shipped", "Delivered"))


class OrderMessages(Section, frozen=True):
    """commercetools message types about orders that are looked at."""

    changed: list[str] = msgspec.field(default_factory=lambda: _list("OrderStateChanged"))
    created: list[str] = msgspec.field(
        default_factory=lambda: _list(
            "OrderCreated",
            "OrderImported",
            "OrderCreatedFromRecurringOrder",
            "OrderCustomerSet",
            "OrderCustomerEmailSet",
        )
    )


class OrderMetrics(Section, frozen=True):
    """Klaviyo metric names."""

    cancelledOrder: str = "Cancelled Order"
    fulfilledOrder: str = "Fulfilled Order"
    placedOrder: str = "Placed Order"
    orderedProduct: str = "Ordered Product"
    refundedOrder: str = "Refunded Order"


class OrderRules(Section, frozen=True):
    """Everything about orders."""

    states: OrderStates = OrderStates()
    shipmentStates: ShipmentStates = ShipmentStates()
    messages: OrderMessages = OrderMessages()
    properties: OrderPropertyRules = OrderPropertyRules()
    metrics: OrderMetrics = OrderMetrics()
    customFields: CustomFieldRules = CustomFieldRules()


ProfileProperty = Literal[
    "customerNumber",
    "customerGroup",
    "dateOfBirth",
    "vatId",
    "stores",
    "isEmailVerified",
    "commercetools_created_at",
]
ALL_PROFILE_PROPERTIES: tuple[ProfileProperty, ...] = (
    "customerNumber",
    "customerGroup",
    "dateOfBirth",
    "vatId",
    "stores",
    "isEmailVerified",
    "commercetools_created_at",
)


class CustomerMessages(Section, frozen=True):
    """Accepted for the older product's documents; address changes reach us as changes of the customer."""

    addressChanged: list[str] = msgspec.field(
        default_factory=lambda: _list("CustomerAddressAdded", "CustomerAddressRemoved", "CustomerAddressChanged")
    )


class Deduplication(Section, frozen=True):
    """Look a customer up by e-mail before an upsert."""

    enabled: bool = False


class CustomerRules(Section, frozen=True):
    """Everything about customers."""

    messages: CustomerMessages = CustomerMessages()
    customFields: CustomFieldRules = CustomFieldRules()
    deduplication: Deduplication = Deduplication()
    profileProperties: list[ProfileProperty] = msgspec.field(default_factory=lambda: list(ALL_PROFILE_PROPERTIES))
    deleted: Literal["ignore", "suppress", "erase", "never"] = "ignore"


class PaymentMessages(Section, frozen=True):
    """commercetools message types about payments that are looked at."""

    transactionAdded: list[str] = msgspec.field(default_factory=lambda: _list("PaymentTransactionAdded"))
    transactionChanged: list[str] = msgspec.field(default_factory=lambda: _list("PaymentTransactionStateChanged"))


class PaymentStates(Section, frozen=True):
    """Transaction states whose notifications are looked at."""

    validTransactionStates: list[str] = msgspec.field(default_factory=lambda: _list("Initial", "Pending", "Success"))


class PaymentRules(Section, frozen=True):
    """Everything about payments."""

    messages: PaymentMessages = PaymentMessages()
    states: PaymentStates = PaymentStates()


class CategoryMessages(Section, frozen=True):
    """commercetools message types about categories that are looked at."""

    created: list[str] = msgspec.field(default_factory=lambda: _list("CategoryCreated"))


class CategoryRules(Section, frozen=True):
    """Everything about categories."""

    messages: CategoryMessages = CategoryMessages()


class ProductMessages(Section, frozen=True):
    """commercetools message and notification types about products that are looked at."""

    deleted: list[str] = msgspec.field(default_factory=lambda: _list("ProductUnpublished", "ResourceDeleted"))
    published: list[str] = msgspec.field(default_factory=lambda: _list("ProductPublished"))


class ProductPrice(Section, frozen=True):
    """Which prices beside the general ones are eligible (mapping.md "Price of a variant")."""

    country: str = ""
    channel: str = ""
    customerGroup: str = ""


class ProductInventory(Section, frozen=True):
    """Whose stock counts."""

    useChannelInventory: str = ""


class ProductRules(Section, frozen=True):
    """Everything about products."""

    messages: ProductMessages = ProductMessages()
    inventory: ProductInventory = ProductInventory()
    price: ProductPrice = ProductPrice()
    unpublished: Literal["delete", "hide"] = "delete"
    brandAttribute: str = "brand"


class SyncDocument(Section, frozen=True):
    """The whole document."""

    disabledEvents: list[str] = []
    order: OrderRules = OrderRules()
    customer: CustomerRules = CustomerRules()
    payment: PaymentRules = PaymentRules()
    category: CategoryRules = CategoryRules()
    product: ProductRules = ProductRules()
