"""GraphQL over the same collections as REST: validation first (400), then execution (200, with `errors` if need be)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, TypeAlias

import msgspec
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    SelectionSetNode,
    build_schema,
    execute_sync,
    parse,
    validate,
)

from sandbox.commercetools.collection import HEAD_FIELDS, Collection
from sandbox.commercetools.errors import ApiError, invalid_json
from sandbox.commercetools.graphql_schema import EXPANDED, REFERENCES, SDL
from sandbox.commercetools.kinds import KINDS, ApiKind
from sandbox.commercetools.query import DEFAULT_LIMIT, find, make_query

_TOO_COMPLEX = "QueryComplexityLimitExceeded"

Collections: TypeAlias = Mapping[str, Collection]
Authorize: TypeAlias = Callable[[tuple[str, ...]], None]


class GraphRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a GraphQL request."""

    query: str
    variables: dict[str, Any] | None = None
    operationName: str | None = None  # noqa: N815 - the protocol's name


@dataclass(frozen=True, slots=True)
class GraphAnswer:
    """Status and body of the answer, and how many resources it serves by collection."""

    status: int
    body: dict[str, Any]
    served: Mapping[str, int]


@dataclass(slots=True)
class _Context:
    collections: Collections
    authorize: Authorize
    max_limit: int | None
    served: dict[str, int] = field(default_factory=dict)

    def count(self, kind: ApiKind, number: int) -> None:
        self.served[kind.collection] = self.served.get(kind.collection, 0) + number


def answer(raw: bytes, collections: Collections, authorize: Authorize, max_limit: int | None = None) -> GraphAnswer:
    """Answer one GraphQL request. Raises ApiError for a body that is not JSON and for a missing scope.

    A page of more than `max_limit` rows counts as too complex; None: the page limit of the API is the only one.
    """
    try:
        request = msgspec.json.decode(raw, type=GraphRequest)
    except msgspec.DecodeError as unreadable:
        raise invalid_json(str(unreadable)) from None
    document, problems = _checked(request.query)
    if document is None:
        return _refusal(problems)
    context = _Context(collections, authorize, max_limit)
    result = execute_sync(
        _schema(),
        document,
        variable_values=request.variables,
        operation_name=request.operationName,
        context_value=context,
    )
    errors = result.errors or []
    for error in errors:
        cause = error.original_error
        if isinstance(cause, ApiError) and (cause.status == 403 or cause.code == _TOO_COMPLEX):
            raise cause
        if cause is not None and not isinstance(cause, ApiError | GraphQLError):
            raise cause
    if result.data is None and not any(error.path for error in errors):
        return _refusal(errors)  # variables or the operation's name do not fit
    body: dict[str, Any] = {"data": result.data}
    if errors:
        body["errors"] = [_formatted(error) for error in errors]
    return GraphAnswer(200, body, context.served)


def _refusal(errors: list[GraphQLError]) -> GraphAnswer:
    entries = [{**error.formatted, "code": "InvalidInput"} for error in errors]
    return GraphAnswer(400, {"statusCode": 400, "message": errors[0].message, "errors": entries}, {})


def _formatted(error: GraphQLError) -> dict[str, Any]:
    cause = error.original_error
    extensions = {"code": cause.code, **cause.extra} if isinstance(cause, ApiError) else {"code": "InvalidInput"}
    return {**error.formatted, "extensions": extensions}


@lru_cache(maxsize=64)
def _checked(query: str) -> tuple[DocumentNode | None, list[GraphQLError]]:
    try:
        document = parse(query, max_tokens=5_000)
    except GraphQLError as error:
        return None, [error]
    problems = validate(_schema(), document)
    return (None, problems) if problems else (document, [])


