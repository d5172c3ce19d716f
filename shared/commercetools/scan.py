"""Reading many resources: ids over GraphQL for the plan, whole resources over REST for the work (decisions.md 10)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from types import GenericAlias
from typing import Generic, TypeAlias, TypeVar

import msgspec

from shared.background import awaited, in_background
from shared.budget import Budget
from shared.commercetools.client import CommercetoolsClient, unreadable
from shared.commercetools.kinds import ResourceKind, T
from shared.commercetools.predicates import Filter
from shared.commercetools.verdict import QUERY_TOO_COMPLEX, Forbidden
from shared.decoding import UNDECODABLE
from shared.errors import PermanentError
from shared.outcomes import PathKind

PAGE = 500
IDS_PER_GET = 100  # a longer query string may be refused (commercetools.md 3)
TOTAL_CAP = 10_000
SMALLEST_PAGE = 20
FIRST_SIZED_PAGE = 5  # of a kind whose pages are sized by what the one before held
SIZED_PAGE_GROWTH = 10  # how many times as many rows the next one may have: a few rows tell little of the others
_PLACE = re.compile(r".* - at `\$([^`]*)`", re.DOTALL)  # greedy: a value quoted before it cannot pass for the place

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A row that is not what the API documents: its id and where it differs (`addresses[0].country`), no value."""

    id: str
    field_path: str


Page: TypeAlias = list[T | Undecodable]


class _Id(msgspec.Struct):
    id: str


class _IdResults(msgspec.Struct):
    results: list[_Id]


class _Total(msgspec.Struct):
    total: int


class _IdPage(msgspec.Struct):
    page: _IdResults


class _TotalPage(msgspec.Struct):
    page: _Total


class _IdAnswer(msgspec.Struct):
    data: _IdPage


class _TotalAnswer(msgspec.Struct):
    data: _TotalPage


class _RestAnswer(msgspec.Struct):
    results: msgspec.Raw


_REST_ANSWER = msgspec.json.Decoder(_RestAnswer)
_RAW_ROWS = msgspec.json.Decoder(list[msgspec.Raw])
_ID_ANSWER = msgspec.json.Decoder(_IdAnswer)
_TOTAL_ANSWER = msgspec.json.Decoder(_TotalAnswer)
_ID = msgspec.json.Decoder(_Id)


def id_page(
    client: CommercetoolsClient, kind: ResourceKind[T], where: Filter, after: str | None, limit: int = PAGE, *, budget: Budget
) -> list[str]:
    """The next ids in id order behind `after` (None: from the start).

    Fewer than `limit` come back only where the ids end. A query that is refused as too complex is asked again in
    halves. Raises what the client raises.
    """
    selection = f'page: {kind.graphql_field}(where: $where, sort: ["id asc"], limit: $limit) {{ results {{ id }} }}'
    document = f"query($where: String, $limit: Int) {{ {selection} }}"
    ids: list[str] = []
    size = PAGE
    while len(ids) < limit:
        asked = min(size, limit - len(ids))
        variables = {"where": where.after(after).graphql_where(), "limit": asked}
        try:
            body = client.graphql(document, variables, budget=budget)
        except PermanentError as error:
            if error.reason != QUERY_TOO_COMPLEX or asked <= SMALLEST_PAGE:
                raise
            size = asked // 2
            continue
        page = [row.id for row in _decoded(_ID_ANSWER, body, "POST graphql").data.page.results]
        ids += page
        if len(page) < asked:
            break
        after = page[-1]
    return ids


def count(client: CommercetoolsClient, kind: ResourceKind[T], where: Filter, *, budget: Budget) -> int | None:
    """How many there are; None when commercetools does not say, because totals with a predicate end at 10,000."""
    document = f"query($where: String) {{ page: {kind.graphql_field}(where: $where, limit: 1) {{ total }} }}"
    predicate = where.graphql_where()
    body = client.graphql(document, {"where": predicate}, budget=budget)
    total = _decoded(_TOTAL_ANSWER, body, "POST graphql").data.page.total
    return None if predicate is not None and total >= TOTAL_CAP else total


def pages(
    client: CommercetoolsClient,
    kind: ResourceKind[T],
    where: Filter,
    first: str,
    last: str,
    *,
    budget: Budget,
    page_size: int = PAGE,
    on_forbidden: Callable[[Forbidden], None] = lambda _error: None,
) -> Iterator[Page[T]]:
    """All resources with ids from `first` to `last` that pass the filter, in id order, a page at a time.

    The next page is fetched while the caller handles this one, so two pages are held at most; of a kind with `page_bytes`
    a page has as many rows as fit, as far as the page before tells. `on_forbidden` is called
    once, in the fetching thread, when the credentials may not read what `kind.expand` names; reading goes on without.
    Raises what the client raises, and `Interrupted` within a second of a stop.
    """
    reader = _Reader(client, kind, page_size, budget, on_forbidden)
    wanted = where.within(first, last)

    def fetched_ahead(which: Filter) -> Future[_Fetched[T]]:
        return in_background(lambda: reader.page(which), name="commercetools-page")

    ahead: Future[_Fetched[T]] | None = fetched_ahead(wanted)
    while ahead:
        fetched = awaited(ahead, budget)
        ahead = None
        if fetched.is_full and fetched.ids[-1] < last:
            ahead = fetched_ahead(wanted.after(fetched.ids[-1]))
        if fetched.rows:
            yield fetched.rows


