"""Catalog endpoints for single objects, their lists and their links, for each of the three kinds."""

from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

import msgspec

from sandbox.klaviyo.answers import Answer, Problem, RefusedError, iso, refuse
from sandbox.klaviyo.catalog import ID_PREFIX, PLURALS, CatalogError, Entry, Kind
from sandbox.klaviyo.limits import MAX_CATALOG_METADATA_BYTES
from sandbox.klaviyo.queries import Condition, page_links, position_of, sparse
from sandbox.klaviyo.state import Call

_SHOWN: Final[dict[Kind, tuple[str, ...]]] = {
    "item": (
        "title", "description", "price", "url", "image_full_url", "image_thumbnail_url", "images", "custom_metadata",
        "published",
    ),
    "variant": (
        "title", "description", "sku", "inventory_policy", "inventory_quantity", "price", "url", "image_full_url",
        "image_thumbnail_url", "images", "custom_metadata", "published",
    ),
    "category": ("name",),
}  # fmt: skip
_STATUS: Final = {"not_found": 404, "conflict": 409}


def create(call: Call, kind: Kind) -> Answer:
    """POST one object; 409 when it exists."""
    row = call.body["data"]
    _raise_problems(row_problems(row, "/data"))
    try:
        entry = call.account.catalog.create(kind, row, call.now)
    except CatalogError as error:
        raise _refused(call, error) from None
    call.effect(f"{kind}_created", entry.external_id)
    return _one(call, kind, entry, 201)


def read(call: Call, kind: Kind) -> Answer:
    """GET one object, for items with its variants when asked for."""
    entry = _existing(call, kind)
    answer = _one(call, kind, entry, 200)
    if "variants" in call.query.include:
        answer.body["included"] = [resource(call, "variant", variant) for variant in entry.members.values()]
    return answer


def update(call: Call, kind: Kind) -> Answer:
    """PATCH one object."""
    row, entry = call.body["data"], _existing(call, kind)
    if row["id"] != entry.id:
        raise refuse(400, "The id in the body differs from the one in the path.", "/data/id")
    _raise_problems(row_problems(row, "/data"))
    try:
        changed = call.account.catalog.update(kind, entry, row, call.now)
    except CatalogError as error:
        raise _refused(call, error) from None
    call.effect(f"{kind}_{'updated' if changed else 'unchanged'}", entry.external_id)
    return _one(call, kind, entry, 200)


def delete(call: Call, kind: Kind) -> Answer:
    """DELETE one object, an item's variants with it by the settings' reading."""
    entry = _existing(call, kind)
    remove(call, kind, entry, call.seq, call.now)
    return Answer(204, None, [entry.external_id])


def remove(call: Call, kind: Kind, entry: Entry, seq: int, now: float) -> None:
    """Delete an object and write the effects under request `seq`."""
    account = call.account
    gone = account.catalog.delete(kind, entry, variants_too=account.settings.item_delete == "variants_too")
    account.ledger.effect(seq, now, f"{kind}_deleted", entry.external_id)
    for variant in gone:
        account.ledger.effect(seq, now, "variant_deleted", variant.external_id)


def list_all(call: Call, kind: Kind) -> Answer:
    """GET all objects of a kind, filtered, 100 a page."""
    shelf = call.account.catalog.shelves[kind]
    wanted = next((condition for condition in call.query.conditions if condition.field == "ids"), None)
    descending = call.query.sort == "-created"
    start = position_of(call.query.cursor)
    if wanted is None:
        from_seq = start if call.query.cursor or not descending else shelf.last_seq
        candidates: Iterable[Entry] = shelf.after(from_seq, descending=descending)
    else:
        found = [shelf.get(compound_id) for compound_id in dict.fromkeys(wanted.values)]
        candidates = _from(sorted((e for e in found if e), key=lambda e: e.seq), call, descending=descending)
    return _page(call, kind, candidates, call.url(_path(kind)))


def list_linked(call: Call, kind: Kind, owner_kind: Kind) -> Answer:
    """GET the objects of `kind` that belong to one of `owner_kind`, or only their ids on a relationships path."""
    owner = _existing(call, owner_kind)
    held = owner.categories if kind == "category" else owner.members
    descending = call.query.sort == "-created"
    candidates = _from(sorted(held.values(), key=lambda e: e.seq), call, descending=descending)
    below = call.operation.path.split("{id}/", 1)[1]
    answer = _page(call, kind, candidates, call.url(_path(owner_kind), owner.id, below))
    if below.startswith("relationships/"):
        answer.body["data"] = [{"type": entry["type"], "id": entry["id"]} for entry in answer.body["data"]]
    return answer


def change_links(call: Call, owner_kind: Kind) -> Answer:
    """POST adds links, PATCH replaces the whole set, DELETE removes links."""
    other_kind: Kind = "category" if owner_kind == "item" else "item"
    owner, catalog = _existing(call, owner_kind), call.account.catalog
    others = []
    for i, reference in enumerate(call.body["data"]):
        other = catalog.shelves[other_kind].get(reference["id"])
        if other is None:
            raise refuse(404, f"A catalog {other_kind} with id {reference['id']} does not exist.", f"/data/{i}/id")
        others.append(other)
    if call.operation.method == "PATCH":
        changed = catalog.replace_links(owner_kind, owner, others)
    else:
        change = catalog.link if call.operation.method == "POST" else catalog.unlink
        results = [change(*((owner, other) if owner_kind == "item" else (other, owner))) for other in others]
        changed = any(results)
    call.effect(f"{owner_kind}_links_{'updated' if changed else 'unchanged'}", owner.external_id)
    return Answer(204, None, [owner.external_id])


