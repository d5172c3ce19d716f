"""Whether a resource fulfils a predicate, and which part of a sorted collection can hold those that do."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sandbox.commercetools.condition import (
    Compare,
    Contains,
    Defined,
    Empty,
    Every,
    Literal,
    Not,
    OneOf,
    Predicate,
    Some,
    Within,
)

Resource: TypeAlias = Mapping[str, Any]
Match: TypeAlias = Callable[[Any], bool]

_ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def matcher(predicate: Predicate | None) -> Match:
    """Compile a predicate to a function of a resource. An absent field differs from every value."""
    if predicate is None:
        return lambda _resource: True
    if isinstance(predicate, Every):
        every = [matcher(part) for part in predicate.parts]
        return lambda resource: all(match(resource) for match in every)
    if isinstance(predicate, Some):
        some = [matcher(part) for part in predicate.parts]
        return lambda resource: any(match(resource) for match in some)
    if isinstance(predicate, Not):
        inner = matcher(predicate.part)
        return lambda resource: not inner(resource)
    if isinstance(predicate, Within):
        return _within(predicate)
    return _leaf_matcher(predicate)


def _leaf_matcher(predicate: Compare | OneOf | Contains | Defined | Empty) -> Match:
    name = predicate.name
    if isinstance(predicate, Compare):
        return _comparison(predicate)
    if isinstance(predicate, OneOf):
        keys = {_typed_key(value) for value in predicate.values}
        return lambda resource: _typed_key(resource.get(name)) in keys
    if isinstance(predicate, Contains):
        wanted, all_of = {_typed_key(value) for value in predicate.values}, predicate.all_of

        def contains(resource: Resource) -> bool:
            held = resource.get(name)
            present = {_typed_key(value) for value in held} if isinstance(held, list) else set()
            return wanted <= present if all_of else bool(wanted & present)

        return contains
    if isinstance(predicate, Defined):
        return lambda resource: resource.get(name) is not None
    return lambda resource: not resource.get(name)


def _typed_key(value: object) -> tuple[str, object]:
    """A key under which `true` is not `1` and an unhashable value is nothing that a literal can equal."""
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, int | float):
        return "number", value
    return ("string", value) if isinstance(value, str) else ("other", None)


def _comparison(predicate: Compare) -> Match:
    name, value = predicate.name, predicate.value
    key = _typed_key(value)
    if predicate.op == "=":
        return lambda resource: _typed_key(resource.get(name)) == key
    if predicate.op == "!=":
        return lambda resource: _typed_key(resource.get(name)) != key
    ordering = _ORDERINGS[predicate.op]

    def ordered(resource: Resource) -> bool:
        held = _typed_key(resource.get(name))
        return held[0] == key[0] and ordering(held[1], value)

    return ordered


def _within(predicate: Within) -> Match:
    name, inner = predicate.name, matcher(predicate.part)

    def match(resource: Resource) -> bool:
        held = resource.get(name)
        if isinstance(held, dict):
            return inner(held)
        return isinstance(held, list) and any(isinstance(item, dict) and inner(item) for item in held)

    return match


@dataclass(frozen=True, slots=True)
class Bounds:
    """Inclusive bounds of a field's value; None is open. What lies outside cannot match; what lies inside may."""

    low: Any = None
    high: Any = None


_OPEN = Bounds()
_NOTHING = Bounds("\uffff", "")


def bounds(predicate: Predicate | None, name: str) -> Bounds:
    """Return bounds of the string field `name` that every match keeps; conservative."""
    if isinstance(predicate, Compare) and predicate.name == name:
        low = predicate.value if predicate.op in ("=", ">", ">=") else None
        high = predicate.value if predicate.op in ("=", "<", "<=") else None
        return Bounds(low, high)
    if isinstance(predicate, OneOf) and predicate.name == name:
        return Bounds(min(map(str, predicate.values)), max(map(str, predicate.values)))
    if isinstance(predicate, Every):
        result = _OPEN
        for part in predicate.parts:
            other = bounds(part, name)
            result = Bounds(
                _pick(max, result.low, other.low, open_wins=False), _pick(min, result.high, other.high, open_wins=False)
            )
        return result
    if isinstance(predicate, Some):
        result = _NOTHING
        for part in predicate.parts:
            other = bounds(part, name)
            result = Bounds(
                _pick(min, result.low, other.low, open_wins=True), _pick(max, result.high, other.high, open_wins=True)
            )
        return result
    return _OPEN


def _pick(choose: Callable[[Any, Any], Any], one: Any, other: Any, *, open_wins: bool) -> Any:
    if one is None or other is None:
        return None if open_wins else (other if one is None else one)
    return choose(one, other)


def named_ids(predicate: Predicate | None) -> frozenset[Literal] | None:
    """Return the only ids that can match, where the predicate lists them; None where it does not."""
    return named_values(predicate, "id")


def named_values(predicate: Predicate | None, path: str) -> frozenset[Literal] | None:
    """Return values of which every match has one at `path`, where the predicate lists them; None where it does not."""
    name, _, inner = path.partition(".")
    if isinstance(predicate, Within) and inner:
        return named_values(predicate.part, inner) if predicate.name == name else None
    if isinstance(predicate, OneOf) and predicate.name == path:
        return predicate.values
    if isinstance(predicate, Compare) and predicate.name == path and predicate.op == "=":
        return frozenset({predicate.value})
    if isinstance(predicate, Every):
        listed = [values for part in predicate.parts if (values := named_values(part, path)) is not None]
        return min(listed, key=len) if listed else None
    if isinstance(predicate, Some):
        listed = [values for part in predicate.parts if (values := named_values(part, path)) is not None]
        return frozenset[Literal]().union(*listed) if len(listed) == len(predicate.parts) else None
    return None
