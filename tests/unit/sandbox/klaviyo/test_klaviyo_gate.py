"""What every request has to bring, before its content counts."""

import json
from collections.abc import Callable

import pytest
from klaviyo_bench import Bench, errors, import_body, profile

IMPORT = "/api/profile-import"
JOBS = "/api/profile-bulk-import-jobs"


def body(**attributes: object) -> dict[str, object]:
    return {"data": profile(**attributes)}


def test_a_request_without_key_is_401(bench: Bench) -> None:
    """No Authorization header."""
    response = bench.call("GET", "/api/profiles", headers={"Authorization": None})
    assert (response.status_code, errors(response)[0][0]) == (401, "not_authenticated")


@pytest.mark.parametrize("given", ["Klaviyo-API-Key wrong", "Bearer pk_sandbox", "pk_sandbox"])
def test_a_wrong_key_is_401(bench: Bench, given: str) -> None:
    """Another key, another scheme, no scheme."""
    response = bench.call("GET", "/api/profiles", headers={"Authorization": given})
    assert (response.status_code, errors(response)[0][0]) == (401, "authentication_failed")


def test_a_key_without_the_scope_is_403(make_bench: Callable[..., Bench]) -> None:
    """Scopes are those of the contract."""
    bench = make_bench(scopes=("profiles:read",))
    assert bench.call("GET", "/api/profiles").status_code == 200
    response = bench.post(IMPORT, body(email="a@example.com"))
    assert (response.status_code, errors(response)[0][0]) == (403, "permission_denied")


@pytest.mark.parametrize("revision", [None, "2026-07-16", "latest"])
def test_the_revision_header_is_mandatory_and_real(bench: Bench, revision: str | None) -> None:
    """Missing or unknown: 400."""
    assert bench.call("GET", "/api/profiles", headers={"revision": revision}).status_code == 400


def test_an_unknown_path_is_404_and_a_wrong_method_405(bench: Bench) -> None:
    """The contract decides what exists."""
    assert bench.call("GET", "/api/nothing").status_code == 404
    assert bench.call("DELETE", "/api/profiles").status_code == 405


def test_a_trailing_slash_is_accepted(bench: Bench) -> None:
    """Guides write paths with one, the contract without."""
    assert bench.call("GET", "/api/profiles/").status_code == 200


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/api/profiles?limit=3", "limit"),
        ("/api/metrics?page[size]=10", "page[size]"),
        ("/api/profiles?page[size]=101", "page[size]"),
        ("/api/profiles?page[size]=0", "page[size]"),
        ("/api/profiles?sort=name", "sort"),
        ("/api/profiles?fields[profile]=nickname", "fields[profile]"),
        ("/api/profiles?page[cursor]=abc", "page[cursor]"),
        ("/api/profiles?filter=equals(first_name,'x')", "filter"),
        ("/api/profiles?filter=contains(email,'x')", "filter"),
        ("/api/profiles?filter=any(email,'x')", "filter"),
        ("/api/profiles?filter=equals(email,'x'", "filter"),
        ("/api/profiles?filter=equals(email,'x')junk", "filter"),
        ("/api/profiles?sort=id&page[size]=2&page[size]=3", "page[size]"),
    ],
)
def test_query_parameters_are_checked(bench: Bench, path: str, parameter: str) -> None:
    """Unknown parameters, sizes, sorts, fields, cursors and filters are 400 and named."""
    response = bench.call("GET", path)
    assert (response.status_code, errors(response)) == (400, [("invalid", parameter)])


def test_unknown_fields_are_refused_with_their_pointer(bench: Bench) -> None:
    """As live: named with the resource they are not valid for."""
    response = bench.post(IMPORT, body(email="a@example.com", e_mail="b", location={"town": "x"}))
    assert response.status_code == 400
    assert sorted(errors(response)) == [
        ("invalid", "/data/attributes/e_mail"),
        ("invalid", "/data/attributes/location/town"),
    ]
    details = [entry["detail"] for entry in response.json()["errors"]]
    assert "'e_mail' is not a valid field for the resource 'profile'." in details


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"data": {"type": "person", "attributes": {"email": "a@example.com"}}}, "/data/type"),
        ({"data": {"type": "profile"}}, "/data/attributes"),
        ({"data": profile(email=5)}, "/data/attributes/email"),
        ({}, "/data"),
    ],
)
def test_wrong_types_and_missing_fields_are_refused(bench: Bench, given: object, pointer: str) -> None:
    """The contract's types and required fields hold."""
    response = bench.post(IMPORT, given)
    assert (response.status_code, errors(response)) == (400, [("invalid", pointer)])


def test_a_body_that_is_not_json_is_400(bench: Bench) -> None:
    """Also with bytes that are not UTF-8."""
    assert bench.call("POST", IMPORT, content=b'{"data":').status_code == 400
    assert bench.call("POST", IMPORT, content=b'{"data": "\xff"}').status_code == 400


@pytest.mark.parametrize("headers", [{"Content-Type": "text/plain"}, {"Content-Encoding": "gzip"}])
def test_other_media_types_and_encodings_are_415(bench: Bench, headers: dict[str, str | None]) -> None:
    """Only JSON, not compressed."""
    response = bench.call("POST", IMPORT, body(email="a@example.com"), headers=headers)
    assert response.status_code == 415


def test_a_body_over_five_megabytes_is_413(bench: Bench) -> None:
    """Decimal megabytes: one byte more is refused, the last one is not."""
    row = profile(email="a@example.com")
    content = json.dumps(import_body(row)).encode()
    fits = content + b" " * (5_000_000 - len(content))
    assert bench.call("POST", JOBS, content=fits).status_code == 202
    assert bench.call("POST", JOBS, content=fits + b" ").status_code == 413


def test_a_single_profile_over_100_kilobytes_is_413(bench: Bench) -> None:
    """The single endpoints have a limit of their own."""
    response = bench.post(IMPORT, body(email="a@example.com", properties={"x": "y" * 100_000}))
    assert response.status_code == 413


def test_at_most_100_errors_are_named_in_one_answer(bench: Bench) -> None:
    """A client has to be ready to ask again."""
    response = bench.post(JOBS, import_body(*(profile(email=f"bad{i}") for i in range(150))))
    assert len(errors(response)) == 100


def test_error_ids_are_unique(bench: Bench) -> None:
    """Each entry has an id of its own."""
    entries = [bench.call("GET", "/api/nothing").json()["errors"][0]["id"] for _ in range(3)]
    assert len(set(entries)) == 3
