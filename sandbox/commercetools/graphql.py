"""GraphQL over the same collections as REST: validation first (400), then execution (200, with `errors` if need be)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from sandbox.commercetools.collection import HEAD_FIELDS, Collection
from sandbox.commercetools.errors import ApiError, invalid_json
from sandbox.commercetools.graphql_document import (
    DocumentError,
    Operation,
    Selection,
    TypeRef,
    Variable,
    VariableDefinition,
    parse_document,
)
from sandbox.commercetools.graphql_types import OBJECTS, PAGE_ARGUMENTS, PAGE_FIELDS, SINGLE_ARGUMENTS, GraphField
from sandbox.commercetools.kinds import KINDS, ApiKind
from sandbox.commercetools.query import DEFAULT_LIMIT, find, make_query

Collections: TypeAlias = Mapping[str, Collection]
Authorize: TypeAlias = Callable[[tuple[str, ...]], None]

_ONE = {kind.graph_one: kind for kind in KINDS.values()}
_PAGE = {kind.graph_page: kind for kind in KINDS.values()}


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
    served: dict[str, int]


def answer(raw: bytes, collections: Collections, authorize: Authorize) -> GraphAnswer:
    """Answer one GraphQL request. Raises ApiError for a body that is not JSON and for a missing scope."""
    try:
        request = msgspec.json.decode(raw, type=GraphRequest)
    except msgspec.DecodeError as error:
        raise invalid_json(str(error)) from None
    try:
        operation = _chosen(parse_document(request.query), request.operationName)
        variables = _coerced(operation, request.variables or {})
        _validate(operation)
    except DocumentError as error:
        return GraphAnswer(400, _refusal(error, request.query), {})
    for selection in operation.selections:
        kind = _ONE.get(selection.name) or _PAGE.get(selection.name)
        if kind is not None:
            authorize(kind.view_scopes)
    return _Execution(collections, variables, request.query).run(operation)


def _refusal(error: DocumentError, source: str) -> dict[str, Any]:
    entry = {"message": error.message, "locations": [_location(source, error.at)], "code": "InvalidInput"}
    return {"statusCode": 400, "message": error.message, "errors": [entry]}


def _location(source: str, at: int) -> dict[str, int]:
    before = source[:at]
    return {"line": before.count("\n") + 1, "column": at - (before.rfind("\n") + 1) + 1}


def _chosen(operations: list[Operation], name: str | None) -> Operation:
    if name is None and len(operations) == 1:
        return operations[0]
    for operation in operations:
        if name is not None and operation.name == name:
            return operation
    raise DocumentError("Must provide the operation name of one of the document's operations.", 0)


def _coerced(operation: Operation, given: Mapping[str, Any]) -> dict[str, Any]:
    """Check variables against their declarations and return their values; absent ones are left out."""
    values: dict[str, Any] = {}
    for definition in operation.variables:
        if definition.name in values or definition.type.name not in ("String", "Int"):
            raise DocumentError(f"Variable '${definition.name}' is declared twice or has an unknown type.", definition.at)
        if definition.name in given:
            value = given[definition.name]
        elif definition.has_default:
            value = definition.default
        elif definition.type.required:
            raise DocumentError(f"Variable '${definition.name}' has no value, but is required.", definition.at)
        else:
            continue
        if not _fits(value, definition.type):
            raise DocumentError(f"Variable '${definition.name}' has a value of the wrong type.", definition.at)
        values[definition.name] = value
    return values


def _fits(value: object, declared: TypeRef) -> bool:
    if value is None:
        return not declared.required
    if declared.is_list:
        items = value if isinstance(value, list) else [value]
        return all(_is_scalar(item, declared.name) or (item is None and not declared.item_required) for item in items)
    return _is_scalar(value, declared.name)


def _is_scalar(value: object, name: str) -> bool:
    if name == "Int":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str)


def _validate(operation: Operation) -> None:
    declared = {definition.name: definition for definition in operation.variables}
    used: set[str] = set()
    _unique(operation.selections)
    for selection in operation.selections:
        if selection.name == "__typename":
            _check_object(selection, None, "Query")
        elif selection.name in _PAGE:
            _check_arguments(selection, PAGE_ARGUMENTS, declared, used)
            _check_page(selection, _PAGE[selection.name])
        elif selection.name in _ONE:
            _check_arguments(selection, SINGLE_ARGUMENTS, declared, used)
            _check_object(selection, _ONE[selection.name].graph_type, "Query")
        else:
            raise _unknown(selection, "Query")
    for definition in operation.variables:
        if definition.name not in used:
            raise DocumentError(f"Variable '${definition.name}' is not used.", definition.at)


def _unknown(selection: Selection, type_name: str) -> DocumentError:
    return DocumentError(f"Cannot query field '{selection.name}' on type '{type_name}'.", selection.at)


def _unique(selections: tuple[Selection, ...]) -> None:
    seen: set[str] = set()
    for selection in selections:
        if selection.alias in seen:
            raise DocumentError(f"The simulator wants the field '{selection.alias}' once.", selection.at)
        seen.add(selection.alias)


def _check_page(selection: Selection, kind: ApiKind) -> None:
    type_name = f"{kind.graph_type}QueryResult"
    if not selection.selections:
        raise DocumentError(f"Field '{selection.name}' of type '{type_name}' must have a selection.", selection.at)
    _unique(selection.selections)
    for field in selection.selections:
        if field.name not in PAGE_FIELDS and field.name != "__typename":
            raise _unknown(field, type_name)
        _check_object(field, kind.graph_type if field.name == "results" else None, type_name)
        _check_arguments(field, {}, {}, set())


def _check_object(selection: Selection, type_name: str | None, parent: str) -> None:
    """Check the selection set of a field of an object type, or that there is none where it is a scalar."""
    if type_name is None:
        if selection.selections or (selection.arguments and selection.name == "__typename"):
            raise DocumentError(f"Field '{selection.name}' of '{parent}' has no subfields or arguments.", selection.at)
        return
    if not selection.selections:
        raise DocumentError(f"Field '{selection.name}' of type '{type_name}' must have a selection.", selection.at)
    _unique(selection.selections)
    for field in selection.selections:
        if field.name == "__typename":
            _check_object(field, None, type_name)
            continue
        known = OBJECTS[type_name].get(field.name)
        if known is None:
            raise _unknown(field, type_name)
        _check_arguments(field, {}, {}, set())
        _check_object(field, known.of, type_name)


def _check_arguments(
    selection: Selection, known: Mapping[str, str], declared: Mapping[str, VariableDefinition], used: set[str]
) -> None:
    for name, value in selection.arguments.items():
        if name not in known:
            raise DocumentError(f"Unknown argument '{name}' on field '{selection.name}'.", selection.at)
        wanted = _TYPE_REFS[known[name]]
        if isinstance(value, Variable):
            if value.name not in declared:
                raise DocumentError(f"Variable '${value.name}' is not defined.", value.at)
            used.add(value.name)
            given = declared[value.name].type
            same = (given.name, given.is_list) == (wanted.name, wanted.is_list)
            if not same or (wanted.item_required and not given.item_required):
                raise DocumentError(f"Variable '${value.name}' does not fit argument '{name}'.", value.at)
        elif not _fits(value, wanted):
            raise DocumentError(f"Argument '{name}' expects type '{known[name]}'.", selection.at)


_TYPE_REFS = {
    "String": TypeRef("String", is_list=False, required=False),
    "Int": TypeRef("Int", is_list=False, required=False),
    "[String!]": TypeRef("String", is_list=True, required=False, item_required=True),
}


class _Execution:
    def __init__(self, collections: Collections, variables: Mapping[str, Any], source: str) -> None:
        self._collections = collections
        self._variables = variables
        self._source = source
        self._served: dict[str, int] = {}

    def run(self, operation: Operation) -> GraphAnswer:
        result: dict[str, Any] | None = {}
        errors: list[dict[str, Any]] = []
        for selection in operation.selections:
            try:
                value = self._root(selection)
            except ApiError as error:
                errors.append(self._error(error, selection))
                value = None
                if selection.name in _PAGE:  # a page is never null, so its failure empties the whole answer
                    result = None
            if result is not None:
                result[selection.alias] = value
        body: dict[str, Any] = {"data": result}
        if errors:
            body["errors"] = errors
        return GraphAnswer(200, body, self._served)

    def _error(self, error: ApiError, selection: Selection) -> dict[str, Any]:
        return {
            "message": error.message,
            "path": [selection.alias],
            "locations": [_location(self._source, selection.at)],
            "extensions": {"code": error.code, **error.extra},
        }

    def _root(self, selection: Selection) -> Any:
        if selection.name == "__typename":
            return "Query"
        arguments = {name: value for name, value in self._arguments(selection).items() if value is not None}
        if selection.name in _PAGE:
            return self._page(selection, _PAGE[selection.name], arguments)
        return self._single(selection, _ONE[selection.name], arguments)

    def _arguments(self, selection: Selection) -> dict[str, Any]:
        return {
            name: self._variables.get(value.name) if isinstance(value, Variable) else value
            for name, value in selection.arguments.items()
        }

    def _single(self, selection: Selection, kind: ApiKind, arguments: dict[str, Any]) -> Any:
        if len(arguments) != 1:
            raise ApiError(400, "InvalidInput", "Exactly one of the arguments 'id' and 'key' is expected.")
        collection = self._collections[kind.collection]
        resource = collection.get(arguments["id"]) if "id" in arguments else collection.by_key(arguments["key"])
        if resource is None:
            return None
        self._count(kind, 1)
        return self._object(resource, kind.graph_type, selection.selections)

    def _page(self, selection: Selection, kind: ApiKind, arguments: dict[str, Any]) -> dict[str, Any]:
        sort = arguments.get("sort", [])
        wanted = {field.name for field in selection.selections}
        query = make_query(
            kind.shape,
            where=[arguments["where"]] if "where" in arguments else [],
            sort=[sort] if isinstance(sort, str) else sort,
            limit=arguments.get("limit", DEFAULT_LIMIT),
            offset=arguments.get("offset", 0),
            with_total="total" in wanted,
        )
        collection = self._collections[kind.collection]
        page = find(collection, query)
        result: dict[str, Any] = {}
        for field in selection.selections:
            if field.name == "results":
                head_only = {inner.name for inner in field.selections} <= HEAD_FIELDS
                resources = [row[0] if head_only else collection.full(row) for row in page.rows]
                result[field.alias] = [self._object(r, kind.graph_type, field.selections) for r in resources]
                self._count(kind, len(resources))
            else:
                result[field.alias] = {
                    "offset": query.offset,
                    "count": len(page.rows),
                    "total": page.total,
                    "exists": bool(page.rows),
                    "__typename": f"{kind.graph_type}QueryResult",
                }[field.name]
        return result

    def _count(self, kind: ApiKind, number: int) -> None:
        self._served[kind.collection] = self._served.get(kind.collection, 0) + number

    def _object(self, resource: Mapping[str, Any], type_name: str, selections: tuple[Selection, ...]) -> dict[str, Any]:
        known = OBJECTS[type_name]
        return {
            selection.alias: type_name
            if selection.name == "__typename"
            else self._value(resource, known[selection.name], selection)
            for selection in selections
        }

    def _value(self, resource: Mapping[str, Any], field: GraphField, selection: Selection) -> Any:
        held = resource.get(field.source)
        if field.of is None or held is None:
            return held
        if isinstance(held, list):
            return [self._object(item, field.of, selection.selections) for item in held]
        if field.expands_to is not None:
            held = self._collections[field.expands_to].get(held["id"])
        return None if held is None else self._object(held, field.of, selection.selections)
