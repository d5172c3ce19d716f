"""Dead letters and dead messages, wherever they stand: found, replayed, dropped (decisions.md 15)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

from shared.budget import budget_of
from shared.cli.message_pointers import Pointers, pointers_of
from shared.commercetools.verdict import Forbidden
from shared.dead_letters import MOST, DeadLetter, DeadLetters
from shared.dead_messages import DeadMessage, DeadMessages
from shared.errors import AuthError
from shared.google.errors import NotPermitted, NotThere
from shared.google.names import Stream
from shared.realtime.notification import Notification
from shared.realtime.replay import SOURCE, notification_of_letter
from shared.realtime.verdict import Outcome, Verdict

BUDGET_S = 60.0
"""How long a store may take for one question."""

DELIVERIES_USED_UP = "deliveries_used_up"
"""The reason of a dead message."""

STATE_FILE = "state_file"
COMMERCETOOLS = "commercetools"
PUBSUB = "pubsub"

_FUNCTIONS = {Stream.EVENTS: SOURCE, Stream.PLAN: "bulk_dispatch", Stream.WORK: "bulk_worker"}


@dataclass(frozen=True, slots=True)
class LetterStore:
    """A store of dead letters and its name."""

    name: str
    letters: DeadLetters

    def newest(self, limit: int) -> Sequence[Found]:
        """The newest letters, so many at most."""
        return [FoundLetter(letter, self) for letter in self.letters.newest(budget_of(BUDGET_S), limit)]

    def get(self, letter_ids: Iterable[str]) -> Sequence[Found]:
        """The letters with these ids that stand here."""
        found = (self.letters.get(letter_id, budget_of(BUDGET_S)) for letter_id in letter_ids)
        return [FoundLetter(letter, self) for letter in found if letter is not None]


@dataclass(frozen=True, slots=True)
class MessageStore:
    """What a queue (`STATE_FILE`, `PUBSUB`) gave up on of one stream."""

    queue: str
    stream: Stream
    messages: DeadMessages

    @property
    def name(self) -> str:
        """The store's name, of one stream: `pubsub_work`."""
        return f"{self.queue}_{self.stream}"

    def newest(self, _limit: int) -> Sequence[Found]:
        """All messages, whatever the limit: a queue does not know which are the newest, so that they are read anyway."""
        return [self._found(message) for message in self.messages.look(budget_of(BUDGET_S))]

    def get(self, letter_ids: Iterable[str]) -> Sequence[Found]:
        """The messages that are shown with these ids."""
        begin = f"{self.stream}-"
        mine = [letter_id.removeprefix(begin) for letter_id in letter_ids if letter_id.startswith(begin)]
        return [self._found(message) for message in self.messages.look(budget_of(BUDGET_S), mine)] if mine else []

    def _found(self, message: DeadMessage) -> Found:
        """The message as it is shown: its own id names it only within its stream."""
        pointers = pointers_of(self.stream, message.body)
        letter = DeadLetter(
            letter_id=f"{self.stream}-{message.message_id}",
            at=message.died_at,
            source=_FUNCTIONS[self.stream],
            reason=DELIVERIES_USED_UP,
            message_type=pointers.message_type,
            resource_type=pointers.resource_type,
            resource_id=pointers.resource_id,
            happened_at=pointers.happened_at,
        )
        published_at = message.published_at.isoformat() if message.published_at else None
        return FoundMessage(letter, self, message.message_id, message.deliveries, published_at, pointers)


Store: TypeAlias = LetterStore | MessageStore


