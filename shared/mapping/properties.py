"""Which properties of a resource are sent, and under which names (configuration.md "The document")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.settings.document import PropertyRules


def chosen_properties(source: Mapping[str, Any], rules: PropertyRules) -> dict[str, Any]:
    """The top-level properties of `source` that `rules` let through: `include` (empty: all), minus `exclude`, renamed by `map`.

    `include` and `exclude` speak of the names in `source`; `exclude` is stronger. Only null counts as absent: `0`, `false`
    and `""` are values (mapping.md "Properties"). Where two properties end under one name, a renamed one beats one that
    bears the name itself, and of two renamed ones the first in `map` that has a value.
    """
    present = {name: value for name, value in source.items() if value is not None and _passes(name, rules)}
    if not rules.map:
        return present
    kept = {name: value for name, value in present.items() if name not in rules.map}
    renamed: dict[str, Any] = {}
    for name, new_name in rules.map.items():
        if name in present:
            renamed.setdefault(new_name, present[name])
    return kept | renamed


def _passes(name: str, rules: PropertyRules) -> bool:
    return (not rules.include or name in rules.include) and name not in rules.exclude
