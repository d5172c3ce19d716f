"""Query parameters: which are allowed, Klaviyo's filter expressions, and cursor paging."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from sandbox.klaviyo.answers import refuse
from sandbox.klaviyo.contract import Operation

_QUOTED: Final = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
_CONDITION: Final = re.compile(rf"\s*([a-z-]+)\(\s*([\w.]+)\s*(?:,\s*(\[(?:{_QUOTED}|[^\]\"'])*\]|{_QUOTED}|[\w.:+-]+)\s*)?\)\s*")
_STRING: Final = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|([\w.:+-]+)")


@dataclass(frozen=True, slots=True)
class Condition:
    """One term of a filter, such as `any(external_id,["a","b"])`; `values` has one entry for all but `any`."""

    operator: str
    field: str
    values: tuple[str, ...]

    @property
    def value(self) -> str:
        """The first value."""
        return self.values[0]


@dataclass(frozen=True, slots=True)
class Query:
    """The checked query of one request. `fields` is by resource type; absent means all."""

    conditions: tuple[Condition, ...] = ()
    fields: Mapping[str, frozenset[str]] | None = None
    additional: frozenset[str] = frozenset()
    include: frozenset[str] = frozenset()
    sort: str | None = None
    page_size: int = 100
    cursor: str | None = None
    raw: Mapping[str, str] | None = None


def parse_query(operation: Operation, query_string: str) -> Query:
    """Check a query string against the contract; raises RefusedError 400 naming the parameter."""
    pairs = parse_qsl(query_string, keep_blank_values=True)
    given = dict(pairs)
    if len(given) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise refuse(400, "A query parameter is given twice.", parameter=twice)
    fields: dict[str, frozenset[str]] = {}
    lists: dict[str, frozenset[str]] = {}
    page_size = operation.query.get("page[size]", {}).get("default", 100)
    for name, value in given.items():
        rule = operation.query.get(name)
        if rule is None:
            raise refuse(400, f"'{name}' is not a valid query parameter for this endpoint.", parameter=name)
        if rule.get("type") == "array":
            chosen = frozenset(part for part in value.split(",") if part)
            unknown = chosen - frozenset(rule["items"].get("enum", chosen))
            if unknown:
                raise refuse(400, f"'{min(unknown)}' is not a valid value for '{name}'.", parameter=name)
            if name.startswith("fields["):
                fields[name[7:-1]] = chosen
            lists[name] = chosen
        elif name == "page[size]":
            if not value.isascii() or not value.isdigit() or not rule["minimum"] <= int(value) <= rule["maximum"]:
                bounds = f"{rule['minimum']} and {rule['maximum']}"
                raise refuse(400, f"Page size must be an integer between {bounds}.", parameter=name)
            page_size = int(value)
        elif "enum" in rule and value not in rule["enum"]:
            raise refuse(400, f"'{value}' is not a valid value for '{name}'.", parameter=name)
    return Query(
        conditions=parse_filter(given["filter"], operation.filters) if "filter" in given else (),
        fields=fields or None,
        additional=next((v for k, v in lists.items() if k.startswith("additional-fields[")), frozenset()),
        include=lists.get("include", frozenset()),
        sort=given.get("sort"),
        page_size=page_size,
        cursor=given.get("page[cursor]"),
        raw=given,
    )


def parse_filter(text: str, allowed: Mapping[str, Sequence[str]]) -> tuple[Condition, ...]:
    """Parse `op(field,value)` terms joined by commas (or by `and(...)`); only the contract's fields and operators."""
    inner = re.fullmatch(r"\s*and\((.*)\)\s*", text, re.DOTALL)
    rest = inner.group(1) if inner else text
    conditions = []
    while True:
        match = _CONDITION.match(rest)
        if match is None:
            raise refuse(400, "Invalid filter provided.", parameter="filter")
        operator, field, value = match.groups()
        if operator not in allowed.get(field, ()):
            raise refuse(400, f"Filter '{operator}' is not allowed on '{field}'.", parameter="filter")
        if (operator == "any") != bool(value and value.startswith("[")):
            raise refuse(400, f"Filter '{operator}' has a wrong kind of value.", parameter="filter")
        values = tuple(_text(found) for found in _STRING.finditer(value or ""))
        if not values and operator != "has":
            raise refuse(400, f"Filter '{operator}' has no value.", parameter="filter")
        conditions.append(Condition(operator, field, values))
        rest = rest[match.end() :]
        if not rest:
            return tuple(conditions)
        if not rest.startswith(","):
            raise refuse(400, "Invalid filter provided.", parameter="filter")
        rest = rest[1:]


def _text(match: re.Match[str]) -> str:
    quoted = match.group(1) if match.group(1) is not None else match.group(2)
    return match.group(3) if quoted is None else re.sub(r"\\(.)", r"\1", quoted)


def cursor_of(position: int) -> str:
    """An opaque cursor for a position."""
    return base64.urlsafe_b64encode(f"next::{position}".encode()).decode()


def position_of(cursor: str | None) -> int:
    """The position of a cursor, 0 without one; RefusedError 400 for a cursor not made here."""
    if cursor is None:
        return 0
    try:
        text = base64.urlsafe_b64decode(cursor.encode()).decode()
    except (binascii.Error, ValueError):
        text = ""
    if not re.fullmatch(r"next::\d{1,12}", text):
        raise refuse(400, "Invalid page cursor.", parameter="page[cursor]")
    return int(text[6:])


def page_links(url: str, query: Query, position: int, more_from: int | None) -> dict[str, str]:
    """`self`, and `next` and `prev` where there are such pages. `url` is absolute, without a query."""

    def link(at: int | None) -> str:
        given = {name: value for name, value in (query.raw or {}).items() if name != "page[cursor]"}
        if at is not None:
            given["page[cursor]"] = cursor_of(at)
        return f"{url}?{urlencode(given)}" if given else url

    links = {"self": link(position or None)}
    if more_from is not None:
        links["next"] = link(more_from)
    if position:
        links["prev"] = link(max(0, position - query.page_size))
    return links


def sparse(attributes: dict[str, Any], query: Query, resource: str) -> dict[str, Any]:
    """Only the attributes asked for with `fields[resource]`; dotted names keep their whole top-level attribute."""
    chosen = (query.fields or {}).get(resource)
    if chosen is None:
        return attributes
    top = {name.split(".", 1)[0] for name in chosen}
    return {name: value for name, value in attributes.items() if name in top}
