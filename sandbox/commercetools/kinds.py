"""The kinds of resource that the project serves over REST and GraphQL, as a table."""

from dataclasses import dataclass

from sandbox.commercetools import catalog_fields, fields, order_fields
from sandbox.commercetools.fields import Node

PROJECTIONS = "product-projections"


@dataclass(frozen=True, slots=True)
class ApiKind:
    """One kind: `collection` is its REST path (and its name in `sandbox.sample`), `view_scopes` any of which suffices.

    `single_scopes` replace them where a single resource is read, if the two differ.
    `graph_type`, `graph_one` and `graph_page` are its names in GraphQL; empty: it is not served there.
    `key_path` is what stands before `=` in the path of a resource that is found by its key.
    `derived` kinds follow another one and cannot be changed themselves.
    """

    collection: str
    type_id: str
    shape: Node
    view_scopes: tuple[str, ...]
    graph_type: str = ""
    graph_one: str = ""
    graph_page: str = ""
    single_scopes: tuple[str, ...] = ()
    key_path: str = "key"
    derived: bool = False

    @property
    def scopes_of_single(self) -> tuple[str, ...]:
        """Any of which suffices to read one resource by its id or key."""
        return self.single_scopes or self.view_scopes


_PRODUCTS = ("view_products", "view_published_products")

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
        ApiKind(
            "categories",
            "category",
            catalog_fields.CATEGORY,
            ("view_products", "view_categories"),
            "Category",
            "category",
            "categories",
        ),
        ApiKind("product-types", "product-type", catalog_fields.PRODUCT_TYPE, ("view_products", "view_product_types")),
        ApiKind(
            "products",
            "product",
            catalog_fields.PRODUCT,
            _PRODUCTS,
            "Product",
            "product",
            "products",
            single_scopes=("view_products",),
        ),
        ApiKind(PROJECTIONS, "product", catalog_fields.PRODUCT_PROJECTION, _PRODUCTS, derived=True),
        ApiKind(
            "inventory",
            "inventory-entry",
            catalog_fields.INVENTORY_ENTRY,
            ("view_products",),
            "InventoryEntry",
            "inventoryEntry",
            "inventoryEntries",
        ),
        ApiKind("standalone-prices", "standalone-price", catalog_fields.STANDALONE_PRICE, ("view_standalone_prices",)),
        ApiKind(
            "orders",
            "order",
            order_fields.ORDER,
            ("view_orders",),
            "Order",
            "order",
            "orders",
            key_path="order-number",
        ),
        ApiKind("payments", "payment", order_fields.PAYMENT, ("view_payments",)),
        ApiKind("discount-codes", "discount-code", order_fields.DISCOUNT_CODE, ("view_discount_codes",)),
    )
}
