"""Custom objects: small JSON documents in the merchant's project, with versions (commercetools.md 8)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.budget import Budget
from shared.commercetools.client import SINGLE_READ_S, CommercetoolsClient, unreadable
from shared.decoding import UNDECODABLE
from shared.errors import Gone
from shared.outcomes import PathKind

_NAME = re.compile(r"[-_~.a-zA-Z0-9]{1,256}")
_PATH = "custom-objects"
_PAGE = 500


class CustomObject(msgspec.Struct, frozen=True, rename="camel"):
    """A custom object; `value` is any JSON, `version` rises with every write, `created_at` is ISO 8601 in UTC."""

    container: str
    key: str
    version: int
    value: Any
    created_at: str = ""
    id: str = ""


class _Listing(msgspec.Struct, frozen=True):
    results: list[CustomObject]
    total: int = 0


@dataclass(frozen=True, slots=True)
class Listed:
    """Some custom objects of a container, and how many there are in all."""

    objects: list[CustomObject]
    total: int


_OBJECT = msgspec.json.Decoder(CustomObject)
_LISTING = msgspec.json.Decoder(_Listing)


def get(
    client: CommercetoolsClient, container: str, key: str, *, budget: Budget, read_timeout_s: float = SINGLE_READ_S
) -> CustomObject | None:
    """Read one, None when there is none."""
    try:
        return _decoded(client.get(_path(container, key), budget=budget, read_timeout_s=read_timeout_s))
    except Gone:
        return None


def put(
    client: CommercetoolsClient,
    container: str,
    key: str,
    value: object,
    *,
    version: int | None = None,
    budget: Budget,
    kind: PathKind = PathKind.COLLECTION,
    read_timeout_s: float = SINGLE_READ_S,
) -> CustomObject:
    """Create or replace one.

    With `version` it must be the stored one: an object of another version raises `VersionConflict`, which an existing
    one always does for version 0. Without, the last writer wins. `VersionConflict` may also mean that the first of two
    tries was accepted and its answer lost. Fields of `value` that are null are not stored.
    """
    draft = {"container": _checked(container), "key": _checked(key), "value": value}
    if version is not None:
        draft["version"] = version
    return _decoded(client.post(_PATH, draft, budget=budget, kind=kind, read_timeout_s=read_timeout_s))


def delete(
    client: CommercetoolsClient, container: str, key: str, *, version: int | None = None, budget: Budget
) -> CustomObject | None:
    """Delete one and return what it was, None when there is none; another version than `version` raises `VersionConflict`."""
    params = [] if version is None else [("version", str(version))]
    try:
        return _decoded(client.delete(_path(container, key), params, budget=budget))
    except Gone:
        return None


def all_of(
    client: CommercetoolsClient, container: str, *, budget: Budget, kind: PathKind = PathKind.COLLECTION
) -> list[CustomObject]:
    """All objects of a container in id order, 500 a request."""
    found: list[CustomObject] = []
    while True:
        behind = [("where", "id > :after"), ("var.after", found[-1].id)] if found else []
        params = [*behind, ("sort", "id asc"), ("limit", str(_PAGE)), ("withTotal", "false")]
        page = _listing(client.get(_container_path(container), params, budget=budget, kind=kind)).objects
        found += page
        if len(page) < _PAGE:
            return found


def oldest(
    client: CommercetoolsClient,
    container: str,
    limit: int,
    *,
    budget: Budget,
    kind: PathKind = PathKind.COLLECTION,
    read_timeout_s: float = SINGLE_READ_S,
) -> Listed:
    """The first `limit` objects of a container in the order in which they were created."""
    params = [("sort", "createdAt asc"), ("sort", "id asc"), ("limit", str(limit)), ("withTotal", "true")]
    return _listing(client.get(_container_path(container), params, budget=budget, kind=kind, read_timeout_s=read_timeout_s))


def _container_path(container: str) -> str:
    return f"{_PATH}/{_checked(container)}"


def _path(container: str, key: str) -> str:
    return f"{_PATH}/{_checked(container)}/{_checked(key)}"


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("a container or key has 1 to 256 of the characters a-z A-Z 0-9 - _ ~ .")
    return name


def _decoded(body: bytes) -> CustomObject:
    try:
        return _OBJECT.decode(body)
    except UNDECODABLE:
        pass
    raise unreadable(_PATH)


def _listing(body: bytes) -> Listed:
    try:
        listing = _LISTING.decode(body)
    except UNDECODABLE:
        raise unreadable(_PATH) from None
    return Listed(listing.results, listing.total)
