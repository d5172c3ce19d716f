"""Is something really not there? Asked once more by its id before it is removed from Klaviyo."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from shared.budget import Budget
from shared.commercetools.catalog import Reference
from shared.commercetools.client import CommercetoolsClient
from shared.commercetools.kinds import ResourceKind, T
from shared.commercetools.reads import one
from shared.errors import Gone, Host, TransientError
from shared.reading.lookups import READ_S
from shared.together import results, together

ASKED_AT_ONCE = 8


def confirm_gone(ids: Iterable[str], kind: ResourceKind[T], client: CommercetoolsClient, budget: Budget) -> None:
    """Make sure that these are not to be read: a query may not know yet what was made or published a moment ago.

    Raises `TransientError` for what is there all the same, so that it is read again later, and what the client raises.
    """
    calls = [partial(_is_there, f"{kind.path}/{resource_id}", kind.params, client, budget) for resource_id in ids]
    if any(results(together(calls, budget, threads=ASKED_AT_ONCE))):
        raise TransientError(f"a query of {kind.path} did not find what is there by its id", host=Host.COMMERCETOOLS)


def _is_there(path: str, params: Sequence[tuple[str, str]], client: CommercetoolsClient, budget: Budget) -> bool:
    try:
        one(client, path, Reference, budget=budget, read_timeout_s=READ_S, params=params)
    except Gone:
        return False
    return True