@dataclass(frozen=True, slots=True)
class FoundLetter:
    """A dead letter and the store that it stands in."""

    letter: DeadLetter
    store: LetterStore


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A dead message, put as the letter that would point to it; the message itself stays in the store."""

    letter: DeadLetter
    store: MessageStore
    message_id: str
    deliveries: int | None
    published_at: str | None
    pointers: Pointers


Found: TypeAlias = FoundLetter | FoundMessage


@dataclass(frozen=True, slots=True)
class NotReadable:
    """A store that must not or cannot be read, and what a person does about it; None: the scope of the letters' store."""

    name: str
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """What was found, newest first, and the stores that could not be looked into, or not to their end (`in_part`)."""

    found: list[Found]
    not_readable: list[NotReadable]
    in_part: Sequence[MessageStore] = ()


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
    """All stores of one installation; `absent` are those that this machine cannot even open.

    They are asked together, since a queue takes seconds to show that it has no more. Methods raise what a store does that
    does not answer within `BUDGET_S`.
    """

    stores: Sequence[Store]
    absent: Sequence[NotReadable] = ()

    def newest(self, wanted: Wanted, limit: int = MOST) -> Search:
        """The newest of the wanted letters."""
        read = limit if wanted == Wanted() else MOST
        search = self._search(lambda store: store.newest(read))
        read_of = Counter(one.store.name for one in search.found)
        in_part = [one for one in self.stores if isinstance(one, MessageStore) and read_of[one.name] >= MOST]
        return Search([one for one in search.found if wanted.fits(one.letter)][:limit], search.not_readable, in_part)

    def get(self, letter_ids: Sequence[str]) -> Search:
        """The letters with these ids, from each store that has them."""
        return self._search(lambda store: store.get(dict.fromkeys(letter_ids)))

    def _search(self, question: Callable[[Store], Sequence[Found]]) -> Search:
        with ThreadPoolExecutor(len(self.stores)) as pool:
            answers = list(pool.map(lambda store: _answer(store, question), self.stores))
        found = [one for answer in answers if not isinstance(answer, NotReadable) for one in answer]
        not_readable = [answer for answer in answers if isinstance(answer, NotReadable)]
        return Search(sorted(found, key=lambda one: one.letter.at, reverse=True), [*not_readable, *self.absent])


def _answer(store: Store, question: Callable[[Store], Sequence[Found]]) -> Sequence[Found] | NotReadable:
    try:
        return question(store)
    except Forbidden:
        return NotReadable(store.name)
    except (NotPermitted, NotThere) as error:
        return NotReadable(store.name, str(error))
    except AuthError as error:
        if error.status != 403:
            raise
        return NotReadable(store.name)


@dataclass(frozen=True, slots=True)
class Replay:
    """What became of a letter; without a `verdict` it names no resource, so that there was nothing to handle."""

    one: FoundLetter
    verdict: Verdict | None

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do for this letter."""
        return self.verdict is not None and self.verdict.outcome in {Outcome.DONE, Outcome.SKIPPED}

    @property
    def refused_us(self) -> bool:
        """Whether a host refused our credentials or their scopes."""
        return self.verdict == Verdict(Outcome.REDELIVER, AuthError.__name__)


@dataclass(frozen=True, slots=True)
class Requeued:
    """What became of a dead message: put into its queue again (`settled`), or not to be had at the moment."""

    one: FoundMessage
    settled: bool


def can_be_replayed(one: Found) -> bool:
    """Whether there is something to send: a letter must name a resource, a message is itself there."""
    return isinstance(one, FoundMessage) or notification_of_letter(one.letter) is not None


def replayed(found: Sequence[Found], handle: Callable[[FoundLetter, Notification], Verdict]) -> Iterator[Replay | Requeued]:
    """Put the messages into their queues again; handle each letter's notification anew, and drop the letter when settled.

    Ends early when a host refuses our credentials: it would refuse the rest as well.
    """
    for store, messages in _by_store(found):
        done = store.messages.replay([one.message_id for one in messages], budget_of(BUDGET_S))
        yield from (Requeued(one, one.message_id in done) for one in messages)
    for one in found:
        if isinstance(one, FoundMessage):
            continue
        notification = notification_of_letter(one.letter)
        replay = Replay(one, None if notification is None else handle(one, notification))
        if replay.settled:
            _drop_letter(one)
        yield replay
        if replay.refused_us:
            return


def drop(found: Sequence[Found]) -> list[Found]:
    """Remove these from their stores; those that were still there."""
    dropped: list[Found] = [one for one in found if isinstance(one, FoundLetter) and _drop_letter(one)]
    for store, messages in _by_store(found):
        done = store.messages.drop([one.message_id for one in messages], budget_of(BUDGET_S))
        dropped += [one for one in messages if one.message_id in done]
    return dropped


def _drop_letter(one: FoundLetter) -> bool:
    return one.store.letters.drop(one.letter.letter_id, budget_of(BUDGET_S))


def _by_store(found: Sequence[Found]) -> list[tuple[MessageStore, list[FoundMessage]]]:
    """The messages by the store that they stand in, since finding one among them takes as long as finding all."""
    messages = [one for one in found if isinstance(one, FoundMessage)]
    stores = {one.store.name: one.store for one in messages}
    return [(store, [one for one in messages if one.store.name == name]) for name, store in stores.items()]
