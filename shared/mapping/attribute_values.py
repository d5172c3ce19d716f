"""Product attributes as flat values: what a segment or a template of Klaviyo can use of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from shared.commercetools.catalog import Attribute, Money
from shared.mapping.localized import localized
from shared.mapping.money import amount_of

_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8})*")


def scalar_of(value: Any, locale: str) -> Any:
    """The flat value of an attribute; None when it has none (references, sets, nested attributes).

    An enum gives its label, a localized text or label the one in `locale` (mapping.md "Locale"), money its amount in whole
    units. Texts, numbers and booleans are what they are, empty ones too.
    """
    if not isinstance(value, dict):
        return None if isinstance(value, list) else value
    if "key" in value and "label" in value:
        return scalar_of(value["label"], locale)
    if "centAmount" in value:
        return _amount(value)
    if value and all(isinstance(text, str) and _LOCALE.fullmatch(name) for name, text in value.items()):
        return localized(value, locale)
    return None


def scalar_attributes(attributes: Iterable[Attribute], locale: str) -> dict[str, Any]:
    """The attributes that have a flat value, by name."""
    values = ((attribute.name, scalar_of(attribute.value, locale)) for attribute in attributes)
    return {name: value for name, value in values if value is not None}


def text_attribute(attributes: Iterable[Attribute], name: str, locale: str) -> str | None:
    """The attribute of that name as a text, a number as its digits; None when it is absent, blank or no text."""
    for attribute in attributes:
        if attribute.name == name:
            value = scalar_of(attribute.value, locale)
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                return None
            return str(value).strip() or None
    return None


def _amount(value: dict[str, Any]) -> Any:
    try:
        return amount_of(msgspec.convert(value, Money))
    except msgspec.ValidationError:
        return None
