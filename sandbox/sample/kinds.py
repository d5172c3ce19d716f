"""The kinds of resource that can be generated, as a table."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from sandbox.sample import customers, project

Resource = dict[str, Any]
Generate = Callable[[int, int, int], Resource]
Complete = Callable[[Resource, int, int, int], Resource]


@dataclass(frozen=True, slots=True)
class SampleKind:
    """One kind. `type_id` is the API's reference type id and what ids are derived from.

    `generate` and `head` take (seed, index, size); `head` gives id, version, createdAt and lastModifiedAt only.
    `complete` makes a whole resource of a head that is there already.
    `default_size` rows are made when no number is given; `fixed_size` kinds have just these.
    `index_of_key` names the only row that may have a key, where rows are too many to look through.
    """

    type_id: str
    generate: Generate
    head: Generate
    complete: Complete
    default_size: int
    fixed_size: bool = False
    index_of_key: Callable[[str, int], int | None] | None = None


def sample_kinds(malformed_emails: int = 0) -> dict[str, SampleKind]:
    """Return all kinds by the name of their REST collection; see `customers.customer` for `malformed_emails`."""
    return {
        "customers": SampleKind(
            "customer",
            partial(_customer, malformed_emails),
            customers.customer_head,
            partial(_completed_customer, malformed_emails),
            customers.DEMO_SIZE,
            index_of_key=customers.index_of_key,
        ),
        "customer-groups": _fixed("customer-group", project.customer_group, project.CUSTOMER_GROUPS),
        "stores": _fixed("store", project.store, project.STORES),
        "channels": _fixed("channel", project.channel, project.CHANNELS),
    }


def rows(kind: SampleKind, seed: int, size: int) -> Iterator[Resource]:
    """Yield all rows of a kind in the order of their ids, one at a time."""
    for index in range(size):
        yield kind.generate(seed, index, size)


def _customer(malformed_emails: int, seed: int, index: int, size: int) -> Resource:
    return customers.customer(seed, index, size, malformed_emails)


def _completed_customer(malformed_emails: int, head: Resource, seed: int, index: int, size: int) -> Resource:
    return customers.completed(head, seed, index, size, malformed_emails)


def _as_it_is(head: Resource, _seed: int, _index: int, _size: int) -> Resource:
    return head


def _fixed(type_id: str, generate: Generate, size: int) -> SampleKind:
    return SampleKind(type_id, generate, generate, _as_it_is, size, fixed_size=True)
