"""The same data again changes nothing, one bad row costs that row, clashing identifiers lose nobody (mapping.md "Profiles")."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.launch import KLAVIYO_KEY, Sandbox, sandbox
from shared.local.listening import free_port
from tests.e2e.conftest import CUSTOMERS, HTTP, Product

ONE_BATCH = 10_000
IMPORT = "POST /api/profile-bulk-import-jobs"
PHONE, OTHER_PHONE = "+4915112345678", "+4915112345679"
SAME_EMAIL = "same_email_as_newer_customer"


def _people(servers: Sandbox, count: int) -> list[dict[str, Any]]:
    """The first customers of the project, the oldest first."""
    url, params = f"{servers.commercetools.url}/_sandbox/customers", {"whole": "true", "limit": str(count)}
    lines = HTTP.get(url, params=params, timeout=60.0).text.splitlines()
    return sorted((json.loads(line) for line in lines), key=lambda person: person["createdAt"])


def _change(servers: Sandbox, customer_id: str, **fields: Any) -> None:
    url = f"{servers.commercetools.url}/_sandbox/customers/{customer_id}"
    HTTP.patch(url, json=fields, timeout=30.0).raise_for_status()


def _with_phone(number: str) -> dict[str, Any]:
    return {
        "addresses": [{"id": "home", "country": "DE", "mobile": number}],
        "billingAddressIds": ["home"],
        "defaultBillingAddressId": "home",
        "shippingAddressIds": [],
        "defaultShippingAddressId": None,
    }


def _effects(servers: Sandbox, after: int = 0) -> Counter[str]:
    """What happened to Klaviyo's profiles, by kind, from effect number `after` on."""
    kinds: Counter[str] = Counter()
    while True:
        params = {"what": "effects", "after": str(after)}
        page = HTTP.get(f"{servers.klaviyo.url}/_sandbox/ledger", params=params, timeout=30.0).json()
        kinds.update(effect["kind"] for effect in page)
        if not page:
            return kinds
        after = page[-1]["n"]


def _profile(servers: Sandbox, **by: str) -> dict[str, Any] | None:
    """The profile with this identifier, None when there is none."""
    answer = HTTP.get(f"{servers.klaviyo.url}/_sandbox/profiles", params=by, timeout=30.0)
    found: dict[str, Any] | None = None if answer.status_code == 404 else answer.json()
    return found


def _create_profile(servers: Sandbox, **attributes: Any) -> str:
    """Make a profile through Klaviyo's own API, as another tool would; its id."""
    answer = HTTP.post(
        f"{servers.klaviyo.url}/api/profiles",
        json={"data": {"type": "profile", "attributes": attributes}},
        headers={"Authorization": f"Klaviyo-API-Key {KLAVIYO_KEY}", "revision": "2026-07-15"},
        timeout=30.0,
    )
    answer.raise_for_status()
    return str(answer.json()["data"]["id"])


def _summary(servers: Sandbox) -> dict[str, dict[str, int]]:
    """How many requests Klaviyo has answered, by endpoint and status."""
    answer: dict[str, dict[str, int]] = HTTP.get(f"{servers.klaviyo.url}/_sandbox/summary", timeout=30.0).json()["by_endpoint"]
    return answer


def _writes(servers: Sandbox) -> Counter[str]:
    """The requests that Klaviyo has seen, by endpoint, without those that ask how far a job is: time decides on these."""
    polls = {"GET /api/profile-bulk-import-jobs", "GET /api/profile-bulk-import-jobs/{job_id}"}
    return Counter({name: sum(counts.values()) for name, counts in _summary(servers).items() if name not in polls})


