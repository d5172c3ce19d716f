"""The dead letters of all stores that there are: found, replayed, dropped (decisions.md 15)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from shared.budget import budget_of
from shared.commercetools.client import open_project
from shared.commercetools.dead_letters import CustomObjectDeadLetters
from shared.commercetools.verdict import Forbidden
from shared.dead_letters import MOST, DeadLetter, DeadLetters
from shared.errors import AuthError
from shared.realtime.notification import Notification
from shared.realtime.replay import notification_of_letter
from shared.realtime.verdict import Outcome, Verdict
from shared.settings import Settings

BUDGET_S = 60.0
"""How long a store may take for one question."""

STATE_FILE = "state_file"
COMMERCETOOLS = "commercetools"
SCOPE = "manage_key_value_documents"


@dataclass(frozen=True, slots=True)
class Store:
    """A store of dead letters and its name."""

    name: str
    letters: DeadLetters


@dataclass(frozen=True, slots=True)
class Found:
    """A dead letter and the store that it stands in."""

    letter: DeadLetter
    store: Store


@dataclass(frozen=True, slots=True)
class Search:
    """What was found, newest first, and the names of the stores that must not be read."""

    found: list[Found]
    forbidden: list[str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters: with this reason, about this type of message or resource; None: any."""

    reason: str | None = None
    type: str | None = None

    def fits(self, letter: DeadLetter) -> bool:
        """Whether the letter is one of them."""
        by_reason = self.reason is None or letter.reason == self.reason
        return by_reason and (self.type is None or self.type in (letter.message_type, letter.resource_type))


@dataclass(frozen=True, slots=True)
class Stores:
    """All stores of one installation. Methods raise what a store does that does not answer within `BUDGET_S`."""

    stores: Sequence[Store]

    def newest(self, wanted: Wanted, limit: int = MOST) -> Search:
        """The newest of the wanted letters."""
        read = limit if wanted == Wanted() else MOST
        search = self._search(lambda letters: letters.newest(budget_of(BUDGET_S), read))
        return Search([one for one in search.found if wanted.fits(one.letter)][:limit], search.forbidden)

    def get(self, letter_ids: Sequence[str]) -> Search:
        """The letters with these ids, from each store that has them."""

        def all_of(letters: DeadLetters) -> list[DeadLetter]:
            found = (letters.get(letter_id, budget_of(BUDGET_S)) for letter_id in dict.fromkeys(letter_ids))
            return [letter for letter in found if letter is not None]

        return self._search(all_of)

    def _search(self, question: Callable[[DeadLetters], list[DeadLetter]]) -> Search:
        found, forbidden = [], []
        for store in self.stores:
            try:
                found += [Found(letter, store) for letter in question(store.letters)]
            except Forbidden:
                forbidden.append(store.name)
            except AuthError as error:
                if error.status != 403:
                    raise
                forbidden.append(store.name)
        return Search(sorted(found, key=lambda one: one.letter.at, reverse=True), forbidden)


@contextmanager
def stores_of(settings: Settings) -> Iterator[Stores]:
    """The state file, when it exists, and the custom objects of the merchant's project. Raises `ConfigError`."""
    with ExitStack() as closing:
        client = open_project(settings.commercetools)
        closing.callback(client.close)
        stores = [Store(COMMERCETOOLS, CustomObjectDeadLetters(client))]
        if settings.state.state_path.is_file():
            from shared.sqlite.database import Database
            from shared.sqlite.dead_letters import SqliteDeadLetters

            database = closing.enter_context(Database(settings.state.state_path))
            stores.insert(0, Store(STATE_FILE, SqliteDeadLetters(database)))
        yield Stores(stores)


@dataclass(frozen=True, slots=True)
class Replay:
    """What became of a letter; without a `verdict` it names no resource, so that there was nothing to handle."""

    one: Found
    verdict: Verdict | None

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do for this letter."""
        return self.verdict is not None and self.verdict.outcome in {Outcome.DONE, Outcome.SKIPPED}

    @property
    def refused_us(self) -> bool:
        """Whether a host refused our credentials or their scopes."""
        return self.verdict == Verdict(Outcome.REDELIVER, AuthError.__name__)


def replayed(found: Sequence[Found], handle: Callable[[Found, Notification], Verdict]) -> Iterator[Replay]:
    """Handle each letter's notification anew, and drop the letter when that has settled it.

    Ends early when a host refuses our credentials: it would refuse the rest as well.
    """
    for one in found:
        notification = notification_of_letter(one.letter)
        replay = Replay(one, None if notification is None else handle(one, notification))
        if replay.settled:
            drop(one)
        yield replay
        if replay.refused_us:
            return


def drop(one: Found) -> bool:
    """Remove a letter from its store; whether it was still there."""
    return one.store.letters.drop(one.letter.letter_id, budget_of(BUDGET_S))
