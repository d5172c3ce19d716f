"""The kinds of resource that the project serves over REST and GraphQL, as a table."""

from dataclasses import dataclass

from sandbox.commercetools import fields
from sandbox.commercetools.fields import Node


@dataclass(frozen=True, slots=True)
class ApiKind:
    """One kind: `collection` is its REST path (and its name in `sandbox.sample`), `view_scopes` any of which suffices.

    `graph_type`, `graph_one` and `graph_page` are its names in GraphQL.
    """

    collection: str
    type_id: str
    shape: Node
    view_scopes: tuple[str, ...]
    graph_type: str
    graph_one: str
    graph_page: str


KINDS: dict[str, ApiKind] = {
    kind.collection: kind
    for kind in (
        ApiKind("customers", "customer", fields.CUSTOMER, ("view_customers",), "Customer", "customer", "customers"),
        ApiKind(
            "customer-groups",
            "customer-group",
            fields.CUSTOMER_GROUP,
            ("view_customers", "view_customer_groups"),
            "CustomerGroup",
            "customerGroup",
            "customerGroups",
        ),
        ApiKind("stores", "store", fields.STORE, ("view_stores",), "Store", "store", "stores"),
        ApiKind(
            "channels",
            "channel",
            fields.CHANNEL,
            ("view_channels", "view_products"),
            "Channel",
            "channel",
            "channels",
        ),
    )
}
