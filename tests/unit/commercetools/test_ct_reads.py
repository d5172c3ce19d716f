"""Typed reads: what is not what the API documents (commercetools.md 3)."""

from __future__ import annotations

import pytest

from shared.commercetools.reads import decoded
from shared.commercetools.resources import Customer
from shared.errors import HostDown


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"id": "c-1", "firstName": "Zo\xeb"}', b'{"more": ' + b"[" * 100_000])
def test_what_is_no_json_is_the_hosts_fault_and_worth_another_try(body: bytes) -> None:
    """A proxy's page, a byte that is no UTF-8, brackets without end."""
    with pytest.raises(HostDown) as caught:
        decoded(body, Customer, "GET customers")
    assert str(caught.value) == "commercetools gave no readable answer to GET customers"
