"""Paged queries: what the parameters of a collection may say, and which rows then make a page."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sandbox.commercetools.collection import HEAD_FIELDS, TIME_FIELDS, Collection, Resource, Row
from sandbox.commercetools.condition import Every, Predicate, paths
from sandbox.commercetools.errors import ApiError, malformed
from sandbox.commercetools.expansion import Expansion, parse_expansions
from sandbox.commercetools.fields import Field, Leaf, ListOf, Node
from sandbox.commercetools.matching import bounds, matcher, named_ids, named_values
from sandbox.commercetools.predicate import Variables, parse

DEFAULT_LIMIT = 20
MAX_LIMIT = 500
MAX_OFFSET = 10_000
MAX_TOTAL = 10_000
"""The highest `total` of a query with a predicate."""

_VARIABLE = re.compile(r"var\.[A-Za-z0-9]+")
_KNOWN = frozenset({"where", "sort", "limit", "offset", "withTotal", "expand"})
_INTEGER = re.compile(r"-?\d{1,18}")


@dataclass(frozen=True, slots=True)
class SortKey:
    """One `sort` parameter: a path of field names and a direction."""

    path: tuple[str, ...]
    descending: bool


@dataclass(frozen=True, slots=True)
class PageQuery:
    """A checked query of one collection."""

    predicate: Predicate | None
    sort: tuple[SortKey, ...]
    limit: int
    offset: int
    with_total: bool
    expansions: tuple[Expansion, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page, and the number of all matches where it was asked for."""

    rows: list[Row]
    total: int | None


def parse_parameters(parameters: Iterable[tuple[str, str]], shape: Node) -> PageQuery:
    """Check the query string of a collection. Raises ApiError 400, also for a parameter that does not exist.

    The vendor ignores unknown parameters; here they are refused, since they can only be a client's mistake.
    """
    values: dict[str, list[str]] = {}
    variables: dict[str, list[str]] = {}
    for name, value in parameters:
        if _VARIABLE.fullmatch(name):
            variables.setdefault(name[4:], []).append(value)
        elif name in _KNOWN:
            values.setdefault(name, []).append(value)
        else:
            raise malformed(name, "There is no such parameter.")
    for name in ("limit", "offset", "withTotal"):
        if len(values.get(name, ())) > 1:
            raise malformed(name, "It is given more than once.")
    with_total = values.get("withTotal", ["true"])[0]
    if with_total not in ("true", "false"):
        raise malformed("withTotal", f"'{with_total}' is not a boolean.")
    return make_query(
        shape,
        where=values.get("where", ()),
        variables=variables,
        sort=values.get("sort", ()),
        limit=_integer("limit", values, DEFAULT_LIMIT),
        offset=_integer("offset", values, 0),
        with_total=with_total == "true",
        expansions=parse_expansions(values.get("expand", ()), shape),
    )


def make_query(
    shape: Node,
    *,
    where: Sequence[str],
    sort: Sequence[str],
    limit: int,
    offset: int,
    with_total: bool,
    variables: Variables | None = None,
    expansions: tuple[Expansion, ...] = (),
) -> PageQuery:
    """Check a query whose parameters have been read already. Raises ApiError 400."""
    if not 0 <= limit <= MAX_LIMIT:
        raise malformed("limit", f"'{limit}' is not within the range of 0 to {MAX_LIMIT}.")
    if not 0 <= offset <= MAX_OFFSET:
        raise malformed("offset", f"'{offset}' is not within the range of 0 to {MAX_OFFSET}.")
    predicate = parse(where, shape, variables or {})
    return PageQuery(predicate, tuple(_sort_key(text, shape) for text in sort), limit, offset, with_total, expansions)


def restricted(query: PageQuery, predicate: Predicate) -> PageQuery:
    """Return the query with one more condition."""
    parts = (predicate,) if query.predicate is None else (predicate, query.predicate)
    return PageQuery(Every(parts), query.sort, query.limit, query.offset, query.with_total, query.expansions)


def find(collection: Collection, query: PageQuery) -> Page:
    """Answer a query. Without `sort` the order is not documented; here it then descends by id."""
    rows = matches(collection, query)
    found = list(islice(rows, query.offset, query.offset + query.limit))
    if not query.with_total:
        return Page(found, None)
    if query.predicate is None:
        return Page(found, collection.count)
    if found and len(found) == query.limit:
        rest = sum(1 for _ in islice(rows, MAX_TOTAL))
        return Page(found, min(query.offset + len(found) + rest, MAX_TOTAL))
    if found:  # the matches ended inside this page
        return Page(found, min(query.offset + len(found), MAX_TOTAL))
    return Page(found, sum(1 for _ in islice(matches(collection, query), MAX_TOTAL)))


