"""Brings a bulk body through whose request Klaviyo refuses as a whole because of some of its rows (decisions.md 8)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from shared.klaviyo.packing import Body
from shared.klaviyo.verdicts import PHONE_FIELD, Refusal, Refused

UNNAMED_ROWS_MOST = 8
"""How many bad rows that no answer names are searched for in one body; beyond that the request itself is at fault."""

PHONE_ROUNDS = 5
"""After so many refusals that named phones, a body goes on without any phone that begins like a refused one: an answer names
only some of its bad rows, and an account that cannot text a whole country refuses all phones of it (klaviyo.md 2.3)."""

CONTENT_STATUSES = frozenset({400, 422})
"""Refusals of the content, which may be that of a single row also where none is named."""

_CALLING_CODE = slice(0, 3)

NamedRows: TypeAlias = Mapping[int, Sequence[Refusal]]
"""What an answer says against rows of a body, by their positions in it."""


@dataclass(slots=True)
class RefusedPhones:
    """The phones of a body that answers refused, and those that would fare the same."""

    _rounds: int = 0
    _codes: set[str] = field(default_factory=set)

    def note(self, phones: Iterable[str]) -> None:
        """One answer refused these phones, or none."""
        codes = {phone[_CALLING_CODE] for phone in phones}
        self._rounds += bool(codes)
        self._codes |= codes

    @property
    def many(self) -> bool:
        """Whether so many answers refused phones that more of the kind had better not be sent."""
        return self._rounds >= PHONE_ROUNDS

    def would_refuse(self, phone: str) -> bool:
        """Whether there are many, and one of them begins like this one."""
        return self.many and phone[_CALLING_CODE] in self._codes


def bring_through(
    body: Body,
    send: Callable[[Body], None],
    without_named: Callable[[Body, NamedRows], Body],
    give_up: Callable[[Body, Refused], None],
    *,
    searched_rows_least: int = 2,
) -> None:
    """Send a body, or in the end its parts, until each row was in a request that Klaviyo took, or was set aside.

    `send` raises `Refused`; whatever else it raises ends this. Where an answer names rows, `without_named` settles these and
    gives what of the body is to be sent again. Where it names none, the body is halved: always when it is called too large,
    else while it has at least `searched_rows_least` rows, and not for ever. What cannot be halved goes to `give_up`.
    """
    queue = deque([body])
    halvings = UNNAMED_ROWS_MOST * math.ceil(math.log2(len(body.rows)) + 1)
    while queue:
        body = queue.popleft()
        if not body.rows:
            continue
        try:
            send(body)
        except Refused as error:
            refused = error
        else:
            continue
        if named := named_rows(refused, len(body.rows)):
            queue.append(without_named(body, named))
        elif refused.status == 413 and len(body.rows) > 1:
            queue.extend(body.halves())
        elif refused.status in CONTENT_STATUSES and halvings and len(body.rows) >= searched_rows_least:
            halvings -= 1
            queue.extend(body.halves())
        else:
            give_up(body, refused)


def named_rows(refused: Refused, rows: int) -> dict[int, list[Refusal]]:
    """The refusals that name a row of a body with so many `rows`, by its position."""
    named: dict[int, list[Refusal]] = {}
    for refusal in refused.refusals:
        if refusal.row is not None and refusal.row < rows:
            named.setdefault(refusal.row, []).append(refusal)
    return named


def only_the_phone(refusals: Sequence[Refusal]) -> bool:
    """Whether nothing but the person's phone stands against a row."""
    return all(refusal.field == PHONE_FIELD for refusal in refusals)
