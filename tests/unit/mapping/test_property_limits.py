"""Properties fit Klaviyo's limits: 400 of them, 10 levels, 4,000 array items, 100 KB a string."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from shared.mapping.limits import MAX_ARRAY_ITEMS, MAX_LEVELS, MAX_PROPERTIES, MAX_STRING_BYTES, Fitted, fitted, without_largest


def nested(levels: int) -> Any:
    """A value of `levels` objects in one another."""
    value: Any = {"leaf": 1}
    for _ in range(levels - 1):
        value = {"inner": value}
    return value


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"a": 0, "b": False, "c": "", "d": [], "e": {}, "f": [None, {"g": None}], "h": 2**70, "i": -1.5},
        {f"p{i}": i for i in range(MAX_PROPERTIES)},
        {"deep": nested(MAX_LEVELS - 1)},
        {"list": list(range(MAX_ARRAY_ITEMS))},
        {"text": "x" * MAX_STRING_BYTES},
        {"text": "ä" * (MAX_STRING_BYTES // 2)},
    ],
    ids=["none", "any JSON", "400", "10 levels", "4,000 items", "100 KB", "100 KB of two-byte letters"],
)
def test_what_fits_stays_as_it_is(properties: dict[str, Any]) -> None:
    """Nothing within the limits is changed."""
    assert fitted(properties) == Fitted(properties, trimmed=False)


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"list": [0] * (MAX_ARRAY_ITEMS + 1)}, {"list": [0] * MAX_ARRAY_ITEMS}),
        ({"text": "x" * (MAX_STRING_BYTES + 1)}, {"text": "x" * MAX_STRING_BYTES}),
        ({"text": "ä" * MAX_STRING_BYTES}, {"text": "ä" * (MAX_STRING_BYTES // 2)}),
        ({"nul": "a\0b", "n\0ame": 1, "half": ["\ud800"]}, {"nul": "ab", "name": 1, "half": ["\ufffd"]}),
        ({"a": float("nan"), "b": [1.0, float("inf")], "c": {"d": float("-inf")}}, {"b": [1.0], "c": {}}),
    ],
)
def test_what_does_not_fit_is_trimmed_and_said(properties: dict[str, Any], expected: dict[str, Any]) -> None:
    """Strings and arrays are cut; what JSON cannot carry is left out."""
    assert fitted(properties) == Fitted(expected, trimmed=True)


def test_the_eleventh_level_is_left_out() -> None:
    """The properties object is the first level; scalars on the tenth stay."""
    levels_of_value = MAX_LEVELS - 1
    sent = fitted({"a": 1, "deep": nested(levels_of_value + 1)})
    expected: Any = {}
    for _ in range(levels_of_value - 1):
        expected = {"inner": expected}
    assert sent == Fitted({"a": 1, "deep": expected}, trimmed=True)


def test_of_too_many_the_kept_ones_stay_then_the_first_by_name() -> None:
    """Whatever order they come in."""
    names = [f"p{i:03d}" for i in range(MAX_PROPERTIES + 5)]
    random.Random(1).shuffle(names)
    sent = fitted(dict.fromkeys([*names, "zz"], 1), kept=["zz"])
    assert sent.trimmed
    assert sorted(sent.properties) == [*sorted(names)[: MAX_PROPERTIES - 1], "zz"]


def test_the_largest_go_first_until_enough_is_saved() -> None:
    """As few properties as possible are lost."""
    properties = {"small": 1, "large": "x" * 500, "medium": "x" * 100}
    assert without_largest(properties, excess_bytes=1) == {"small": 1, "medium": "x" * 100}
    assert without_largest(properties, excess_bytes=550) == {"small": 1}
    assert without_largest(properties, excess_bytes=0) == properties


def test_kept_ones_go_last() -> None:
    """A named property outlives larger and smaller ones."""
    properties = {"kept": "x" * 500, "a": 1, "b": 2}
    assert without_largest(properties, excess_bytes=10, kept=["kept"]) == {"kept": "x" * 500}
    assert without_largest(properties, excess_bytes=100, kept=["kept"]) == {}


def test_equal_sizes_go_by_name() -> None:
    """The order of the source decides nothing."""
    assert without_largest({"b": 1, "a": 1}, excess_bytes=1) == without_largest({"a": 1, "b": 1}, excess_bytes=1) == {"b": 1}


@pytest.mark.parametrize("excess_bytes", range(1, 31))
def test_the_saving_is_at_least_what_was_asked(excess_bytes: int) -> None:
    """Measured on the encoded bytes."""
    properties = {"a": 1, "bb": "ä", "ccc": [1], "dddd": 2}
    rest = without_largest(properties, excess_bytes=excess_bytes)
    assert len(msgspec.json.encode(properties)) - len(msgspec.json.encode(rest)) >= excess_bytes
