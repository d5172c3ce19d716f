"""Generated resources against the vendor's own contract: no unknown field, none missing."""

import json
from typing import Any

import jsonschema_rs
import pytest
from vendor_contracts import needs_vendor_contract, vendor_contract

from sandbox.commercetools.contract import strict_validator
from sandbox.sample.kinds import rows, sample_kinds
from sandbox.sample.products import projection
from sandbox.sample.scale import Scale

CONTRACT = vendor_contract("commercetools-openapi.json")
pytestmark = needs_vendor_contract(CONTRACT.name)

SCHEMAS = {
    "customers": "Customer",
    "customer-groups": "CustomerGroup",
    "stores": "Store",
    "channels": "Channel",
    "categories": "Category",
    "product-types": "ProductType",
    "products": "Product",
    "inventory": "InventoryEntry",
    "standalone-prices": "StandalonePrice",
    "orders": "Order",
    "payments": "Payment",
    "discount-codes": "DiscountCode",
}


@pytest.fixture(scope="module")
def document() -> Any:
    """The vendor's OpenAPI document."""
    return json.loads(CONTRACT.read_bytes())


def test_every_kind_is_checked() -> None:
    """A kind that is added gets its schema here."""
    assert SCHEMAS.keys() == sample_kinds().keys()


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_resources_keep_the_contract(document: Any, name: str) -> None:
    """Every generated resource is valid: required fields present, no unknown field, right types and enums."""
    validator = strict_validator(document, SCHEMAS[name])
    kind = sample_kinds(3, Scale(customers=2_000))[name]
    for row in rows(kind, 11, 2_000 if name == "customers" else kind.default_size):
        validator.validate(row)


@pytest.mark.parametrize("staged", [True, False])
def test_projections_keep_the_contract(document: Any, staged: bool) -> None:
    """What is derived from a product, current or staged, is a product projection of the API."""
    validator = strict_validator(document, "ProductProjection")
    kind = sample_kinds()["products"]
    for row in rows(kind, 11, kind.default_size):
        validator.validate(projection(row, staged=staged))


@pytest.mark.parametrize(
    "fault",
    [
        {"unknown": 1},
        {"isEmailVerified": "yes"},
        {"authenticationMode": "None"},
        {"createdAt": "2026-01-01"},
        {"addresses": [{"id": "1"}]},
        {"addresses": [{"country": "DE", "phoneNumber": "1"}]},
        {"customerGroup": {"typeId": "customer-group"}},
        {"stores": [{"typeId": "store", "id": "x"}]},
    ],
)
def test_the_check_finds_faults(document: Any, fault: dict[str, Any]) -> None:
    """The validator is strict: each of these changes makes a valid customer invalid."""
    kind = sample_kinds()["customers"]
    with pytest.raises(jsonschema_rs.ValidationError):
        strict_validator(document, "Customer").validate({**kind.generate(7, 1, 300), **fault})


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("orders", {"orderState": "Done"}),
        ("orders", {"totalPrice": {"type": "centPrecision", "currencyCode": "EUR", "centAmount": 1.5, "fractionDigits": 2}}),
        ("orders", {"lineItems": [{"id": "1"}]}),
        ("orders", {"paymentInfo": {"payments": [{"typeId": "payment"}]}}),
        ("payments", {"transactions": [{"id": "1", "type": "Refund", "state": "Done"}]}),
        ("products", {"priceMode": "Both"}),
        ("products", {"masterData": {"published": True}}),
        ("inventory", {"quantityOnStock": "3"}),
        ("standalone-prices", {"value": {"type": "highPrecision", "currencyCode": "EUR", "centAmount": 1, "fractionDigits": 5}}),
        ("categories", {"ancestors": ["1"]}),
    ],
)
def test_the_check_finds_faults_in_other_kinds(document: Any, name: str, fault: dict[str, Any]) -> None:
    """The same for what orders and the catalog are made of, below the top level too."""
    kind = sample_kinds()[name]
    with pytest.raises(jsonschema_rs.ValidationError):
        strict_validator(document, SCHEMAS[name]).validate({**kind.generate(7, 1, kind.default_size), **fault})


def test_a_missing_required_field_is_found(document: Any) -> None:
    """A customer without its stores is not a customer of the API."""
    row = sample_kinds()["customers"].generate(7, 1, 300)
    del row["stores"]
    with pytest.raises(jsonschema_rs.ValidationError):
        strict_validator(document, "Customer").validate(row)
