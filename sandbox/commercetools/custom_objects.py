"""Custom objects: upsert, compare-and-set by version, deletion by version, listing by container.

As documented: a draft without a version overwrites; with a version it must be the stored one, else 409
ConcurrentModification; DELETE enforces a version when one is given; fields that are null are not saved. A recreated
object has a new id and version 1.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sandbox.commercetools.collection import Collection, Resource
from sandbox.commercetools.errors import concurrent_modification, invalid_input, invalid_json, not_found
from sandbox.commercetools.settings import Clock, SandboxSettings, api_instant
from sandbox.sample.identity import id_at

VIEW_SCOPES = ("view_products", "view_orders", "view_customers", "view_key_value_documents")
MANAGE_SCOPES = ("manage_products", "manage_orders", "manage_customers", "manage_key_value_documents")

_NAME = re.compile(r"[-_~.a-zA-Z0-9]{1,256}")


class CustomObjectDraft(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /custom-objects`."""

    container: str
    key: str
    value: Any
    version: int | None = None


@dataclass(slots=True)
class CustomObjects:
    """All custom objects of the project; `rows` is what listings query."""

    settings: SandboxSettings
    clock: Clock
    rows: Collection = field(init=False)
    _ids: dict[tuple[str, str], str] = field(default_factory=dict)
    _made: int = 0

    def __post_init__(self) -> None:
        self.rows = Collection(None, self.settings.seed, 0)

    def reset(self) -> None:
        """Forget all of them."""
        self.rows.reset()
        self._ids.clear()

    def get(self, container: str, key: str) -> Resource:
        """Return one. Raises ApiError 404."""
        identifier = self._ids.get((container, key))
        found = None if identifier is None else self.rows.get(identifier)
        if found is None:
            raise not_found(f"The CustomObject with ID '({container},{key})' was not found.")
        return found

    def post(self, raw: bytes) -> tuple[bool, Resource]:
        """Create or replace one: (whether it is new, the object). Raises ApiError 400 and 409."""
        try:
            draft = msgspec.json.decode(raw, type=CustomObjectDraft)
        except msgspec.DecodeError as error:
            raise invalid_json(str(error)) from None
        for name, value in (("container", draft.container), ("key", draft.key)):
            if not _NAME.fullmatch(value):
                raise invalid_input(f"The value '{value}' of '{name}' does not match '[-_~.a-zA-Z0-9]' of 1 to 256.")
        if draft.value is None:
            raise invalid_json("value: Missing required value")
        now = api_instant(self.clock)
        identifier = self._ids.get((draft.container, draft.key))
        held = None if identifier is None else self.rows.get(identifier)
        if held is None:
            return True, self._create(draft, now)
        if draft.version is not None and draft.version != held["version"]:
            raise concurrent_modification(held["id"], draft.version, held["version"])
        replaced = {
            **held,
            "version": held["version"] + 1,
            "lastModifiedAt": now,
            "lastModifiedBy": self._by(),
            "value": _without_nulls(draft.value),
        }
        self.rows.put(replaced)
        return False, replaced

    def delete(self, container: str, key: str, version: int | None) -> Resource:
        """Delete one and return it. Raises ApiError 404, and 409 for another version."""
        held = self.get(container, key)
        if version is not None and version != held["version"]:
            raise concurrent_modification(held["id"], version, held["version"])
        self.rows.remove(held["id"])
        del self._ids[container, key]
        return held

    def _create(self, draft: CustomObjectDraft, now: str) -> Resource:
        self._made += 1
        identifier = id_at(self.settings.seed, "custom-object", self._made, self._made + 1)
        if draft.version is not None and not self.settings.create_with_version:
            raise concurrent_modification(identifier, draft.version, 0)
        created: Resource = {
            "id": identifier,
            "version": 1,
            "createdAt": now,
            "lastModifiedAt": now,
            "createdBy": self._by(),
            "lastModifiedBy": self._by(),
            "container": draft.container,
            "key": draft.key,
            "value": _without_nulls(draft.value),
        }
        self._ids[draft.container, draft.key] = identifier
        self.rows.put(created)
        return created

    def _by(self) -> dict[str, str]:
        return {"clientId": self.settings.client_id}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(held) for name, held in value.items() if held is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
