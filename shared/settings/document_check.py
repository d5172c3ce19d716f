"""From the merchant's JSON to a `SyncDocument`, or to every fault in it (configuration.md "The document").

Keys are named by their full path. Values are never quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from shared.errors import Problem
from shared.settings.document import OrderMetrics, Section, SyncDocument
from shared.settings.nearest import nearest

# The older product's processors, which a document may disable by name (reference.md 4.1).
PROCESSOR_NAMES = (
    "CustomerCreated",
    "CustomerCompanyNameSet",
    "CustomerResourceUpdated",
    "OrderCreated",
    "OrderStateChanged",
    "OrderRefunded",
    "CategoryCreated",
    "CategoryResourceUpdated",
    "CategoryResourceDeleted",
    "ProductPublished",
    "ProductUnpublished",
    "ProductResourceDeleted",
    "InventoryResourceUpdated",
)
# Kinds of notification that the older product did not know; they can be disabled by the names that the registry gives them.
OUR_NAMES = ("CustomerResourceDeleted", "OrderIdentitySet", "OrderShipmentStateChanged")

# commercetools may add states, so another name is believed unless it looks like a slip of one of these.
_ORDER_STATES = ("Open", "Confirmed", "Complete", "Cancelled")
_SHIPMENT_STATES = ("Shipped", "Delivered", "Ready", "Pending", "Delayed", "Partial", "Backorder", "Canceled")
_TRANSACTION_STATES = ("Initial", "Pending", "Success", "Failure")

_METRIC_NAME_MAX_CHARS = 127

_DELETED = "ResourceDeleted"
_CHANGES = ("ResourceCreated", "ResourceUpdated", _DELETED)

# No message type of commercetools is this close to a processor's name without being it.
_SLIP = 0.85
_KEY_SLIP = 0.6


def check_document(document: object) -> tuple[SyncDocument, list[Problem]]:
    """The document over the defaults (objects merged deeply, lists replaced whole), and every problem found.

    A problem of the document as a whole has no `field`. With problems, the document is that of the defaults and must not be used.
    """
    if not isinstance(document, dict):
        return SyncDocument(), [Problem("", f"must be a JSON object, not {_kind(document)}")]
    problems = [*_section_problems(document, SyncDocument, ""), *_same_metric_names(document)]
    if problems:
        return SyncDocument(), problems
    return msgspec.convert(_settled(document), SyncDocument), []


def _settled(document: dict[str, Any]) -> dict[str, Any]:
    """The document with what it leaves to us decided: spaces around disabled events, and `order.properties.raw` "auto"."""
    settled = dict(document)
    if "disabledEvents" in settled:
        # The older product knew one of its processors by a name with a leading space (reference.md 1.4 e).
        settled["disabledEvents"] = [name.strip() for name in settled["disabledEvents"]]
    properties = document.get("order", {}).get("properties", {})
    if properties.get("raw", "auto") == "auto":
        raw = any(key in properties for key in ("include", "exclude", "map"))
        settled["order"] = {**document.get("order", {}), "properties": {**properties, "raw": raw}}
    return settled


def _section_problems(value: object, section: type[Section], path: str) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield Problem(path, f"must be an object, not {_kind(value)}")
        return
    fields = {field.name: field.type for field in msgspec.structs.fields(section)}
    for key, inner in value.items():
        inner_path = f"{path}.{key}" if path else key
        if key in fields:
            yield from _value_problems(inner, fields[key], inner_path)
        else:
            yield Problem(inner_path, f"unknown key; {_advice(key, path, fields)}")


def _value_problems(value: object, kind: Any, path: str) -> Iterator[Problem]:
    if isinstance(kind, type) and issubclass(kind, Section):
        yield from _section_problems(value, kind, path)
    elif get_origin(kind) is list and isinstance(value, list):
        (inner,) = get_args(kind)
        for index, element in enumerate(value):
            yield from _value_problems(element, inner, f"{path}[{index}]")
    elif get_origin(kind) is dict and isinstance(value, dict):
        yield from _renaming_problems(value, path)
    elif not _fits(value, kind):
        yield Problem(path, f"must be {_expected(kind)}, not {_kind(value)}")
    elif isinstance(value, str) and (fault := _text_fault(value, path)):
        yield Problem(path, fault)


def _fits(value: object, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError:
        return False
    return True


def _renaming_problems(renamings: dict[str, object], path: str) -> Iterator[Problem]:
    taken: dict[str, str] = {}
    for key, name in renamings.items():
        if not isinstance(name, str):
            yield Problem(f"{path}.{key}", f"must be text, not {_kind(name)}")
        elif not name.strip() or not key.strip():
            yield Problem(f"{path}.{key}", "must map a name to a name, neither of them empty")
        elif name in taken:
            yield Problem(f"{path}.{key}", f"has the same new name as {path}.{taken[name]}; one would overwrite the other")
        else:
            taken[name] = key


def _text_fault(text: str, path: str) -> str | None:
    """What is wrong with a text at `path` beyond its type, or None."""
    if path.startswith("order.metrics."):
        good = bool(text.strip()) and len(text) <= _METRIC_NAME_MAX_CHARS
        return None if good else f"must be a metric name of 1 to {_METRIC_NAME_MAX_CHARS} characters"
    if path == "product.price.country":
        good = not text or re.fullmatch("[A-Z]{2}", text) is not None
        return None if good else "must be a country code of two capital letters, such as DE"
    if not path.endswith("]"):
        return None
    if not text.strip():
        return "must not be empty; take it out of the list"
    if path.startswith("disabledEvents["):
        return _name_fault(text.strip(), (*PROCESSOR_NAMES, *OUR_NAMES))
    if ".messages." in path:
        return _message_fault(text, path)
    for prefix, states in _STATES_BY_PATH:
        if path.startswith(prefix):
            return _name_fault(text, states)
    return None


_STATES_BY_PATH = (
    ("order.states.", _ORDER_STATES),
    ("order.shipmentStates.", _SHIPMENT_STATES),
    ("payment.states.", _TRANSACTION_STATES),
)


def _message_fault(name: str, path: str) -> str | None:
    if name in _CHANGES and not (name == _DELETED and path.startswith("product.messages.deleted[")):
        return "is a change, not a message; what follows changes of resources is built in"
    return _name_fault(name, ())


def _name_fault(name: str, known: tuple[str, ...]) -> str | None:
    if not re.fullmatch("[A-Za-z]+", name):
        return "must be a name of letters only, as commercetools writes it"
    if name in known:
        return None
    meant = nearest(name, known, cutoff=_SLIP)
    return f"is not known; did you mean {meant}?" if meant else None


def _same_metric_names(document: dict[str, Any]) -> Iterator[Problem]:
    """Events of two kinds share unique ids, so under one metric Klaviyo would drop the second kind (mapping.md "Events")."""
    order = document.get("order")
    given = order.get("metrics") if isinstance(order, dict) else None
    if not isinstance(given, dict):
        return
    taken: dict[str, str] = {}
    for key, default in msgspec.structs.asdict(OrderMetrics()).items():
        name = given.get(key, default)
        if not isinstance(name, str):
            continue
        if name in taken:
            yield Problem(f"order.metrics.{key}", f"has the same name as order.metrics.{taken[name]}; events would get lost")
        taken.setdefault(name, key)


def _advice(key: str, path: str, siblings: dict[str, Any]) -> str:
    if meant := nearest(key, siblings, cutoff=_KEY_SLIP):
        return f"did you mean {f'{path}.{meant}' if path else meant}?"
    elsewhere = [known for known in document_paths() if known.rpartition(".")[2].casefold() == key.casefold()]
    if elsewhere:
        return f"did you mean {' or '.join(elsewhere)}?"
    return f"known {'here' if path else 'at the top'}: {', '.join(sorted(siblings))}"


def document_paths(section: type[Section] = SyncDocument, prefix: str = "") -> list[str]:
    """Every key of the document by its full path, objects included, in the order of the structs."""
    paths = []
    for field in msgspec.structs.fields(section):
        path = f"{prefix}{field.name}"
        paths.append(path)
        if isinstance(field.type, type) and issubclass(field.type, Section):
            paths += document_paths(field.type, f"{path}.")
    return paths


_KIND_OF_TYPE = {bool: "true or false", str: "text", int: "a number", float: "a number", list: "a list", dict: "an object"}


def _kind(value: object) -> str:
    """What a JSON value is, without saying what it says."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _KIND_OF_TYPE.get(type(value), "null") if not isinstance(value, str) else "this text"


def _expected(kind: Any) -> str:
    origin = get_origin(kind)
    if origin is Literal:
        return "one of " + ", ".join(str(value) for value in get_args(kind))
    if origin is list:
        return "a list"
    if origin is dict:
        return "an object"
    if origin in (Union, UnionType):
        return " or ".join(_expected(part) for part in get_args(kind))
    return _KIND_OF_TYPE[kind]
