"""Tokens: who gets one, how long it lives, what it allows."""

from collections.abc import Callable
from typing import Any

import pytest


def test_a_token_is_given_for_basic_credentials(ct: Any) -> None:
    """The answer has OAuth's fields, the configured lifetime and the scopes with the project key."""
    body = ct.token().json()
    assert body["token_type"] == "Bearer"
    assert (body["expires_in"], body["scope"]) == (172_800, "manage_project:sandbox")
    assert len(body["access_token"]) >= 32


@pytest.mark.parametrize("auth", [None, ("sandbox-client", "wrong"), ("nobody", "sandbox-secret")])
def test_wrong_credentials_are_a_401(ct: Any, auth: tuple[str, str] | None) -> None:
    """Without the right client id and secret there is no token."""
    answer = ct.send("POST", "/oauth/token", data={"grant_type": "client_credentials"}, auth=auth)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_credentials_in_the_body_are_not_enough(ct: Any) -> None:
    """commercetools wants HTTP Basic authentication."""
    form = {"grant_type": "client_credentials", "client_id": "sandbox-client", "client_secret": "sandbox-secret"}
    assert ct.send("POST", "/oauth/token", data=form).status_code == 401


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"scope": "view_orders:sandbox"}, "invalid_scope"),
        ({"scope": "view_customers:other"}, "invalid_scope"),
        ({"scope": "view_customers"}, "invalid_scope"),
    ],
)
def test_other_grants_and_scopes_are_a_400(make_simulator: Callable[..., Any], form: dict[str, str], error: str) -> None:
    """Only client credentials, and only scopes that the client was granted, for this project."""
    answer = make_simulator(scopes=("view_customers",)).token(**form)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer.json()["errors"][0]["code"] == error


def test_a_token_expires(make_simulator: Callable[..., Any]) -> None:
    """One second before its end a token works, at its end it does not, and a new one does."""
    ct = make_simulator(token_lifetime_s=60).login()
    ct.now += 59
    assert ct.get("/customers", limit=0).status_code == 200
    ct.now += 1
    answer = ct.get("/customers", limit=0)
    assert (answer.status_code, answer.json()) == (
        401,
        {
            "statusCode": 401,
            "message": "invalid_token",
            "errors": [{"code": "invalid_token", "message": "invalid_token"}],
            "error": "invalid_token",
        },
    )
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert ct.login().get("/customers", limit=0).status_code == 200


def test_all_tokens_can_be_revoked_at_once(ct: Any) -> None:
    """After the control call every token is refused, until there is a new one."""
    assert ct.send("POST", "/_sandbox/tokens/revoke").json() == {"revoked": 1}
    assert ct.get("/customers").status_code == 401
    assert ct.login().get("/customers").status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}])
@pytest.mark.parametrize(("method", "path"), [("GET", "/customers"), ("POST", "/graphql"), ("POST", "/subscriptions")])
def test_without_a_valid_token_nothing_is_answered(ct: Any, headers: dict[str, str], method: str, path: str) -> None:
    """Missing, unknown and wrong kinds of credentials are a 401 everywhere."""
    assert ct.send(method, f"/sandbox{path}", headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("scope", "allowed", "refused"),
    [
        ("view_customers", ["/customers", "/customer-groups", "/custom-objects/x"], ["/stores", "/subscriptions"]),
        ("manage_customers", ["/customers", "/customer-groups"], ["/channels"]),
        ("view_customer_groups", ["/customer-groups"], ["/customers"]),
        ("view_products", ["/channels", "/custom-objects/x"], ["/customers", "/stores"]),
        ("view_stores", ["/stores"], ["/channels"]),
        ("manage_subscriptions", ["/subscriptions"], ["/customers", "/custom-objects/x"]),
        ("manage_key_value_documents", ["/custom-objects/x"], ["/customers"]),
        ("manage_project", ["/customers", "/stores", "/channels", "/subscriptions", "/custom-objects/x"], []),
    ],
)
def test_scopes_decide_what_may_be_read(
    make_simulator: Callable[..., Any], scope: str, allowed: list[str], refused: list[str]
) -> None:
    """Each resource has its own scopes; managing includes viewing; a missing scope is a 403."""
    ct = make_simulator(scopes=(scope,)).login()
    assert [ct.get(path).status_code for path in allowed] == [200] * len(allowed)
    for path in refused:
        answer = ct.get(path)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, "insufficient_scope")


def test_viewing_does_not_include_managing(make_simulator: Callable[..., Any]) -> None:
    """Custom objects need a managing scope to be written."""
    ct = make_simulator(scopes=("view_customers", "view_key_value_documents")).login()
    draft = {"container": "a", "key": "b", "value": 1}
    assert ct.call("POST", "/custom-objects", json=draft).status_code == 403
    assert ct.call("DELETE", "/custom-objects/a/b").status_code == 403


def test_a_narrower_token_can_be_asked_for(make_simulator: Callable[..., Any]) -> None:
    """A token has the scopes that were asked for, not all that were granted."""
    ct = make_simulator(scopes=("view_customers", "view_stores")).login(scope="view_stores:sandbox")
    assert (ct.get("/stores").status_code, ct.get("/customers").status_code) == (200, 403)


def test_graphql_needs_the_scope_of_what_it_reads(make_simulator: Callable[..., Any]) -> None:
    """The scope of a GraphQL field is that of the resource."""
    ct = make_simulator(scopes=("view_stores",)).login()
    assert ct.graph("{ stores { count } }").status_code == 200
    assert ct.graph("{ customers { count } }").status_code == 403


def test_a_token_is_for_its_project(ct: Any) -> None:
    """Another project's path is a 403."""
    assert ct.send("GET", "/other/customers", headers=ct.headers).status_code == 403
