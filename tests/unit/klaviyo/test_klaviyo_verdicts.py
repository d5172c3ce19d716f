"""What is read from an answer of Klaviyo, and what is not kept (klaviyo.md 1.3, 2.3; decisions.md 4, 17)."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from klaviyo_doubles import error_body

from shared.errors import AuthError, HostDown, RateLimited, TransientError
from shared.klaviyo import limits
from shared.klaviyo.verdicts import Conflict, Refusal, Refused, error_of, refusals_of


@pytest.mark.parametrize(
    ("pointer", "row", "field"),
    [
        ("/data/attributes/profiles/data/388/attributes/email", 388, "email"),
        ("/data/attributes/profiles/data/0/attributes/phone_number", 0, "phone_number"),
        ("/data/attributes/profiles/data/7/attributes/location/country", 7, "location"),
        ("/data/attributes/profiles/data/7", 7, None),
        ("/data/attributes/profiles/data/7/attributes", 7, None),
        ("/data/attributes/events-bulk-create/data/12/attributes/profile/data/attributes/email", 12, "email"),
        ("/data/attributes/events-bulk-create/data/12/attributes/events/data/3/attributes/time", 12, "time"),
        ("/data/attributes/email", None, "email"),
        ("/data/attributes", None, None),
        ("/data", None, None),
        ("", None, None),
    ],
)
def test_a_pointer_names_row_and_field(pointer: str, row: int | None, field: str | None) -> None:
    """Bulk pointers carry the position of the row; the field is that of the innermost object."""
    (refusal,) = refusals_of(error_body({"code": "invalid", "source": {"pointer": pointer}}))
    assert (refusal.row, refusal.field) == (row, field)
    assert refusal.pointer == (pointer or None)


@pytest.mark.parametrize(
    "body", [b"<html>", b'{"errors": [{"code": "invalid", "detail": "Zo\xeb"}]}', b"[" * 100_000, b'{"errors": 1}', b""]
)
def test_a_refusal_whose_body_cannot_be_read_is_a_refusal_all_the_same(body: bytes) -> None:
    """A page, one byte that is no UTF-8, brackets without end: the status alone says enough."""
    error = error_of(limits.UPSERT_PROFILE, 400, None, body)
    assert isinstance(error, Refused)
    assert (error.reason, error.refusals) == ("http_400", ())


def test_a_conflict_names_the_other_profile() -> None:
    """`meta.duplicate_profile_id` is kept."""
    body = error_body(
        {"code": "duplicate_profile", "meta": {"duplicate_profile_id": "01ABC"}, "source": {"pointer": "/data/attributes"}}
    )
    assert refusals_of(body) == (Refusal("duplicate_profile", "/data/attributes", duplicate_profile_id="01ABC"),)


def test_no_free_text_of_an_answer_is_kept() -> None:
    """`detail`, `title` and whatever does not look like a code, pointer or id may repeat personal data."""
    body = error_body(
        {
            "code": "ann@example.com",
            "source": {"pointer": "/data/attributes/profiles/data/3/attributes/properties/ann@example.com/x"},
            "meta": {"duplicate_profile_id": "ann@example.com"},
        }
    )
    (refusal,) = refusals_of(body)
    assert refusal == Refusal("unknown", "/data/attributes/profiles/data/3/attributes/properties", 3, "properties")
    assert "ann" not in str(Refused([refusal], status=400))


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b'{"errors":{}}', b'{"errors":[1,null]}', b'{"errors":null}', b"\xff"],
)
def test_a_body_that_is_not_klaviyos_names_nothing(body: bytes) -> None:
    """Proxies answer what they like; that is no failure of ours."""
    assert refusals_of(body) == ()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["code", "source", "pointer", "meta"]), inner),
    max_leaves=12,
)


@given(st.lists(json_values, max_size=4))
def test_errors_of_any_shape_are_read(errors: list[object]) -> None:
    """The shape of an error is never relied on."""
    for refusal in refusals_of(msgspec.json.encode({"errors": errors})):
        assert isinstance(refusal.code, str)


@pytest.mark.parametrize(
    ("status", "endpoint", "error"),
    [
        (200, limits.UPSERT_PROFILE, type(None)),
        (202, limits.IMPORT_PROFILES, type(None)),
        (302, limits.IMPORT_PROFILES, TransientError),
        (400, limits.IMPORT_PROFILES, Refused),
        (401, limits.IMPORT_PROFILES, AuthError),
        (403, limits.IMPORT_PROFILES, AuthError),
        (404, limits.IMPORT_PROFILES, HostDown),
        (404, limits.PATCH_PROFILE, Refused),
        (404, limits.GET_IMPORT_JOB, Refused),
        (404, limits.CREATE_ITEM, Refused),
        (404, limits.CREATE_VARIANT, Refused),
        (404, limits.CREATE_CATEGORY, HostDown),
        (408, limits.IMPORT_PROFILES, TransientError),
        (409, limits.UPSERT_PROFILE, Conflict),
        (413, limits.IMPORT_PROFILES, Refused),
        (425, limits.IMPORT_PROFILES, TransientError),
        (429, limits.IMPORT_PROFILES, RateLimited),
        (500, limits.IMPORT_PROFILES, HostDown),
        (503, limits.IMPORT_PROFILES, HostDown),
        (525, limits.IMPORT_PROFILES, HostDown),
    ],
)
def test_each_status_becomes_one_error(status: int, endpoint: limits.Endpoint, error: type) -> None:
    """By the table of outcomes; a 404 of a collection speaks of the host, unless the body links to what may be missing."""
    assert type(error_of(endpoint, status, None, b"")) is error


def test_the_hosts_wish_to_wait_is_kept_on_any_transient_answer() -> None:
    """503 may carry `Retry-After` too (klaviyo.md 2.2)."""
    for status in (429, 503):
        error = error_of(limits.IMPORT_PROFILES, status, 7.0, b"")
        assert isinstance(error, TransientError)
        assert error.retry_after_s == 7.0


def test_an_unreadable_refusal_is_named_by_its_status() -> None:
    """Something has to stand in the record of the failed item."""
    error = error_of(limits.IMPORT_PROFILES, 400, None, b"<html>")
    assert isinstance(error, Refused)
    assert error.reason == "http_400"