def _imported(product: Product, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The status of an import at its end; every item is accounted for."""
    answer = product.post("/sync/customers", body)
    assert answer.status_code == 202, answer.text
    status = product.wait_finished()
    assert status["runId"] == answer.json()["runId"]
    assert status["seen"] == status["sent"] + status["skipped"] + status["failed"]
    return status


def test_the_second_import_of_the_same_data_changes_nothing_and_reports_it_as_sent(product: Product) -> None:
    """Every write of the second run finds its profile as it is; nothing is counted as failed."""
    product.start()
    first = _imported(product)
    effects = _effects(product.servers)
    assert effects == {"profile_created": first["sent"]}
    second = _imported(product)
    assert _effects(product.servers, after=effects.total()) == {"profile_unchanged": second["sent"]}
    assert (second["status"], second["seen"], second["failed"]) == ("completed", CUSTOMERS, 0)
    for field in ("sent", "skipped", "skippedReasons", "adjustments"):
        assert second[field] == first[field]
    check = product.check()
    assert (check.problems, check.missing, set(check.changes)) == ([], frozenset(), {1})


@pytest.fixture(scope="module")
def large_sandbox() -> Iterator[Sandbox]:
    """Ten thousand customers, one of them with an e-mail that Klaviyo refuses."""
    arguments = ["--customers", str(ONE_BATCH), "--malformed-emails", "1"]
    with sandbox(commercetools=arguments, klaviyo=["--job-seconds", "0.5"]) as servers:
        yield servers


def test_a_malformed_e_mail_in_a_batch_of_ten_thousand_costs_that_one_row(large_sandbox: Sandbox, tmp_path: Path) -> None:
    """Klaviyo refuses the whole request; the row is set aside, and at most three requests are made beside those that it took."""
    product = Product(large_sandbox, large_sandbox.environment(tmp_path / "state.sqlite3", free_port()))
    try:
        product.start()
        people = _people(large_sandbox, ONE_BATCH)
        (bad,) = [person for person in people if person["email"].endswith("@example,com")]
        ids = [person["id"] for person in people]
        status = _imported(product, {"ids": ids})
        assert status["batches"]["planned"] == 1
        assert (status["status"], status["failed"], status["seen"]) == ("completed_with_errors", 1, ONE_BATCH)
        (problem,) = status["problems"]
        assert problem["id"] == bad["id"]
        assert problem["pointer"].endswith("/email")
        assert product.check().missing == {bad["id"]}
        jobs = _summary(large_sandbox)[IMPORT]["202"]
        assert 1 <= _writes(large_sandbox).total() - jobs <= 3
    finally:
        for process in product.processes:
            process.stop()


def test_a_phone_goes_to_the_oldest_of_those_who_share_it_and_an_e_mail_to_the_newest(product: Product) -> None:
    """mapping.md: by `createdAt` for phones, by last modification for e-mails that differ in case; the others are counted."""
    servers = product.servers
    product.start()
    oldest, middle, youngest, first, last = _people(servers, 5)
    for person in (youngest, oldest, middle):
        _change(servers, person["id"], email=f"{person['id']}@example.com", **_with_phone(PHONE))
    _change(servers, first["id"], email="Pat.Pending@Example.com", firstName="Older", addresses=[], billingAddressIds=[])
    _change(servers, last["id"], email="pat.pending@example.com", firstName="Newer", addresses=[], billingAddressIds=[])
    people = (oldest, middle, youngest, first, last)
    status = _imported(product, {"ids": [person["id"] for person in people]})

    assert (status["status"], status["sent"], status["skippedReasons"]) == ("completed", 4, {SAME_EMAIL: 1})
    assert status["adjustments"]["phone_shared"] == 2
    owner, pat = _profile(servers, phone_number=PHONE), _profile(servers, email="pat.pending@example.com")
    assert owner is not None
    assert owner["attributes"]["external_id"] == oldest["id"]
    for person in (middle, youngest):
        profile = _profile(servers, external_id=person["id"])
        assert profile is not None
        assert profile["attributes"]["phone_number"] is None
    assert pat is not None
    assert (pat["attributes"]["external_id"], pat["attributes"]["first_name"]) == (last["id"], "Newer")
    assert _profile(servers, external_id=first["id"]) is None

    effects = _effects(servers).total()
    again = _imported(product, {"ids": [person["id"] for person in people]})
    assert (again["sent"], again["skippedReasons"]) == (4, {SAME_EMAIL: 1})
    assert _effects(servers, after=effects) == {"profile_unchanged": 4}


def test_customers_whose_identifiers_belong_to_other_profiles_are_brought_over_all_the_same(product: Product) -> None:
    """Conflicts are solved over the single endpoint: the phone is dropped, else the named profile is patched; nobody is lost."""
    servers = product.servers
    product.start()
    phone_taken, email_known, torn, plain = _people(servers, 4)
    _change(servers, phone_taken["id"], email="phone.taken@example.com", firstName="Phone", **_with_phone(PHONE))
    _change(servers, email_known["id"], email="Known@example.com", firstName="Known", **_with_phone(OTHER_PHONE))
    _change(servers, torn["id"], email="torn@example.com", firstName="Torn", addresses=[], billingAddressIds=[])
    owner = _create_profile(servers, email="somebody.else@example.com", phone_number=PHONE, first_name="Somebody")
    known = _create_profile(servers, email="known@example.com", first_name="Before")
    by_id = _create_profile(servers, external_id=torn["id"], email="torn.before@example.com", first_name="One")
    by_email = _create_profile(servers, email="torn@example.com", first_name="Two")

    people = (phone_taken, email_known, torn, plain)
    status = _imported(product, {"ids": [person["id"] for person in people]})
    assert (status["status"], status["sent"], status["failed"]) == ("completed", 4, 0)
    assert {name: status["adjustments"].get(name) for name in ("phone_refused", "identifier_conflict")} == {
        "phone_refused": 1,
        "identifier_conflict": 1,
    }
    assert _writes(servers)["POST /api/profile-import"] >= 2

    without_phone = _profile(servers, external_id=phone_taken["id"])
    assert without_phone is not None
    assert (without_phone["attributes"]["phone_number"], without_phone["attributes"]["first_name"]) == (None, "Phone")
    still_owner = _profile(servers, phone_number=PHONE)
    assert still_owner is not None
    assert (still_owner["id"], still_owner["attributes"]["first_name"], still_owner["changes"]) == (owner, "Somebody", 1)

    merged = _profile(servers, external_id=email_known["id"])
    assert merged is not None
    assert (merged["id"], merged["attributes"]["first_name"]) == (known, "Known")
    assert merged["attributes"]["phone_number"] == OTHER_PHONE

    by_external_id, by_address = _profile(servers, external_id=torn["id"]), _profile(servers, email="torn@example.com")
    assert by_external_id is not None
    assert by_address is not None
    assert (by_external_id["id"], by_address["id"]) == (by_id, by_email), "no identifier may change its owner"
    assert "Torn" in {by_external_id["attributes"]["first_name"], by_address["attributes"]["first_name"]}

    again = _imported(product, {"ids": [person["id"] for person in people]})
    assert (again["status"], again["sent"], again["adjustments"]) == ("completed", 4, status["adjustments"])
