"""What people read about the settings, rendered from the tables that the loader uses: Markdown tables and `.env.example`."""

from __future__ import annotations

import textwrap
from typing import Any

import msgspec

from shared.settings.document import Section, SyncDocument
from shared.settings.environment import VARIABLES, Audience, Variable

_COMMENT_WIDTH = 118

# Every key of the document that is not an object, by its full path.
DOCUMENT_MEANINGS: dict[str, str] = {
    "disabledEvents": (
        "what is not handled: names of notifications, also those of Klaviyo's own Node plugin, or commercetools message types"
    ),
    "order.states.changed.cancelledOrder": "order states that make a Cancelled Order event",
    "order.states.changed.fulfilledOrder": "order states that make a Fulfilled Order event",
    "order.states.created.placedOrder": "order states that make a Placed Order event in realtime",
    "order.shipmentStates.fulfilledOrder": "shipment states that make a Fulfilled Order event",
    "order.messages.changed": "message types that report a changed order state",
    "order.messages.created": "message types that may place an order",
    "order.properties.include": "raw order fields that are sent; empty: all",
    "order.properties.exclude": "raw order fields that are not sent",
    "order.properties.map": "raw order fields that get another name",
    "order.properties.raw": (
        "raw commercetools order and line item fields beside Klaviyo's own names: `true`, `false`, or `auto`: when the document "
        "itself has `include`, `exclude` or `map` here"
    ),
    "order.metrics.cancelledOrder": "Klaviyo metric name",
    "order.metrics.fulfilledOrder": "Klaviyo metric name",
    "order.metrics.placedOrder": "Klaviyo metric name",
    "order.metrics.orderedProduct": "Klaviyo metric name",
    "order.metrics.refundedOrder": "Klaviyo metric name",
    "order.customFields.properties.include": "custom fields of orders that are sent; empty: all",
    "order.customFields.properties.exclude": "custom fields of orders that are not sent",
    "order.customFields.properties.map": "custom fields of orders that get another name",
    "customer.messages.addressChanged": "accepted for older documents; an address change arrives as a change of the customer",
    "customer.customFields.properties.include": "custom fields of customers that are sent; empty: all",
    "customer.customFields.properties.exclude": "custom fields of customers that are not sent",
    "customer.customFields.properties.map": "custom fields of customers that get another name",
    "customer.deduplication.enabled": "look a customer up by e-mail before every upsert",
    "customer.profileProperties": "which extra profile properties are sent",
    "customer.deleted": (
        "a deleted customer: `ignore`; `suppress`: no more marketing; `erase`: Klaviyo's privacy deletion; `never`: not even "
        "when the notification says `dataErasure`, which otherwise always erases"
    ),
    "payment.messages.transactionAdded": "message types that report a new transaction",
    "payment.messages.transactionChanged": "message types that report a transaction's changed state",
    "payment.states.validTransactionStates": "which of these are looked at; only `Success` makes an event",
    "category.messages.created": "message types that report a new category",
    "product.messages.deleted": "message and notification types after which a product is taken out of the catalog",
    "product.messages.published": "message types after which a product is written to the catalog",
    "product.inventory.useChannelInventory": "the supply channel whose stock counts, by id or key; none: what has no channel",
    "product.price.country": "the country whose prices count, two capital letters",
    "product.price.channel": "the channel whose prices count, by key or id",
    "product.price.customerGroup": "the customer group whose prices count, by key or id",
    "product.unpublished": "an unpublished product: `delete` it in Klaviyo, or `hide` it",
    "product.brandAttribute": "the product attribute that holds the brand",
}


def variables_table() -> str:
    """All environment variables as a Markdown table."""
    rows = [
        "| variable | form | default | read by | meaning |",
        "|---|---|---|---|---|",
        *(
            f"| {_names(variable)} | {variable.form} | {_default(variable)} | {variable.read_by} | {variable.meaning} |"
            for variable in VARIABLES
        ),
    ]
    return "\n".join(rows) + "\n"


def document_table() -> str:
    """All keys of the configuration document as a Markdown table."""
    defaults = document_defaults()
    rows = [
        f"| `{path}` | `{msgspec.json.encode(defaults[path]).decode()}` | {meaning} |"
        for path, meaning in DOCUMENT_MEANINGS.items()
    ]
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *rows]) + "\n"


def document_defaults(section: Section | None = None, prefix: str = "") -> dict[str, Any]:
    """The default of every key that is not an object, by its full path."""
    section = SyncDocument() if section is None else section
    defaults: dict[str, Any] = {}
    for key, value in msgspec.structs.asdict(section).items():
        defaults |= document_defaults(value, f"{prefix}{key}.") if isinstance(value, Section) else {f"{prefix}{key}": value}
    return defaults


def env_example() -> str:
    """The text of `.env.example`: what people set, the required variables to be filled in, the others commented out."""
    blocks = [
        "# Copy to .env and fill in; the environment itself wins over the file. Never commit .env.\n"
        "# All variables, and what the platform sets, are explained in docs/configuration.md.\n"
    ]
    for variable in VARIABLES:
        if variable.set_by is not Audience.PEOPLE:
            continue
        value = variable.default or variable.example
        comment = "" if variable.required else "#"
        blocks.append(f"{_comment(variable)}\n{comment}{variable.name}={_quoted(value)}\n")
    return "\n".join(blocks)


def _comment(variable: Variable) -> str:
    """What a variable is for and, in brackets, its form and whatever stands for it when it is not set."""
    notes = [] if variable.form == "text" else [variable.form]
    notes += [f"default: {variable.shown_default}"] if variable.shown_default else []
    about = f"{variable.meaning[0].upper()}{variable.meaning[1:]}" + (f" ({'; '.join(notes)})" if notes else "")
    lines = textwrap.wrap(about.replace("`", ""), _COMMENT_WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"# {line}" for line in lines)


def _names(variable: Variable) -> str:
    also = f" (also `{variable.also}`)" if variable.also else ""
    return f"`{variable.name}`{also}{' (secret)' if variable.secret else ''}"


def _default(variable: Variable) -> str:
    if variable.required:
        return "required"
    if variable.set_by is Audience.PLATFORM:
        return "set by the platform"
    return variable.shown_default or (f"`{variable.default}`" if variable.default else "none")


def _quoted(value: str) -> str:
    return f"'{value}'" if any(character in value for character in ' "#$') else value
