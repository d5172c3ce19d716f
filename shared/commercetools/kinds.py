"""What commercetools calls the kinds of resource that are read: one table, so that another kind is another line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from shared.commercetools.resources import Customer, Resource

T = TypeVar("T", bound=Resource)


@dataclass(frozen=True, slots=True)
class ResourceKind(Generic[T]):
    """Where resources of a kind are read and as what.

    `path` below the project; `graphql_field` of the query type; `expand` references, left out when the credentials may
    not read them; `fixed` a constant condition of every query (GraphQL only, where a projection does not say it);
    `params` constant REST parameters.
    """

    name: str
    path: str
    graphql_field: str
    resource_type: type[T]
    expand: tuple[str, ...] = ()
    fixed: str | None = None
    params: tuple[tuple[str, str], ...] = ()


CUSTOMERS = ResourceKind(
    name="customers",
    path="customers",
    graphql_field="customers",
    resource_type=Customer,
    expand=("customerGroup",),
)

KINDS: Mapping[str, ResourceKind[Any]] = {kind.name: kind for kind in (CUSTOMERS,)}
