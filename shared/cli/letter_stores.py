"""Where the dead letters and dead messages of an installation stand, by its settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from shared.cli.letters import COMMERCETOOLS, PUBSUB, STATE_FILE, LetterStore, MessageStore, NotReadable, Store, Stores
from shared.commercetools.client import open_project
from shared.commercetools.dead_letters import CustomObjectDeadLetters
from shared.google.errors import LACKS_CLIENTS, lacks_clients
from shared.google.names import Stream
from shared.settings import QueueBackend, Settings


@contextmanager
def stores_of(settings: Settings) -> Iterator[Stores]:
    """The state file, when it exists; the custom objects of the merchant's project; Pub/Sub, when it is in use.

    It is in use where it is the queue, or a Google Cloud project is named. Raises `ConfigError`.
    """
    with ExitStack() as closing:
        client = open_project(settings.commercetools)
        closing.callback(client.close)
        stores = [*_of_state_file(settings, closing), LetterStore(COMMERCETOOLS, CustomObjectDeadLetters(client))]
        absent: list[NotReadable] = []
        if settings.state.queue_backend is QueueBackend.PUBSUB or settings.google.project:
            try:
                stores += _of_pubsub(settings)
            except ModuleNotFoundError as error:
                if not lacks_clients(error):
                    raise
                absent.append(NotReadable(PUBSUB, LACKS_CLIENTS))
        yield Stores(stores, absent)


def _of_state_file(settings: Settings, closing: ExitStack) -> list[Store]:
    if not settings.state.state_path.is_file():
        return []
    from shared.bulk.ports import Topic
    from shared.sqlite.database import Database
    from shared.sqlite.dead_letters import SqliteDeadLetters
    from shared.sqlite.dead_messages import SqliteDeadMessages
    from shared.sqlite.queue import SqliteQueue

    database = closing.enter_context(Database(settings.state.state_path))
    queue = SqliteQueue(database)
    messages = [MessageStore(STATE_FILE, Stream(topic), SqliteDeadMessages(queue, topic)) for topic in Topic]
    return [LetterStore(STATE_FILE, SqliteDeadLetters(database)), *messages]


def _of_pubsub(settings: Settings) -> list[Store]:
    from shared.google.dead_messages import PubSubDeadMessages

    return [MessageStore(PUBSUB, stream, PubSubDeadMessages(settings.google, stream)) for stream in Stream]
