"""Fixtures: a simulated Klaviyo on a clock that tests move."""

from collections.abc import Callable
from typing import Any

import pytest
from klaviyo_bench import VENDOR_DOCUMENT, Bench, ResponseSchemas

from sandbox.klaviyo import KlaviyoSandboxSettings


@pytest.fixture(scope="session")
def response_schemas() -> ResponseSchemas | None:
    """The vendor's response schemas, None where the vendor's document is absent."""
    return ResponseSchemas() if VENDOR_DOCUMENT.exists() else None


@pytest.fixture
def make_bench(response_schemas: ResponseSchemas | None) -> Callable[..., Bench]:
    """Builds a simulator with other settings than the default ones."""

    def make(**settings: Any) -> Bench:
        return Bench(KlaviyoSandboxSettings(**settings), response_schemas)

    return make


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    """A simulator with default settings."""
    return make_bench()
