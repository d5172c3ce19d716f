"""How long the command line waits for the import API."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from shared.bulk.http.api import CALL_S
from shared.cli.api_client import ImportApi


class Waits:
    """An import API that notes how long its caller would wait for the answer, in seconds."""

    def __init__(self) -> None:
        self.timeouts: list[dict[str, float]] = []
        self.client = httpx.Client(transport=httpx.MockTransport(self._answer))
        self.api = ImportApi("http://import.example.com", self.client)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.timeouts.append(request.extensions["timeout"])
        return httpx.Response(200, json={})


@pytest.mark.parametrize(
    ("call", "arguments"), [("start", ("customers", {})), ("stop", ("customers",)), ("resume", ("run-1",)), ("retry", ("run-1",))]
)
def test_a_change_is_waited_for_longer_than_the_api_takes(call: str, arguments: tuple[Any, ...]) -> None:
    """Nobody is told that the API does not answer about a run that begins a moment later."""
    waits = Waits()
    with waits.client:
        getattr(waits.api, call)(*arguments)
    [timeout] = waits.timeouts
    assert timeout["read"] > CALL_S
    assert timeout["connect"] <= 30, "an address where nobody is costs no minute"


def test_a_look_is_given_up_after_half_a_minute() -> None:
    """Watching asks again anyway."""
    waits = Waits()
    with waits.client:
        waits.api.statuses()
    [timeout] = waits.timeouts
    assert timeout["read"] == 30
