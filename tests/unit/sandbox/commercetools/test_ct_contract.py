"""The simulator's answers and tables against the vendor's own contract."""

import json
from typing import Any

import pytest
from graphql import GraphQLObjectType, GraphQLSchema, build_schema
from vendor_contracts import needs_vendor_contract, vendor_contract

from sandbox.commercetools import catalog_fields, fields, order_fields
from sandbox.commercetools.contract import field_names, strict_validator
from sandbox.commercetools.graphql_schema import SDL
from sandbox.commercetools.kinds import KINDS
from sandbox.commercetools.subscriptions import ChangeType, MessageType

CONTRACT = vendor_contract("commercetools-openapi.json")
GRAPHQL = vendor_contract("commercetools-schema.graphql")
pytestmark = needs_vendor_contract(CONTRACT.name, GRAPHQL.name)

SCHEMAS = {
    "customers": "Customer",
    "customer-groups": "CustomerGroup",
    "stores": "Store",
    "channels": "Channel",
    "categories": "Category",
    "product-types": "ProductType",
    "products": "Product",
    "product-projections": "ProductProjection",
    "inventory": "InventoryEntry",
    "standalone-prices": "StandalonePrice",
    "orders": "Order",
    "payments": "Payment",
    "discount-codes": "DiscountCode",
}
WITHOUT_PATHS = {"product-types", "discount-codes"}
"""Kinds whose schemas are in the vendor's document, but not their paths."""
PAGES = {
    "categories": "CategoryPagedQueryResponse",
    "products": "ProductPagedQueryResponse",
    "product-projections": "ProductProjectionPagedQueryResponse",
    "inventory": "InventoryPagedQueryResponse",
    "standalone-prices": "StandalonePricePagedQueryResponse",
    "orders": "OrderPagedQueryResponse",
    "payments": "PaymentPagedQueryResponse",
}
PARTS = [
    (catalog_fields.VARIANT, "ProductVariant"),
    (catalog_fields.PRODUCT_DATA, "ProductData"),
    (catalog_fields.PRICE, "Price"),
    (order_fields.LINE_ITEM, "LineItem"),
    (order_fields.CUSTOM_LINE_ITEM, "CustomLineItem"),
]


@pytest.fixture(scope="module")
def document() -> Any:
    """The vendor's OpenAPI document."""
    return json.loads(CONTRACT.read_bytes())


@pytest.fixture(scope="module")
def vendor_graph() -> GraphQLSchema:
    """The vendor's GraphQL schema."""
    return build_schema(GRAPHQL.read_text(), assume_valid=True)


@pytest.mark.parametrize(
    ("shape", "schema"),
    [
        *((KINDS[name].shape, schema) for name, schema in SCHEMAS.items()),
        (fields.CUSTOM_OBJECT, "CustomObject"),
        (fields.SUBSCRIPTION, "Subscription"),
        *PARTS,
    ],
)
def test_predicates_know_exactly_the_vendors_fields(document: Any, shape: fields.Node, schema: str) -> None:
    """No field is missing from a kind's table, none is invented."""
    assert set(shape.fields) == field_names(document, schema)


def test_addresses_have_exactly_the_vendors_fields(document: Any) -> None:
    """The same for the addresses inside a customer."""
    addresses = fields.CUSTOMER.fields["addresses"]
    assert isinstance(addresses, fields.ListOf)
    assert isinstance(addresses.item, fields.Node)
    assert set(addresses.item.fields) == field_names(document, "Address")


def test_every_kind_is_checked() -> None:
    """A kind that is added gets its schema here."""
    assert SCHEMAS.keys() == KINDS.keys()


@pytest.mark.parametrize("name", sorted(SCHEMAS.keys() - WITHOUT_PATHS))
def test_scopes_are_the_vendors(document: Any, name: str) -> None:
    """Each kind asks for the scopes that the contract names, for its pages and for single resources."""
    for path, scopes in (("", KINDS[name].view_scopes), ("/{ID}", KINDS[name].scopes_of_single)):
        security = document["paths"][f"/{{projectKey}}/{name}{path}"]["get"]["security"][0]["oauth_2_0"]
        assert set(scopes) == {scope.removesuffix(":{projectKey}") for scope in security}


