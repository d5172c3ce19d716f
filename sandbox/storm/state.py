"""How far a storm has come: what there is in the shop now, as all of its acts see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias

from sandbox.notifications.project import Resource
from sandbox.notifications.shop import Act, Shop

SEED = 20
"""Of what is sold, and to whom; what happens is chosen by the storm's own."""

NEW_EMAIL = "changed."
"""What an e-mail begins with that a customer has changed to."""

_RECENT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What a storm also does, or leaves undone, so that the final state depends on who comes first.

    `new_emails`: customers change their e-mail while there are orders under the old one; nobody orders as a guest under a new
    one, which would be another person to Klaviyo for as long as the change has not arrived. `contrary`: an order that had nobody
    gets an e-mail, and then a customer with another one. `confirmed`: orders pass through the state Confirmed. `untidy`:
    products in a category that was moved or deleted, or below it, are not published again, and nothing else says that their
    ancestors are others now.
    """

    new_emails: bool = False
    contrary: bool = False
    confirmed: bool = False
    untidy: bool = False


@dataclass(slots=True)
class Kept:
    """Resources of one kind as they are now, the last touched at the end."""

    rows: dict[str, Resource] = field(default_factory=dict)

    def put(self, resource: Resource) -> Resource:
        """It is there, or changed."""
        self.rows.pop(resource["id"], None)
        self.rows[resource["id"]] = resource
        return resource

    def drop(self, identifier: str) -> None:
        """It is gone."""
        self.rows.pop(identifier, None)

    def any(
        self, random: Random, fits: Callable[[Resource], bool] = lambda _resource: True, *, tries: int = 8
    ) -> Resource | None:
        """One that fits, half of the time one that was touched just now; None when a few tries find none."""
        ids = list(self.rows)
        for _ in range(tries if ids else 0):
            few = ids[-_RECENT:] if random.random() < 0.5 else ids
            held = self.rows[random.choice(few)]
            if fits(held):
                return held
        return None


@dataclass(slots=True)
class Storm:
    """A shop and what there is in it. Not for several threads at once.

    `erased` are the customers that were deleted for reasons of privacy; nobody ordered in their names. `buyers` are those in
    whose names somebody did, `claimed` those of them, by e-mail, who had not logged in.
    """

    shop: Shop
    random: Random
    weather: Weather = field(default_factory=Weather)
    customers: Kept = field(default_factory=Kept)
    orders: Kept = field(default_factory=Kept)
    payments: Kept = field(default_factory=Kept)
    categories: Kept = field(default_factory=Kept)
    products: Kept = field(default_factory=Kept)
    entries: Kept = field(default_factory=Kept)
    skus: dict[str, None] = field(default_factory=dict)
    claimed: dict[str, str] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)
    buyers: set[str] = field(default_factory=set)
    _made: int = 0

    def number(self) -> int:
        """One that nothing has in its name so far."""
        self._made += 1
        return self._made


Acts: TypeAlias = tuple[tuple[Callable[[Storm], Sequence[Act]], int], ...]
"""What can happen, and how often in comparison; an act that is not possible now does nothing."""
