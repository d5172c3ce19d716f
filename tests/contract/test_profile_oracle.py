"""Our profiles against two judges that we did not write: Klaviyo's SDK models and Klaviyo's contract.

The SDK's models silently drop what they do not know, so a body that comes out of them whole has only names that Klaviyo
knows, in their places (decisions.md 2).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from openapi_client.models.profile_import_job_create_query import ProfileImportJobCreateQuery
from openapi_client.models.profile_upsert_query import ProfileUpsertQuery
from pydantic import BaseModel

from sandbox import contracts
from shared.commercetools.resources import Customer
from shared.mapping.customer import MappedProfile, profile_of
from shared.settings.document import CustomerRules

GOLDEN = Path(__file__).parent.parent / "golden" / "customer"


def profiles() -> list[Any]:
    """The attributes of every golden customer that has a profile, as pytest parameters."""
    found = []
    for path in sorted(GOLDEN.glob("*/customer.json")):
        mapped = profile_of(msgspec.json.decode(path.read_bytes(), type=Customer), CustomerRules())
        if isinstance(mapped, MappedProfile):
            found.append(pytest.param(msgspec.json.decode(msgspec.json.encode(mapped.attributes)), id=path.parent.name))
    assert found
    return found


def upsert_body(attributes: dict[str, Any]) -> dict[str, Any]:
    """The body of a single upsert."""
    return {"data": {"type": "profile", "attributes": attributes}}


def import_body(attributes: dict[str, Any]) -> dict[str, Any]:
    """The body of a bulk import of one profile."""
    rows = {"data": [{"type": "profile", "attributes": attributes}]}
    return {"data": {"type": "profile-bulk-import-job", "attributes": {"profiles": rows}}}


def dumped(model: BaseModel) -> Any:
    """What the SDK would send; the nulls that it adds for absent fields are left out."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


@pytest.mark.parametrize("attributes", profiles())
def test_klaviyos_sdk_drops_nothing_of_an_upsert(attributes: dict[str, Any]) -> None:
    """The single endpoint's model gives back what it was given."""
    body = upsert_body(attributes)
    model = ProfileUpsertQuery.from_dict(body)
    assert model is not None
    assert dumped(model) == body


@pytest.mark.parametrize("attributes", profiles())
def test_klaviyos_sdk_drops_nothing_of_a_bulk_import(attributes: dict[str, Any]) -> None:
    """The bulk endpoint's model gives back what it was given."""
    body = import_body(attributes)
    model = ProfileImportJobCreateQuery.from_dict(body)
    assert model is not None
    assert dumped(model) == body


def test_the_sdk_would_show_a_wrong_name() -> None:
    """The oracle can fail: an attribute that Klaviyo does not know is gone from its answer."""
    body = upsert_body({"email": "anna@example.com", "e_mail": "anna@example.com"})
    model = ProfileUpsertQuery.from_dict(body)
    assert model is not None
    assert dumped(model) != body


@pytest.mark.parametrize("attributes", profiles())
def test_a_profile_keeps_the_contract_of_both_endpoints(attributes: dict[str, Any]) -> None:
    """No unknown attribute, no wrong type."""
    check("/api/profile-import", upsert_body(attributes))
    check("/api/profile-bulk-import-jobs", import_body(attributes))


def test_the_contract_refuses_a_wrong_name() -> None:
    """The contract can fail a body: an attribute that Klaviyo does not know is an error."""
    with pytest.raises(jsonschema_rs.ValidationError):
        check("/api/profile-import", upsert_body({"email": "anna@example.com", "e_mail": "anna@example.com"}))


def check(path: str, body: dict[str, Any]) -> None:
    """Hold a POST body against the strict contract; raises ValidationError where it breaks it."""
    document = msgspec.json.decode(Path(contracts.__file__).with_name("klaviyo.json").read_bytes())
    [name] = [
        operation["body"] for operation in document["operations"] if (operation["method"], operation["path"]) == ("POST", path)
    ]
    schema = {"$ref": f"#/$defs/{name}", "$defs": document["$defs"]}
    jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(body)