@pytest.mark.parametrize("name", sorted(PAGES))
def test_every_page_keeps_the_contract(document: Any, ct: Any, name: str) -> None:
    """A full page of each kind is what the contract describes."""
    strict_validator(document, PAGES[name]).validate(ct.page(f"/{name}", limit=500, sort="id asc"))


def test_expanded_orders_and_categories_keep_the_contract(document: Any, ct: Any) -> None:
    """With `obj` in their references they are still what the contract describes."""
    orders = ct.page("/orders", limit=100, expand=["paymentInfo.payments[*]", "discountCodes[*].discountCode"])
    strict_validator(document, PAGES["orders"]).validate(orders)
    categories = ct.page("/categories", limit=100, expand=["ancestors[*]", "parent"])
    strict_validator(document, PAGES["categories"]).validate(categories)


def test_resource_types_of_subscriptions_are_the_vendors(document: Any) -> None:
    """The enumerations are complete and have nothing else."""
    schemas = document["components"]["schemas"]
    assert list(MessageType.__args__) == schemas["MessageSubscriptionResourceTypeId"]["enum"]
    assert list(ChangeType.__args__) == schemas["ChangeSubscriptionResourceTypeId"]["enum"]


def test_pages_keep_the_contract(document: Any, ct: Any) -> None:
    """A page of customers, with and without total, expanded and not, is what the contract describes."""
    validator = strict_validator(document, "CustomerPagedQueryResponse")
    validator.validate(ct.page(limit=300))
    validator.validate(ct.page(limit=300, withTotal="false", expand="customerGroup"))


def test_custom_objects_and_subscriptions_keep_the_contract(document: Any, ct: Any) -> None:
    """What is created is what the contract describes."""
    created = ct.call("POST", "/custom-objects", json={"container": "a", "key": "b", "value": {"x": 1}}).json()
    strict_validator(document, "CustomObject").validate(created)
    strict_validator(document, "CustomObjectPagedQueryResponse").validate(ct.page("/custom-objects/a"))
    draft = {
        "destination": {"type": "GoogleCloudPubSub", "projectId": "p", "topic": "t"},
        "messages": [{"resourceTypeId": "order", "types": ["OrderCreated"]}],
    }
    subscription = ct.call("POST", "/subscriptions", json=draft).json()
    strict_validator(document, "Subscription").validate(subscription)
    strict_validator(document, "SubscriptionPagedQueryResponse").validate(ct.page("/subscriptions"))


def test_errors_keep_the_contract(document: Any, ct: Any) -> None:
    """Every error body has the API's shape, with its code's own fields."""
    validator = strict_validator(document, "ErrorResponse")
    object_ = {"container": "a", "key": "b", "value": 1}
    ct.call("POST", "/custom-objects", json=object_)
    answers = {
        400: ct.get("/customers", limit=501),
        404: ct.get("/customers/key=nobody"),
        409: ct.call("POST", "/custom-objects", json={**object_, "version": 9}),
    }
    for status, answer in answers.items():
        assert answer.status_code == status
        validator.validate(answer.json())


def test_the_graphql_schema_is_a_part_of_the_vendors(vendor_graph: GraphQLSchema) -> None:
    """Every type, field, argument and enum value exists there, with the same type."""
    checked = 0
    for name, ours in build_schema(SDL).type_map.items():
        theirs = vendor_graph.type_map.get(name)
        if name.startswith("__"):
            continue
        assert theirs is not None, name
        assert type(theirs) is type(ours), name
        if isinstance(ours, GraphQLObjectType):
            assert isinstance(theirs, GraphQLObjectType)
            for field_name, field in ours.fields.items():
                vendor_field = theirs.fields[field_name]
                assert str(field.type) == str(vendor_field.type), f"{name}.{field_name}"
                theirs_args = {a: str(v.type) for a, v in vendor_field.args.items()}
                assert {a: str(v.type) for a, v in field.args.items()}.items() <= theirs_args.items()
                checked += 1
        elif hasattr(ours, "values"):
            assert set(ours.values) == set(theirs.values), name  # type: ignore[attr-defined]
    assert checked > 100
