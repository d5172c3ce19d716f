"""What a parsed query predicate is made of."""

from dataclasses import dataclass
from typing import TypeAlias

Literal: TypeAlias = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Every:
    """All of `parts` hold."""

    parts: "tuple[Predicate, ...]"


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of `parts` holds."""

    parts: "tuple[Predicate, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """`part` does not hold."""

    part: "Predicate"


@dataclass(frozen=True, slots=True)
class Compare:
    """`name op value`; op is one of `= != < > <= >=`."""

    name: str
    op: str
    value: Literal


@dataclass(frozen=True, slots=True)
class OneOf:
    """The field's value is one of `values`."""

    name: str
    values: frozenset[Literal]


@dataclass(frozen=True, slots=True)
class Contains:
    """The array holds all, or any, of `values`."""

    name: str
    values: frozenset[Literal]
    all_of: bool


@dataclass(frozen=True, slots=True)
class Defined:
    """The field is present."""

    name: str


@dataclass(frozen=True, slots=True)
class Empty:
    """The array is absent or has no element."""

    name: str


@dataclass(frozen=True, slots=True)
class Within:
    """The object at `name`, or any element of the array there, fulfils `part`."""

    name: str
    part: "Predicate"


Predicate: TypeAlias = Every | Some | Not | Compare | OneOf | Contains | Defined | Empty | Within


def paths(predicate: Predicate | None) -> frozenset[str]:
    """Name the fields that a predicate looks at, nested ones with dots."""
    if predicate is None:
        return frozenset()
    if isinstance(predicate, Every | Some):
        return frozenset[str]().union(*(paths(part) for part in predicate.parts))
    if isinstance(predicate, Not):
        return paths(predicate.part)
    if isinstance(predicate, Within):
        return frozenset(f"{predicate.name}.{path}" for path in paths(predicate.part))
    return frozenset({predicate.name})
