"""The import API's answers where something is wrong: each is a status that its own document names (http-api.md)."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
from shell_world import World

from shared.bulk.http.api import OFFERED, answer
from shared.bulk.http.openapi import openapi_document
from shared.bulk.ports import RunStore
from shared.errors import HostDown
from shared.http import ApiRequest, ApiResponse

OPEN = {"/", "/health", "/openapi.json"}
CALLS = {
    (method, path): set(operation["responses"])
    for path, item in openapi_document(OFFERED)["paths"].items()
    for method, operation in item.items()
    if method != "parameters" and path not in OPEN
}


@dataclass(frozen=True)
class Silent:
    """A store that does not answer."""

    def __getattr__(self, name: str) -> Any:
        def silent(*_: object, **__: object) -> None:
            raise HostDown(f"no answer to {name}")

        return silent


def _called(world: World, call: tuple[str, str], body: bytes = b"", *, silent: bool = False) -> ApiResponse:
    method, path = call
    app = replace(world.app, store=cast(RunStore, Silent())) if silent else world.app
    address = path.replace("{kind}", "customers").replace("{runId}", "nobody")
    return answer(app, ApiRequest(method.upper(), address, {"host": "localhost"}, {}, body))


def test_every_call_says_that_the_store_does_not_answer(world: World) -> None:
    """503, and the document knows it."""
    for call, documented in CALLS.items():
        assert _called(world, call, silent=True).status == 503, call
        assert "503" in documented, call


def test_every_call_that_takes_a_body_refuses_a_field_that_it_does_not_know(world: World) -> None:
    """400, and the document knows it."""
    for call, documented in CALLS.items():
        if call[0] == "post":
            assert _called(world, call, b'{"nonsense": 1}').status == 400, call
            assert "400" in documented, call


@pytest.mark.parametrize(
    ("limit", "status"),
    [("1", 200), ("100", 200), ("0", 400), ("101", 400), ("0099999999", 400), ("1000", 400), ("-1", 400), ("", 400), ("²", 400)],
)
def test_of_the_runs_one_to_a_hundred_can_be_listed(world: World, limit: str, status: int) -> None:
    """However the number is written."""
    response = answer(world.app, ApiRequest("GET", "/runs", {"host": "localhost"}, {"limit": limit}))
    assert response.status == status
    if status == 400:
        assert [problem["field"] for problem in json.loads(response.body)["problems"]] == ["limit"]