def by_ids(
    client: CommercetoolsClient,
    kind: ResourceKind[T],
    ids: Collection[str],
    *,
    budget: Budget,
    on_forbidden: Callable[[Forbidden], None] = lambda _error: None,
) -> Iterator[Page[T]]:
    """The resources with these ids, in id order, a hundred a request; those that do not exist are simply not there.

    Read ahead, stopped and raising as `pages`.
    """
    reader = _Reader(client, kind, IDS_PER_GET, budget, on_forbidden)
    ordered = sorted(set(ids))
    begun = 0

    def fetched_ahead() -> Future[_Fetched[T]] | None:
        nonlocal begun
        piece = tuple(ordered[begun : begun + reader.page_size])
        begun += len(piece)
        return in_background(lambda: reader.page(Filter(ids=piece)), name="commercetools-page") if piece else None

    ahead = fetched_ahead()
    while ahead:
        fetched = awaited(ahead, budget)
        ahead = fetched_ahead()
        if fetched.rows:
            yield fetched.rows


@dataclass(frozen=True, slots=True)
class _Fetched(Generic[T]):
    rows: Page[T]
    ids: list[str]
    is_full: bool


class _Reader(Generic[T]):
    """Reads single pages of a kind, one after the other; remembers that an expansion is not allowed.

    `page_size` is how many rows the next page asks for.
    """

    def __init__(
        self,
        client: CommercetoolsClient,
        kind: ResourceKind[T],
        page_size: int,
        budget: Budget,
        on_forbidden: Callable[[Forbidden], None],
    ) -> None:
        self._client = client
        self._kind = kind
        self._budget = budget
        self._on_forbidden = on_forbidden
        self._expand = kind.expand
        self._most = page_size
        self.page_size = min(page_size, FIRST_SIZED_PAGE) if kind.page_bytes else page_size
        self._row = msgspec.json.Decoder(kind.resource_type)
        self._rows: msgspec.json.Decoder[list[T]] = msgspec.json.Decoder(GenericAlias(list, (kind.resource_type,)))

    def page(self, where: Filter) -> _Fetched[T]:
        """One page: its rows, and the ids of all of them."""
        operation = f"GET {self._kind.path}"
        asked = self.page_size
        results = _decoded(_REST_ANSWER, self._body(where), operation).results
        rows = self._decoded_rows(results, operation)
        if self._kind.page_bytes and rows:
            fitting = self._kind.page_bytes * len(rows) // len(memoryview(results))
            self.page_size = max(1, min(self._most, fitting, len(rows) * SIZED_PAGE_GROWTH))
        return _Fetched(rows, [row.id for row in rows], is_full=len(rows) == asked)

    def _decoded_rows(self, results: msgspec.Raw, operation: str) -> Page[T]:
        if not self._kind.keeps_json:
            try:
                return [*self._rows.decode(results)]
            except msgspec.ValidationError:
                pass
        return [self._one(raw, operation) for raw in _decoded(_RAW_ROWS, results, operation)]

    def _one(self, raw: msgspec.Raw, operation: str) -> T | Undecodable:
        try:
            row = self._row.decode(raw)
            return msgspec.structs.replace(row, json=raw) if self._kind.keeps_json else row
        except msgspec.ValidationError as error:
            return Undecodable(_decoded(_ID, raw, operation).id, field_path(error))

    def _body(self, where: Filter) -> bytes:
        sized = [("sort", "id asc"), ("limit", str(self.page_size)), ("withTotal", "false")]
        params = [*where.rest_params(), *self._kind.params, *sized]
        if self._expand:
            expanded = [*params, *(("expand", path) for path in self._expand)]
            try:
                return self._client.get(self._kind.path, expanded, budget=self._budget, kind=PathKind.OPTIONAL_LOOKUP)
            except Forbidden as error:
                forbidden = error
            body = self._client.get(self._kind.path, params, budget=self._budget, kind=PathKind.COLLECTION)
            self._expand = ()
            self._on_forbidden(forbidden)
            return body
        return self._client.get(self._kind.path, params, budget=self._budget, kind=PathKind.COLLECTION)


def field_path(error: msgspec.ValidationError) -> str:
    """Where a value has the wrong type, such as `addresses[0].country`; never the value, which the message may hold."""
    found = _PLACE.fullmatch(str(error))
    return found[1].lstrip(".") if found and found[1] else "(whole)"


def _decoded(decoder: msgspec.json.Decoder[R], body: bytes | msgspec.Raw, operation: str) -> R:
    try:
        return decoder.decode(body)
    except UNDECODABLE:
        pass
    raise unreadable(operation)