def matches(collection: Collection, query: PageQuery) -> Iterator[Row]:
    """Walk all matching rows in the query's order."""
    predicate, sort = query.predicate, query.sort
    ids = named_ids(predicate)
    if ids is not None:
        listed = [row for identifier in sorted(map(str, ids)) if (row := collection.row(identifier)) is not None]
        return _sorted(collection, _matching(collection, listed, predicate), sort)
    few = _few(collection, predicate)
    if few is not None:
        return _sorted(collection, _matching(collection, few, predicate), sort)
    first = sort[0] if sort else SortKey(("id",), descending=True)
    if first.path == ("id",):
        within = bounds(predicate, "id")
        walk = collection.by_id(within.low, within.high, descending=first.descending)
        return _matching(collection, walk, predicate)
    if first.path[0] in TIME_FIELDS and sort[1:] in ((), (SortKey(("id",), first.descending),)):
        within = bounds(predicate, first.path[0])
        walk = collection.by_time(first.path[0], within.low, within.high, descending=first.descending)
        return _matching(collection, walk, predicate)
    return _sorted(collection, _matching(collection, _narrowest(collection, predicate), predicate), sort)


def _few(collection: Collection, predicate: Predicate | None) -> list[Row] | None:
    for path in sorted(collection.paths_to_few()):
        values = named_values(predicate, path)
        if values is not None:
            return collection.with_values(path, map(str, values))
    return None


def _narrowest(collection: Collection, predicate: Predicate | None) -> Iterator[Row]:
    for field in TIME_FIELDS:
        within = bounds(predicate, field)
        if within.low is not None:
            return collection.by_time(field, within.low, within.high)
    within = bounds(predicate, "id")
    return collection.by_id(within.low, within.high)


def _matching(collection: Collection, rows: Iterable[Row], predicate: Predicate | None) -> Iterator[Row]:
    if collection.scan_limit is not None:
        rows = _in_time(rows, collection.scan_limit)
    match = matcher(predicate)
    wanted = paths(predicate)
    if wanted <= HEAD_FIELDS:
        return (row for row in rows if match(row[0]))
    if collection.has_outline(wanted):
        return (row for row in rows if match(collection.outline(row)))
    return ((resource, None) for row in rows if match(resource := collection.full(row)))


def _in_time(rows: Iterable[Row], limit: int) -> Iterator[Row]:
    for number, row in enumerate(rows):
        if number >= limit:
            raise ApiError(400, "QueryTimedOut", "The query timed out.")
        yield row


def _sorted(collection: Collection, rows: Iterator[Row], sort: tuple[SortKey, ...]) -> Iterator[Row]:
    found = list(rows)
    if any(key.path[0] not in HEAD_FIELDS for key in sort):
        found = [(collection.full(row), None) for row in found]
    for key in reversed(sort):
        found.sort(key=_sort_value(key.path), reverse=key.descending)
    return iter(found)


def _sort_value(path: tuple[str, ...]) -> Callable[[Row], tuple[bool, str, Any]]:
    def value(row: Row) -> tuple[bool, str, Any]:
        held: Any = row[0]
        for name in path:
            held = held.get(name) if isinstance(held, dict) else None
        if isinstance(held, bool | int | float):
            return True, "", held
        return held is not None, "text", str(held)

    return value


def _sort_key(text: str, shape: Node) -> SortKey:
    words = text.split()
    if len(words) not in (1, 2) or (len(words) == 2 and words[1].lower() not in ("asc", "desc")):
        raise malformed("sort", f"'{text}' is not a field and 'asc' or 'desc'.")
    path = tuple(words[0].split("."))
    field: Field = shape
    for name in path:
        if isinstance(field, ListOf):
            field = field.item
        if field is Leaf.ANY:
            break
        if not isinstance(field, Node) or name not in field.fields:
            raise malformed("sort", f"The field '{words[0]}' does not exist.")
        field = field.fields[name]
    if isinstance(field, Node | ListOf):
        raise malformed("sort", f"The field '{words[0]}' cannot be sorted by.")
    return SortKey(path, len(words) == 2 and words[1].lower() == "desc")


def _integer(name: str, values: dict[str, list[str]], default: int) -> int:
    if name not in values:
        return default
    text = values[name][0]
    if not _INTEGER.fullmatch(text):
        raise malformed(name, f"'{text}' is not a number.")
    return int(text)


def whole(collection: Collection, rows: Iterable[Row]) -> list[Resource]:
    """Return the whole resources of rows."""
    return [collection.full(row) for row in rows]
