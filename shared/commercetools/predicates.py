"""Query predicates: what a scan asks for, rendered for REST and for GraphQL (commercetools.md 3). Pure.

No value is ever put into a REST predicate; it travels as an input variable (`where=id > :after&var.after=...`).
GraphQL has no input variables, so there values become escaped literals.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeAlias

Instant: TypeAlias = datetime | str
"""A moment: a `datetime` with a time zone, or ISO 8601 with an offset."""

_VARIABLE = re.compile(r":([A-Za-z]+)")


@dataclass(frozen=True, slots=True)
class ModifiedCursor:
    """The last row of a scan in (lastModifiedAt, id) order; `at` exactly as the row has it."""

    at: str
    id: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which resources are meant; all conditions hold together, none means all.

    Ids are compared as lower-case strings. The dates are half-open, so that windows tile without loss:
    `created_after` and `modified_after` include their moment, `created_before` does not.
    """

    id_after: str | None = None
    id_from: str | None = None
    id_to: str | None = None
    id_before: str | None = None
    ids: tuple[str, ...] | None = None
    created_after: Instant | None = None
    created_before: Instant | None = None
    modified_after: Instant | None = None
    behind: ModifiedCursor | None = None
    fixed: str | None = None
    """A constant condition of the kind, without values of any caller."""

    def __post_init__(self) -> None:
        """Refuse what would silently mean everything, and moments without a time zone."""
        if self.ids is not None and not self.ids:
            raise ValueError("an empty list of ids means nothing, not everything")
        for moment in (self.created_after, self.created_before, self.modified_after):
            if moment is not None:
                instant(moment)

    def within(self, first: str, last: str) -> Filter:
        """The same, narrowed to ids from `first` to `last`, both included."""
        return replace(
            self,
            id_from=max(first, self.id_from) if self.id_from else first,
            id_to=min(last, self.id_to) if self.id_to else last,
        )

    def after(self, last_id: str | None) -> Filter:
        """The same, continued behind `last_id`; None changes nothing."""
        if last_id is None:
            return self
        behind_start = self.id_from is None or last_id >= self.id_from
        return replace(self, id_after=last_id, id_from=None if behind_start else self.id_from)

    def rest_params(self) -> list[tuple[str, str]]:
        """Query parameters `where` and `var.<name>`; empty when nothing is asked."""
        terms = self._terms()
        if not terms:
            return []
        variables = [(f"var.{name}", item) for name, value in _values(terms).items() for item in _listed(value)]
        return [("where", _joined(terms)), *variables]

    def graphql_where(self) -> str | None:
        """The predicate with escaped literals, to be sent as a GraphQL variable; None when nothing is asked."""
        terms = self._terms()
        if not terms:
            return None
        values = _values(terms)
        return _VARIABLE.sub(lambda match: _literal(values[match[1]]), _joined(terms))

    def _terms(self) -> list[_Term]:
        named: list[tuple[str, str, _Value | None]] = [
            ("id > :after", "after", self.id_after),
            ("id >= :from", "from", self.id_from),
            ("id <= :to", "to", self.id_to),
            ("id < :before", "before", self.id_before),
            ("createdAt >= :createdAfter", "createdAfter", _text(self.created_after)),
            ("createdAt < :createdBefore", "createdBefore", _text(self.created_before)),
            ("lastModifiedAt >= :modifiedAfter", "modifiedAfter", _text(self.modified_after)),
        ]
        if self.ids is not None:
            named.append(("id = :id", "id", self.ids[0]) if len(self.ids) == 1 else ("id in :id", "id", self.ids))
        terms: list[_Term] = [(condition, {name: value}) for condition, name, value in named if value is not None]
        if self.behind:
            condition = "(lastModifiedAt > :seenAt or (lastModifiedAt = :seenAt and id > :seenId))"
            terms.append((condition, {"seenAt": self.behind.at, "seenId": self.behind.id}))
        return [(self.fixed, {}), *terms] if self.fixed else terms


_Value: TypeAlias = str | tuple[str, ...]
_Term: TypeAlias = tuple[str, dict[str, _Value]]


def instant(moment: Instant) -> str:
    """A moment as commercetools writes it: UTC, milliseconds, `Z`. Raises ValueError when it has no time zone."""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    if at.tzinfo is None:
        raise ValueError("a moment needs an offset, such as Z or +01:00")
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def quoted(value: str) -> str:
    """A string literal of the predicate language. Raises ValueError for control characters, which no literal needs."""
    if any(ord(character) < 32 for character in value):
        raise ValueError("a literal of a predicate cannot have control characters")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _text(moment: Instant | None) -> str | None:
    return None if moment is None else instant(moment)


def _joined(terms: Iterable[_Term]) -> str:
    return " and ".join(condition for condition, _ in terms)


def _values(terms: Iterable[_Term]) -> dict[str, _Value]:
    return {name: value for _, named in terms for name, value in named.items()}


def _listed(value: _Value) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (value,)


def _literal(value: _Value) -> str:
    return f"({', '.join(map(quoted, value))})" if isinstance(value, tuple) else quoted(value)
