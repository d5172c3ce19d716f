"""One simulated project: its collections, tokens, custom objects and subscriptions, and what a checker may change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.commercetools import stock
from sandbox.commercetools.collection import Collection, Resource
from sandbox.commercetools.custom_objects import CustomObjects
from sandbox.commercetools.errors import ApiError, invalid_input, not_found
from sandbox.commercetools.kinds import KINDS, PROJECTIONS, ApiKind
from sandbox.commercetools.projections import Projections
from sandbox.commercetools.settings import Clock, SandboxSettings, api_instant
from sandbox.commercetools.subscriptions import Subscriptions
from sandbox.commercetools.tally import Tally
from sandbox.commercetools.tokens import Tokens
from sandbox.sample.customers import default_malformed_emails
from sandbox.sample.identity import entropy, id_from_words
from sandbox.sample.kinds import sample_kinds
from sandbox.sample.scale import Scale

_NEW_CUSTOMER: dict[str, Any] = {
    "addresses": [],
    "shippingAddressIds": [],
    "billingAddressIds": [],
    "customerGroupAssignments": [],
    "stores": [],
    "isEmailVerified": False,
    "authenticationMode": "ExternalAuth",
}
_KEPT_BYTES = 150_000_000
"""Products, and their projections, are read again and again, for orders too: ten thousand of five variants fit."""
_PREPARED_BYTES = 700_000_000

_SET_BY_THE_API = frozenset({"version", "createdAt", "lastModifiedAt"})


@dataclass(slots=True)
class Project:
    """Everything that the simulator knows. All times come from `clock`."""

    settings: SandboxSettings
    clock: Clock
    tokens: Tokens = field(init=False)
    custom_objects: CustomObjects = field(init=False)
    subscriptions: Subscriptions = field(init=False)
    tally: Tally = field(default_factory=Tally)
    collections: dict[str, Collection] = field(default_factory=dict)
    staged_projections: Collection = field(init=False)
    _made: int = 0

    def __post_init__(self) -> None:
        settings = self.settings
        self.tokens = Tokens(settings, self.clock)
        self.custom_objects = CustomObjects(settings, self.clock)
        self.subscriptions = Subscriptions(settings, self.clock)
        for name, kind in sample_kinds(scale=_scale(settings)).items():
            kept = _PREPARED_BYTES if name in settings.prepared else _KEPT_BYTES if name == "products" else 0
            self.collections[name] = Collection(kind, settings.seed, kind.default_size, settings.scan_limit, keep_bytes=kept)
        products = self.collections["products"]
        self.collections[PROJECTIONS] = Projections(products, staged=False, keep_bytes=_KEPT_BYTES)
        self.staged_projections = Projections(products, staged=True)
        for name in settings.prepared:
            self.collections[name].prepare()

    def reset(self) -> None:
        """Return to the state of the start; tokens stay valid."""
        for collection in self.collections.values():
            collection.reset()
        self.custom_objects.reset()
        self.subscriptions.reset()
        self.tally.reset()

    def lookup(self, collection: str, identifier: str) -> Resource | None:
        """Return a resource for reference expansion."""
        return self.collections[collection].get(identifier)

    def create(self, kind: ApiKind, fields: Mapping[str, Any]) -> Resource:
        """Add a resource made now, version 1; `id` may be given. Raises ApiError 400."""
        self._check_fields(kind, fields, _SET_BY_THE_API)
        collection = self.collections[kind.collection]
        self._made += 1
        identifier = fields.get("id") or id_from_words(entropy(self.settings.seed, "made", self._made), 0, 1)
        if collection.row(identifier) is not None:
            raise invalid_input(f"There is a resource with the id '{identifier}' already.")
        now = api_instant(self.clock)
        base = {"id": identifier, "version": 1, "createdAt": now, "lastModifiedAt": now}
        defaults = {}
        if kind.collection == "customers":
            defaults = {**_NEW_CUSTOMER, "email": f"new.{self._made}@example.com"}
        return self._put(kind, {**base, **defaults, **fields})

    def change(self, kind: ApiKind, identifier: str, fields: Mapping[str, Any]) -> Resource:
        """Replace top-level fields (None removes one), raise the version, stamp the time. Raises ApiError 400, 404."""
        self._check_fields(kind, fields, _SET_BY_THE_API | {"id"})
        merged = {**self._held(kind, identifier), **fields}
        changed = {name: value for name, value in merged.items() if value is not None}
        changed["version"] += 1
        changed["lastModifiedAt"] = api_instant(self.clock)
        return self._put(kind, changed)

    def delete(self, kind: ApiKind, identifier: str) -> Resource:
        """Remove a resource and return it. Raises ApiError 400, 404."""
        self._check_fields(kind, {}, frozenset())
        held = self._held(kind, identifier)
        self.collections[kind.collection].remove(identifier)
        if kind.collection == "inventory":
            self._follow_stock({held["sku"]} if "sku" in held else set())
        return held

    def _put(self, kind: ApiKind, resource: Resource) -> Resource:
        """Store what was made or changed; what others show of it follows."""
        collection = self.collections[kind.collection]
        if kind.collection == "products" and "masterData" in resource:
            resource = stock.with_stock(resource, self.collections["inventory"])
        before = collection.get(resource["id"])
        collection.put(resource)
        if kind.collection == "inventory":
            self._follow_stock({entry["sku"] for entry in (before, resource) if entry is not None and "sku" in entry})
        return resource

    def _follow_stock(self, skus: set[str]) -> None:
        products = self.collections["products"]
        for row in products.with_values("sku", skus):
            product = products.full(row)
            if "masterData" in product and any(stock.sells(product, sku) for sku in skus):
                products.put(stock.with_stock(product, self.collections["inventory"], frozenset(skus)))

    def _held(self, kind: ApiKind, identifier: str) -> Resource:
        held = self.collections[kind.collection].get(identifier)
        if held is None:
            raise not_found(f"The Resource with ID '{identifier}' was not found.")
        return held

    def _check_fields(self, kind: ApiKind, fields: Mapping[str, Any], refused: frozenset[str]) -> None:
        wrong = sorted(name for name in fields if name in refused or name not in kind.shape.fields)
        if kind.derived:
            raise invalid_input(f"The {kind.collection} cannot be changed; they follow the {kind.type_id}s.")
        if wrong:
            raise ApiError(400, "InvalidField", f"These fields cannot be set: {', '.join(wrong)}.")


def _scale(settings: SandboxSettings) -> Scale:
    default = Scale()
    sizes = {name: settings.sizes.get(name, getattr(default, name)) for name in ("customers", "categories", "products", "orders")}
    malformed = settings.malformed_emails
    if malformed is None:
        malformed = default_malformed_emails(sizes["customers"])
    return Scale(**sizes, variants=settings.variants, lines=settings.lines, malformed_emails=malformed)


def api_kind(collection: str) -> ApiKind:
    """Return a kind by the name of its collection. Raises ApiError 404."""
    kind = KINDS.get(collection)
    if kind is None:
        raise not_found(f"URI not found: /{collection}.")
    return kind
