"""Our events, catalog objects and removals against two judges that we did not write: Klaviyo's SDK models and its contract.

The SDK's models silently drop what they do not know, so a body that comes out of them whole has only names that Klaviyo
knows, in their places (decisions.md 2).
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from openapi_client.models.catalog_category_create_job_create_query import CatalogCategoryCreateJobCreateQuery
from openapi_client.models.catalog_category_create_query import CatalogCategoryCreateQuery
from openapi_client.models.catalog_category_delete_job_create_query import CatalogCategoryDeleteJobCreateQuery
from openapi_client.models.catalog_category_update_job_create_query import CatalogCategoryUpdateJobCreateQuery
from openapi_client.models.catalog_category_update_query import CatalogCategoryUpdateQuery
from openapi_client.models.catalog_item_create_job_create_query import CatalogItemCreateJobCreateQuery
from openapi_client.models.catalog_item_create_query import CatalogItemCreateQuery
from openapi_client.models.catalog_item_delete_job_create_query import CatalogItemDeleteJobCreateQuery
from openapi_client.models.catalog_item_update_job_create_query import CatalogItemUpdateJobCreateQuery
from openapi_client.models.catalog_item_update_query import CatalogItemUpdateQuery
from openapi_client.models.catalog_variant_create_job_create_query import CatalogVariantCreateJobCreateQuery
from openapi_client.models.catalog_variant_create_query import CatalogVariantCreateQuery
from openapi_client.models.catalog_variant_delete_job_create_query import CatalogVariantDeleteJobCreateQuery
from openapi_client.models.catalog_variant_update_job_create_query import CatalogVariantUpdateJobCreateQuery
from openapi_client.models.catalog_variant_update_query import CatalogVariantUpdateQuery
from openapi_client.models.data_privacy_create_deletion_job_query import DataPrivacyCreateDeletionJobQuery
from openapi_client.models.event_create_query_v2 import EventCreateQueryV2
from openapi_client.models.events_bulk_create_job import EventsBulkCreateJob
from openapi_client.models.suppression_create_job_create_query import SuppressionCreateJobCreateQuery
from pydantic import BaseModel

from sandbox import contracts
from shared.klaviyo import catalog_requests as catalog
from shared.klaviyo.catalog import (
    CatalogCategory,
    CatalogItem,
    CatalogKind,
    CatalogStock,
    CatalogVariant,
    InventoryPolicy,
)
from shared.klaviyo.catalog_jobs import JOB_TYPES, Action
from shared.klaviyo.event_requests import EVENT_IMPORT, create_event, encode_bulk_event, start_event_import
from shared.klaviyo.events import Event
from shared.klaviyo.limits import CATALOG_JOB_LIMITS, CATALOG_JOBS
from shared.klaviyo.packing import Body, pack
from shared.klaviyo.profile_requests import erase_profile, suppress_profile
from shared.klaviyo.profiles import ProfileAttributes, ProfileLocation
from shared.klaviyo.requests import Request

EVENT = Event(
    metric="Placed Order",
    profile=ProfileAttributes(
        external_id="customer-1",
        email="anna@example.com",
        phone_number="+4930123456",
        first_name="Anna",
        last_name="Example",
        location=ProfileLocation(address1="Road 1", address2="c/o", city="Berlin", country="DE", region="BE", zip="10115"),
    ),
    unique_id="order-1",
    time="2026-11-20T10:00:00Z",
    value=Decimal("13.5"),
    value_currency="EUR",
    properties={"OrderId": "order-1", "Categories": ["Women"], "Items": [{"SKU": "s", "ItemPrice": Decimal("13.5")}]},
)
ITEM = CatalogItem(
    external_id="p1",
    title="Jeans",
    description="Blue",
    url="https://shop.example.com/jeans",
    price=Decimal("19.5"),
    image_full_url="https://img.example.com/1.jpg",
    custom_metadata={"title_json": "{}", "currency_json": "[]"},
    categories=("c1", "c2"),
)
VARIANT = CatalogVariant(
    external_id="s1",
    item_id="p1",
    sku="s1",
    title="Jeans 32",
    description="Blue",
    url="https://shop.example.com/jeans",
    price=Decimal("19.5"),
    stock=CatalogStock(inventory_quantity=3, inventory_policy=InventoryPolicy.TRACKED),
    image_full_url="https://img.example.com/1.jpg",
    custom_metadata={"price_json": "{}"},
    published=False,
)
CATEGORY = CatalogCategory(external_id="c1", name="Women > Pants")


def job(kind: CatalogKind, action: Action, *rows: bytes) -> Request[Any]:
    """The request that starts a bulk job with these rows."""
    job_type = JOB_TYPES[kind, action]
    (body,) = pack(rows, job_type.envelope, CATALOG_JOB_LIMITS)
    assert isinstance(body, Body)
    return job_type.start(body)


_ITEM, _VARIANT, _CATEGORY = CatalogKind
JOBS: list[tuple[type[BaseModel], Request[Any]]] = [
    (CatalogItemCreateJobCreateQuery, job(_ITEM, Action.CREATE, catalog.encode_new_item(ITEM))),
    (CatalogItemUpdateJobCreateQuery, job(_ITEM, Action.UPDATE, catalog.encode_item(ITEM), catalog.encode_hidden(_ITEM, "p2"))),
    (CatalogItemDeleteJobCreateQuery, job(_ITEM, Action.DELETE, catalog.encode_deletion(_ITEM, "p1"))),
    (CatalogVariantCreateJobCreateQuery, job(_VARIANT, Action.CREATE, catalog.encode_new_variant(VARIANT))),
    (
        CatalogVariantUpdateJobCreateQuery,
        job(_VARIANT, Action.UPDATE, catalog.encode_variant(VARIANT), catalog.encode_hidden(_VARIANT, "s2")),
    ),
    (CatalogVariantDeleteJobCreateQuery, job(_VARIANT, Action.DELETE, catalog.encode_deletion(_VARIANT, "s1"))),
    (CatalogCategoryCreateJobCreateQuery, job(_CATEGORY, Action.CREATE, catalog.encode_new_category(CATEGORY))),
    (CatalogCategoryUpdateJobCreateQuery, job(_CATEGORY, Action.UPDATE, catalog.encode_category(CATEGORY))),
    (CatalogCategoryDeleteJobCreateQuery, job(_CATEGORY, Action.DELETE, catalog.encode_deletion(_CATEGORY, "c1"))),
]
BODIES: list[tuple[type[BaseModel], Request[Any]]] = [
    (EventCreateQueryV2, create_event(EVENT)),
    (EventCreateQueryV2, create_event(EVENT, backfill=True)),
    (EventsBulkCreateJob, start_event_import(Body(EVENT_IMPORT, (0, 1), (encode_bulk_event(EVENT),) * 2))),
    (CatalogItemCreateQuery, catalog.create_item(ITEM)),
    (CatalogItemCreateQuery, catalog.create_item(msgspec.structs.replace(ITEM, categories=()))),
    (CatalogItemUpdateQuery, catalog.update_item(ITEM)),
    (CatalogItemUpdateQuery, catalog.hide_item("p1")),
    (CatalogVariantCreateQuery, catalog.create_variant(VARIANT)),
    (CatalogVariantUpdateQuery, catalog.update_variant(VARIANT)),
    (CatalogVariantUpdateQuery, catalog.set_stock("s1", VARIANT.stock)),
    (CatalogVariantUpdateQuery, catalog.hide_variant("s1")),
    (CatalogCategoryCreateQuery, catalog.create_category(CATEGORY)),
    (CatalogCategoryUpdateQuery, catalog.rename_category(CATEGORY)),
    (DataPrivacyCreateDeletionJobQuery, erase_profile("01P")),
    (SuppressionCreateJobCreateQuery, suppress_profile("anna@example.com")),
    *JOBS,
]
each_body = pytest.mark.parametrize(("model", "request_"), BODIES, ids=[f"{m.__name__}-{n}" for n, (m, _) in enumerate(BODIES)])


def dumped(model: type[BaseModel], body: dict[str, Any]) -> Any:
    """What the SDK would send for `body`, without what it adds: nulls and defaults of absent fields."""
    read = model.from_dict(body)  # type: ignore[attr-defined]
    return _asked(read.model_dump(mode="json", by_alias=True), body)


def _asked(shown: Any, body: Any) -> Any:
    """Of what is shown, the fields that the body has."""
    if isinstance(shown, dict) and isinstance(body, dict):
        return {name: _asked(value, body[name]) for name, value in shown.items() if name in body}
    if isinstance(shown, list) and isinstance(body, list) and len(shown) == len(body):
        return [_asked(element, asked) for element, asked in zip(shown, body, strict=True)]
    return shown


@each_body
def test_klaviyos_sdk_drops_nothing(model: type[BaseModel], request_: Request[Any]) -> None:
    """The model of the operation gives back what it was given."""
    body = msgspec.json.decode(request_.body)
    assert dumped(model, body) == body


@each_body
def test_a_body_keeps_the_contract(model: type[BaseModel], request_: Request[Any]) -> None:
    """No unknown attribute, no wrong type, nothing required missing."""
    check(request_, msgspec.json.decode(request_.body))


def test_both_judges_would_show_a_wrong_name() -> None:
    """They can fail: a field that Klaviyo does not know is gone from the one's answer, and an error to the other."""
    request = catalog.create_variant(VARIANT)
    body = msgspec.json.decode(request.body)
    body["data"]["attributes"]["stock"] = 3
    assert dumped(CatalogVariantCreateQuery, body) != body
    with pytest.raises(jsonschema_rs.ValidationError):
        check(request, body)


def test_every_writing_endpoint_of_the_catalog_is_judged() -> None:
    """Whatever has a body."""
    judged = {request.endpoint.name for _, request in BODIES}
    assert {f"{verb}_{kind}" for verb in ("create", "update") for kind in ("item", "variant", "category")} <= judged
    assert {jobs.start.name for jobs in CATALOG_JOBS} <= judged


def check(request: Request[Any], body: dict[str, Any]) -> None:
    """Hold a body against the strict contract of its operation; raises ValidationError where it breaks it."""
    document = msgspec.json.decode(Path(contracts.__file__).with_name("klaviyo.json").read_bytes())
    [name] = [
        operation["body"]
        for operation in document["operations"]
        if (operation["method"], operation["path"]) == (request.endpoint.method, request.endpoint.path)
    ]
    schema = {"$ref": f"#/$defs/{name}", "$defs": document["$defs"]}
    jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(body)
