"""Reference expansion: `customerGroup`, `customerGroupAssignments[*].customerGroup`, `supplyChannels[0]`.

A path may go on behind a reference (`categories[*].parent`): what lies on the way is then expanded too.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from sandbox.commercetools.errors import malformed
from sandbox.commercetools.fields import Field, Leaf, ListOf, Node
from sandbox.commercetools.kinds import KINDS

Lookup: TypeAlias = Callable[[str, str], dict[str, Any] | None]
"""(collection, id) -> resource."""

_STEP = re.compile(r"([A-Za-z0-9_-]+)(?:\[(\*|\d+)\])?")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path: a field, and which element of it (None: it is no array; -1: all).

    `through` is the collection of the reference that the field lies behind, None where it lies behind none.
    """

    name: str
    element: int | None
    through: str | None = None


@dataclass(frozen=True, slots=True)
class Expansion:
    """A checked path; `collection` is where the reference points, None when that kind is not served."""

    steps: tuple[Step, ...]
    collection: str | None


def parse_expansions(paths: Sequence[str], shape: Node) -> tuple[Expansion, ...]:
    """Check `expand` parameters. Raises ApiError 400 for a path that names no reference."""
    return tuple(_parse(path, shape) for path in paths)


def _parse(path: str, shape: Node) -> Expansion:
    steps: list[Step] = []
    field: Field = shape
    for text in path.split("."):
        match = _STEP.fullmatch(text)
        if match is None:
            raise malformed("expand", f"'{path}' is not a path.")
        name, element = match.groups()
        through = None
        if isinstance(field, Node) and name not in field.fields and field.expands_to is not None:
            through = field.expands_to
            field = KINDS[through].shape
        if isinstance(field, Node):
            if name not in field.fields:
                raise malformed("expand", f"The field '{path}' does not exist.")
            field = field.fields[name]
        elif field is not Leaf.ANY:
            raise malformed("expand", f"The field '{path}' does not exist.")
        if field is not Leaf.ANY and isinstance(field, ListOf) != (element is not None):
            raise malformed("expand", f"'{text}' of '{path}' has or lacks an index.")
        if isinstance(field, ListOf):
            field = field.item
        steps.append(Step(name, None if element is None else -1 if element == "*" else int(element), through))
    if field is not Leaf.ANY and not (isinstance(field, Node) and "typeId" in field.fields):
        raise malformed("expand", f"The field '{path}' is not a reference.")
    return Expansion(tuple(steps), field.expands_to if isinstance(field, Node) else None)


def expanded(resource: dict[str, Any], expansions: Sequence[Expansion], lookup: Lookup) -> dict[str, Any]:
    """Return the resource with `obj` in every reference that the paths name; the original is left alone."""
    for expansion in expansions:
        collection = expansion.collection
        if collection is not None:
            resource = _at(resource, expansion.steps, collection, lookup)
    return resource


def _at(value: Any, steps: tuple[Step, ...], collection: str, lookup: Lookup) -> Any:
    if not isinstance(value, dict):
        return value
    through = steps[0].through if steps else collection
    if through is not None:
        target = value.get("obj") or (lookup(through, value["id"]) if "id" in value else None)
        if target is None:
            return value
        behind = _at(target, (replace(steps[0], through=None), *steps[1:]), collection, lookup) if steps else target
        return {**value, "obj": behind}
    step = steps[0]
    held = value.get(step.name)
    if step.element is None:
        changed = _at(held, steps[1:], collection, lookup)
    elif isinstance(held, list):
        wanted = range(len(held)) if step.element == -1 else (step.element,)
        changed = [_at(item, steps[1:], collection, lookup) if at in wanted else item for at, item in enumerate(held)]
    else:
        return value
    return value if held is None else {**value, step.name: changed}
