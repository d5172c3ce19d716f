"""Typed reads of single resources and of the few that a condition names (commercetools.md 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import GenericAlias
from typing import Protocol, TypeVar
from urllib.parse import quote

import msgspec

from shared.budget import Budget
from shared.commercetools.client import CommercetoolsClient, unreadable
from shared.commercetools.scan import IDS_PER_GET, PAGE, field_path
from shared.decoding import UNDECODABLE
from shared.errors import Host, PermanentError
from shared.outcomes import PathKind

UNREADABLE = "unreadable"
"""The reason of a resource that is not what the API documents."""

_MOST_VALUE_CHARS = 6_000  # of values in one query string, encoded (commercetools.md 3: below 8 KB)


class Identified(Protocol):
    """Whatever has an id, by which pages go on."""

    @property
    def id(self) -> str:
        """The id."""


T = TypeVar("T")
Row = TypeVar("Row", bound=Identified)


class _Id(msgspec.Struct):
    id: str


class _Page(msgspec.Struct):
    results: msgspec.Raw


def one(
    client: CommercetoolsClient,
    path: str,
    resource_type: type[T],
    *,
    budget: Budget,
    read_timeout_s: float,
    params: Sequence[tuple[str, str]] = (),
) -> T:
    """The resource at `path`. Raises `Gone` when there is none, `PermanentError` when it has another form, else as the client."""
    body = client.get(path, params, budget=budget, read_timeout_s=read_timeout_s)
    return decoded(body, resource_type, f"GET {path.partition('/')[0]}")


def rows(
    client: CommercetoolsClient,
    path: str,
    row_type: type[Row],
    where: str,
    variables: Mapping[str, str | Sequence[str]],
    *,
    budget: Budget,
    read_timeout_s: float,
    kind: PathKind = PathKind.COLLECTION,
    expand: Sequence[str] = (),
    on_unreadable: Callable[[str, str], None] | None = None,
) -> list[Row]:
    """All resources of a collection that fulfil the constant condition `where`, in id order, over all pages.

    `variables` are its input variables (`sku in :sku`). Rows of another form are told to `on_unreadable`, by id and the path
    of the field, and left out; without it they raise `PermanentError`. Raises what the client raises.
    """
    fixed = [("sort", "id asc"), ("limit", str(PAGE)), ("withTotal", "false"), *(("expand", name) for name in expand)]
    asked = [("where", where), *_inputs(variables)]
    found: list[Row] = []
    behind: list[tuple[str, str]] = []
    while True:
        params = [*asked, *behind, *fixed]
        body = client.get(path, params, budget=budget, kind=kind, read_timeout_s=read_timeout_s)
        try:
            page = _decoded_rows(body, row_type, f"GET {path}")
            ids = [row.id for row in page]
        except PermanentError:
            if on_unreadable is None:
                raise
            page, ids = _readable_rows(body, row_type, f"GET {path}", on_unreadable)
        found += page
        if len(ids) < PAGE:
            return found
        behind = [("where", "id > :after"), ("var.after", ids[-1])]


def first(
    client: CommercetoolsClient,
    path: str,
    row_type: type[T],
    where: str,
    variables: Mapping[str, str | Sequence[str]],
    *,
    sort: Sequence[str],
    budget: Budget,
    read_timeout_s: float,
) -> tuple[T, bytes] | None:
    """The first resource in the order of `sort` that fulfils `where`, and its JSON; None when there is none."""
    order = [*(("sort", key) for key in sort), ("limit", "1"), ("withTotal", "false")]
    params = [("where", where), *_inputs(variables), *order]
    body = client.get(path, params, budget=budget, kind=PathKind.COLLECTION, read_timeout_s=read_timeout_s)
    found = _decoded_rows(body, msgspec.Raw, f"GET {path}")
    if not found:
        return None
    raw = bytes(found[0])
    return decoded(raw, row_type, f"GET {path}"), raw


def chunked(values: Iterable[str], most: int = IDS_PER_GET) -> Iterator[list[str]]:
    """The values, each once and sorted, in pieces that fit one query string."""
    piece: list[str] = []
    chars = 0
    for value in sorted(set(values)):
        size = len(quote(value, safe=""))
        if piece and (len(piece) == most or chars + size > _MOST_VALUE_CHARS):
            yield piece
            piece, chars = [], 0
        piece.append(value)
        chars += size
    if piece:
        yield piece


def decoded(body: bytes | msgspec.Raw, wanted: type[T], operation: str) -> T:
    """JSON as `wanted`. Raises `PermanentError` for JSON of another form, `HostDown` for what is no JSON."""
    pointer = ""
    try:
        return msgspec.json.decode(body, type=wanted)
    except msgspec.ValidationError as error:
        pointer = field_path(error)
    except UNDECODABLE:
        raise unreadable(operation) from None
    raise PermanentError(UNREADABLE, host=Host.COMMERCETOOLS, status=200, pointer=pointer)


def _decoded_rows(body: bytes, row_type: type[T], operation: str) -> list[T]:
    page = decoded(body, _Page, operation)
    found: list[T] = decoded(page.results, GenericAlias(list, (row_type,)), operation)  # type: ignore[arg-type] # a type, too
    return found


def _readable_rows(
    body: bytes, row_type: type[Row], operation: str, on_unreadable: Callable[[str, str], None]
) -> tuple[list[Row], list[str]]:
    """The rows that have the form, and the ids of all."""
    readable: list[Row] = []
    ids: list[str] = []
    for raw in _decoded_rows(body, msgspec.Raw, operation):
        ids.append(decoded(raw, _Id, operation).id)
        try:
            readable.append(decoded(raw, row_type, operation))
        except PermanentError as error:
            on_unreadable(ids[-1], error.pointer or "")
    return readable, ids


def _inputs(variables: Mapping[str, str | Sequence[str]]) -> list[tuple[str, str]]:
    return [
        (f"var.{name}", value) for name, given in variables.items() for value in ((given,) if isinstance(given, str) else given)
    ]
