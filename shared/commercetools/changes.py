"""What changed since a moment, in the order of change, and how some ids stand by now (flows.md "Closing sweep")."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import msgspec

from shared.budget import Budget
from shared.commercetools.client import CommercetoolsClient, unreadable
from shared.commercetools.kinds import ResourceKind
from shared.commercetools.predicates import Filter, ModifiedCursor
from shared.commercetools.scan import PAGE, SMALLEST_PAGE
from shared.commercetools.verdict import QUERY_TOO_COMPLEX
from shared.decoding import UNDECODABLE
from shared.errors import PermanentError
from shared.outcomes import PathKind

IN_ORDER = ("lastModifiedAt asc", "id asc")

R = TypeVar("R")
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Changes:
    """A page of changes: ids or SKUs in the order of change, and the last of them; `ended`: there are no more for now."""

    found: list[str]
    last: ModifiedCursor | None
    ended: bool


class _Changed(msgspec.Struct):
    id: str
    lastModifiedAt: str  # noqa: N815 - the API's name


class _ChangedSku(_Changed):
    sku: str | None = None


class _Id(msgspec.Struct):
    id: str


class _MasterData(msgspec.Struct, frozen=True):
    published: bool


class Standing(msgspec.Struct, frozen=True, rename="camel"):
    """How a resource stands: its version, and of a product whether it is published."""

    id: str
    version: int
    master_data: _MasterData | None = None

    @property
    def published(self) -> bool:
        """Whether it is to be seen: everything is that is no product."""
        return self.master_data is None or self.master_data.published


class _Page(msgspec.Struct):
    results: msgspec.Raw


class _Data(msgspec.Struct):
    page: _Page


class _Answer(msgspec.Struct):
    data: _Data


_ANSWER = msgspec.json.Decoder(_Answer)
_PAGE = msgspec.json.Decoder(_Page)
_CHANGED = msgspec.json.Decoder(list[_Changed])
_CHANGED_SKUS = msgspec.json.Decoder(list[_ChangedSku])
_IDS = msgspec.json.Decoder(list[_Id])
_STANDINGS = msgspec.json.Decoder(list[Standing])
_STANDING = {"products": "id version masterData { published }"}


def changed_ids(
    client: CommercetoolsClient, kind: ResourceKind[Any], where: Filter, limit: int = PAGE, *, budget: Budget
) -> Changes:
    """The next ids in (lastModifiedAt, id) order; `where` says since when and behind which one (`Filter.behind`).

    One that changes meanwhile comes again at the end. A query that is refused as too complex is asked again in halves.
    Raises what the client raises.
    """
    selection = f"page: {kind.graphql_field}(where: $where, sort: $sort, limit: $limit) {{ results {{ id lastModifiedAt }} }}"
    document = f"query($where: String, $sort: [String!], $limit: Int) {{ {selection} }}"

    def page(size: int) -> list[_Changed]:
        variables = {"where": where.graphql_where(), "sort": list(IN_ORDER), "limit": size}
        return _rows(client, document, variables, _CHANGED, budget)

    rows, asked = _in_halves(page, min(limit, PAGE))
    return Changes([row.id for row in rows], _last(rows), ended=len(rows) < asked)


def changed_skus(client: CommercetoolsClient, path: str, where: Filter, *, budget: Budget) -> Changes:
    """The SKUs of the next 500 rows of `inventory` or `standalone-prices`, in the order of `changed_ids`.

    Raises `Forbidden` when the credentials may not read them, else what the client raises.
    """
    params = [*where.rest_params(), *(("sort", key) for key in IN_ORDER), ("limit", str(PAGE)), ("withTotal", "false")]
    body = client.get(path, params, budget=budget, kind=PathKind.OPTIONAL_LOOKUP)
    operation = f"GET {path}"
    rows = _decoded(_CHANGED_SKUS, _decoded(_PAGE, body, operation).results, operation)
    return Changes([row.sku for row in rows if row.sku], _last(rows), ended=len(rows) < PAGE)


def existing(
    client: CommercetoolsClient, kind: ResourceKind[Any], ids: Sequence[str], where: Filter, *, budget: Budget
) -> set[str]:
    """Those of up to 500 `ids` whose resources exist and pass the filter.

    A query that is refused as too complex is asked again in halves. Raises what the client raises.
    """
    return {row.id for page in _pages_of_ids(client, kind, ids, where, "id", _IDS, budget) for row in page}


def standings(client: CommercetoolsClient, kind: ResourceKind[Any], ids: Iterable[str], *, budget: Budget) -> dict[str, Standing]:
    """How these stand at this moment, by id; what does not exist is not there. One query for 500; otherwise as `existing`."""
    fields = _STANDING.get(kind.graphql_field, "id version")
    pages = _pages_of_ids(client, kind, sorted(set(ids)), Filter(), fields, _STANDINGS, budget)
    return {row.id: row for page in pages for row in page}


def _pages_of_ids(
    client: CommercetoolsClient,
    kind: ResourceKind[Any],
    ids: Sequence[str],
    where: Filter,
    fields: str,
    decoder: msgspec.json.Decoder[list[Row]],
    budget: Budget,
) -> Iterator[list[Row]]:
    document = (
        "query($where: String, $limit: Int)"
        f" {{ page: {kind.graphql_field}(where: $where, limit: $limit) {{ results {{ {fields} }} }} }}"
    )
    size, start = PAGE, 0

    def page(size: int) -> list[Row]:
        asked = replace(where, ids=tuple(ids[start : start + size]))
        return _rows(client, document, {"where": asked.graphql_where(), "limit": PAGE}, decoder, budget)

    while start < len(ids):
        rows, size = _in_halves(page, size)
        yield rows
        start += size


def _in_halves(page: Callable[[int], list[Row]], size: int) -> tuple[list[Row], int]:
    """A page of `size` rows, or of half as many as long as that is refused as too complex; and the size that was not."""
    while True:
        try:
            return page(size), size
        except PermanentError as error:
            if error.reason != QUERY_TOO_COMPLEX or size <= SMALLEST_PAGE:
                raise
        size //= 2


def _rows(
    client: CommercetoolsClient,
    document: str,
    variables: dict[str, Any],
    decoder: msgspec.json.Decoder[list[Row]],
    budget: Budget,
) -> list[Row]:
    body = client.graphql(document, variables, budget=budget)
    operation = "POST graphql"
    return _decoded(decoder, _decoded(_ANSWER, body, operation).data.page.results, operation)


def _last(rows: Sequence[_Changed]) -> ModifiedCursor | None:
    return ModifiedCursor(rows[-1].lastModifiedAt, rows[-1].id) if rows else None


def _decoded(decoder: msgspec.json.Decoder[R], body: bytes | msgspec.Raw, operation: str) -> R:
    try:
        return decoder.decode(body)
    except UNDECODABLE:
        pass
    raise unreadable(operation)