def resource(call: Call, kind: Kind, entry: Entry) -> dict[str, Any]:
    """An object as a resource, with the fields asked for."""
    stored = entry.attributes()
    attributes = {"external_id": entry.external_id, **{name: stored.get(name) for name in _SHOWN[kind]}}
    if kind != "category":
        attributes["created"] = iso(entry.created)
    attributes["updated"] = iso(entry.updated)
    url = call.url(_path(kind), entry.id)
    relation = {"item": "variants", "variant": "item", "category": "items"}[kind]
    links = {"self": f"{url}/relationships/{relation}", "related": f"{url}/{relation}"}
    related: dict[str, Any] = {"links": links}
    if entry.item is not None:
        related["data"] = {"type": "catalog-item", "id": entry.item.id}
    elif kind == "item" and "variants" in call.query.include:
        related["data"] = [{"type": "catalog-variant", "id": variant.id} for variant in entry.members.values()]
    return {
        "type": f"catalog-{kind}",
        "id": entry.id,
        "attributes": sparse(attributes, call.query, f"catalog-{kind}"),
        "relationships": {relation: related},
        "links": {"self": url},
    }


def row_problems(row: dict[str, Any], pointer: str) -> list[Problem]:
    """Faults of a row that the contract's schemas cannot express."""
    attributes = row.get("attributes", {})
    problems = []
    external_id = attributes.get("external_id")
    if external_id is not None and (not external_id or ":::" in external_id):
        problems.append(Problem("Invalid external ID.", f"{pointer}/attributes/external_id"))
    if attributes.get("catalog_type") not in (None, "$default"):
        problems.append(Problem("The only catalog type is '$default'.", f"{pointer}/attributes/catalog_type"))
    metadata = attributes.get("custom_metadata") or {}
    where = f"{pointer}/attributes/custom_metadata"
    if any(isinstance(value, dict) for value in metadata.values()):
        problems.append(Problem("Custom metadata must be flat.", where))
    if len(msgspec.json.encode(metadata)) > MAX_CATALOG_METADATA_BYTES:
        problems.append(Problem("Custom metadata may have at most 100KB.", where))
    if row.get("type") == "catalog-variant" and "external_id" in attributes:
        item = row["relationships"]["item"].get("data")
        if item is None:
            where = f"{pointer}/relationships/item/data"
            problems.append(Problem("'data' is a required field for the resource 'catalog-variant'.", where))
    if "id" in row and not row["id"].startswith(ID_PREFIX):
        problems.append(Problem("Invalid catalog ID.", f"{pointer}/id"))
    return problems


def _raise_problems(problems: list[Problem]) -> None:
    if problems:
        raise RefusedError(400, problems)


def _refused(call: Call, error: CatalogError) -> RefusedError:
    status, code = _STATUS[error.code], error.code
    if code == "conflict":
        code = "duplicate_error"
    elif error.below.startswith("/relationships/") and call.account.settings.missing_link_status == 400:
        status, code = 400, "invalid"
    return RefusedError(status, [Problem(error.detail, f"/data{error.below}", code=code)])


def _existing(call: Call, kind: Kind) -> Entry:
    try:
        return call.account.catalog.find(kind, call.path["id"])
    except CatalogError as error:
        raise refuse(404, error.detail, "/data/") from None


def _one(call: Call, kind: Kind, entry: Entry, status: int) -> Answer:
    shown = resource(call, kind, entry)
    return Answer(status, {"data": shown, "links": shown["links"]}, [entry.external_id])


def _from(ordered: list[Entry], call: Call, *, descending: bool) -> list[Entry]:
    if descending:
        ordered = ordered[::-1]
    if call.query.cursor is None:
        return ordered
    start = position_of(call.query.cursor)
    return [entry for entry in ordered if (entry.seq <= start if descending else entry.seq >= start)]


def _page(call: Call, kind: Kind, candidates: Iterable[Entry], url: str) -> Answer:
    matching = (entry for entry in candidates if all(_meets(entry, condition) for condition in call.query.conditions))
    page = list(islice(matching, call.query.page_size + 1))
    more = page[call.query.page_size].seq if len(page) > call.query.page_size else None
    shown = page[: call.query.page_size]
    body: dict[str, Any] = {
        "data": [resource(call, kind, entry) for entry in shown],
        "links": page_links(url, call.query, 0, more),
    }
    if kind == "item" and "variants" in call.query.include:
        variants = [variant for entry in shown for variant in entry.members.values()]
        body["included"] = [resource(call, "variant", variant) for variant in variants]
    return Answer(200, body)


def _path(kind: Kind) -> str:
    return f"catalog-{PLURALS[kind]}"


def _meets(entry: Entry, condition: Condition) -> bool:
    if condition.field == "ids":
        return entry.id in condition.values
    if condition.field == "item.id":
        return entry.item.id == condition.value if entry.item is not None else condition.value in entry.members
    if condition.field == "category.id":
        return condition.value in entry.categories
    held = entry.attributes().get(condition.field)
    if condition.operator == "contains":
        return condition.value.lower() in str(held or "").lower()
    return (str(held).lower() if isinstance(held, bool) else str(held)) == condition.value