@lru_cache(maxsize=1)
def _schema() -> GraphQLSchema:
    schema = build_schema(SDL)
    query = schema.query_type
    assert query is not None  # noqa: S101 - the text above has one
    for kind in KINDS.values():
        if not kind.graph_type:
            continue
        query.fields[kind.graph_one].resolve = partial(_single, kind)
        query.fields[kind.graph_page].resolve = partial(_page, kind)
    for (type_name, name), source in REFERENCES.items():
        _type(schema, type_name).fields[name].resolve = partial(_reference, source)
    for (type_name, name), collection in EXPANDED.items():
        _type(schema, type_name).fields[name].resolve = partial(_expanded, name, collection)
    return schema


def _type(schema: GraphQLSchema, name: str) -> GraphQLObjectType:
    found = schema.type_map[name]
    assert isinstance(found, GraphQLObjectType)  # noqa: S101 - the tables name object types only
    return found


def _single(
    kind: ApiKind, _root: None, info: "GraphQLResolveInfo[_Context]", **arguments: str | None
) -> Mapping[str, Any] | None:
    context = info.context
    context.authorize(kind.scopes_of_single)
    given = {name: value for name, value in arguments.items() if value is not None}
    if len(given) != 1:
        raise ApiError(400, "InvalidInput", "Exactly one argument is expected, an id or a key.")
    collection = context.collections[kind.collection]
    name, value = next(iter(given.items()))
    found = collection.get(value) if name == "id" else collection.by_key(value)
    context.count(kind, 0 if found is None else 1)
    return found


def _page(
    kind: ApiKind,
    _root: None,
    info: "GraphQLResolveInfo[_Context]",
    where: str | None = None,
    sort: list[str] | None = None,
    limit: int | None = None,
    offset: int | None = None,
) -> dict[str, Any]:
    context = info.context
    context.authorize(kind.view_scopes)
    wanted = _selected(info.field_nodes)
    query = make_query(
        kind.shape,
        where=[] if where is None else [where],
        sort=sort or [],
        limit=DEFAULT_LIMIT if limit is None else limit,
        offset=offset or 0,
        with_total=wanted is None or "total" in wanted,
    )
    if context.max_limit is not None and query.limit > context.max_limit:
        raise ApiError(400, _TOO_COMPLEX, "The query is too complex.")
    collection = context.collections[kind.collection]
    page = find(collection, query)
    results = [node for node in _fields(info.field_nodes) if node.name.value == "results"]
    fields = _selected(results)
    if wanted is not None and not results:
        rows: list[Mapping[str, Any]] = []
    else:
        head_only = wanted is not None and fields is not None and fields <= HEAD_FIELDS
        rows = [row[0] if head_only else collection.full(row) for row in page.rows]
        context.count(kind, len(rows))
    return {
        "offset": query.offset,
        "count": len(page.rows),
        "total": page.total,
        "exists": bool(page.rows),
        "results": rows,
    }


def _fields(nodes: list[FieldNode] | tuple[FieldNode, ...]) -> list[FieldNode]:
    sets = [node.selection_set for node in nodes if isinstance(node.selection_set, SelectionSetNode)]
    return [child for chosen in sets for child in chosen.selections if isinstance(child, FieldNode)]


def _selected(nodes: list[FieldNode] | tuple[FieldNode, ...]) -> frozenset[str] | None:
    """Name the fields that these nodes select; None when fragments make that more than a look."""
    sets = [node.selection_set for node in nodes if isinstance(node.selection_set, SelectionSetNode)]
    children = [child for chosen in sets for child in chosen.selections]
    if not all(isinstance(child, FieldNode) for child in children):
        return None
    return frozenset(child.name.value for child in children if isinstance(child, FieldNode))


def _reference(source: str, resource: Mapping[str, Any], _info: "GraphQLResolveInfo[_Context]") -> Any:
    return resource.get(source)


def _expanded(
    source: str, collection: str, resource: Mapping[str, Any], info: "GraphQLResolveInfo[_Context]"
) -> Mapping[str, Any] | list[Mapping[str, Any]] | None:
    context = info.context
    held = resource.get(source)
    if isinstance(held, list):
        found = (context.collections[collection].get(reference["id"]) for reference in held)
        return [target for target in found if target is not None]
    return None if held is None else context.collections[collection].get(held["id"])
