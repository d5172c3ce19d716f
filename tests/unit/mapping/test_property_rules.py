"""`include`, `exclude` and `map` decide which properties are sent, and under which names."""

from __future__ import annotations

from shared.mapping.properties import chosen_properties
from shared.settings.document import PropertyRules

SOURCE = {"size": "M", "points": 0, "vip": False, "note": "", "nothing": None}


def test_without_rules_everything_but_null_is_sent() -> None:
    """`0`, `false` and the empty string are values; only null is absent."""
    assert chosen_properties(SOURCE, PropertyRules()) == {"size": "M", "points": 0, "vip": False, "note": ""}


def test_include_names_what_is_sent() -> None:
    """A name that the source lacks, or has as null, is no property."""
    assert chosen_properties(SOURCE, PropertyRules(include=["size", "nothing", "missing"])) == {"size": "M"}


def test_exclude_is_stronger_than_include() -> None:
    """A name in both lists is not sent."""
    assert chosen_properties(SOURCE, PropertyRules(include=["size", "points"], exclude=["size"])) == {"points": 0}


def test_an_excluded_property_is_not_sent_under_its_new_name_either() -> None:
    """`exclude` speaks of the name in commercetools."""
    rules = PropertyRules(exclude=["size"], map={"size": "Size"})
    assert chosen_properties({"size": "M", "vip": True}, rules) == {"vip": True}


def test_a_renamed_property_beats_the_one_that_has_the_name() -> None:
    """The document's explicit word decides, whatever the order in the source."""
    rules = PropertyRules(map={"size": "label"})
    assert chosen_properties({"size": "M", "label": "old"}, rules) == {"label": "M"}
    assert chosen_properties({"label": "old", "size": "M"}, rules) == {"label": "M"}


def test_a_null_that_would_be_renamed_leaves_the_name_to_its_bearer() -> None:
    """Null is absent before names are changed."""
    assert chosen_properties({"size": None, "label": "old"}, PropertyRules(map={"size": "label"})) == {"label": "old"}


def test_of_two_renamed_to_one_name_the_first_in_the_map_with_a_value_wins() -> None:
    """So a map can name a fallback."""
    rules = PropertyRules(map={"nickname": "callName", "firstName": "callName"})
    assert chosen_properties({"firstName": "Anna", "nickname": "Ann"}, rules) == {"callName": "Ann"}
    assert chosen_properties({"firstName": "Anna", "nickname": None}, rules) == {"callName": "Anna"}


def test_two_properties_can_swap_names() -> None:
    """Renaming looks at the names in commercetools only."""
    assert chosen_properties({"a": 1, "b": 2}, PropertyRules(map={"a": "b", "b": "a"})) == {"b": 1, "a": 2}
