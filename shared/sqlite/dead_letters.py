"""Dead letters in the state file (decisions.md 15)."""

from __future__ import annotations

import msgspec

from shared.budget import Budget
from shared.dead_letters import MOST, DeadLetter, say_deleted
from shared.microseconds import micros
from shared.sqlite.database import Database

LOCKED_S = 30.0
"""How long a write waits for its turn at most."""

_decoder = msgspec.json.Decoder(DeadLetter)


class SqliteDeadLetters:
    """Implements `shared.dead_letters.DeadLetters`.

    The file answers within moments; only where another process holds it, a write waits, as long as the budget lasts.
    """

    def __init__(self, database: Database, *, most: int = MOST) -> None:
        self._database = database
        self._most = most

    def add(self, letter: DeadLetter, budget: Budget) -> None:
        """Record a dead letter; adding the same `letter_id` again changes nothing. Raises `TransientError`."""
        with self._database.writing(within_s=budget.timeout_s(LOCKED_S)) as connection:
            connection.execute(
                "INSERT INTO dead_letters (letter_id, at, record) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (letter.letter_id, micros(letter.at), msgspec.json.encode(letter)),
            )
            deleted = connection.execute(
                "DELETE FROM dead_letters WHERE seq IN "
                "(SELECT seq FROM dead_letters ORDER BY at DESC, seq DESC LIMIT -1 OFFSET ?)",
                (self._most,),
            ).rowcount
        say_deleted(deleted)

    def newest(self, budget: Budget, limit: int = 100) -> list[DeadLetter]:
        """Dead letters, newest first."""
        budget.check()
        with self._database.reading() as connection:
            rows = connection.execute("SELECT record FROM dead_letters ORDER BY at DESC, seq DESC LIMIT ?", (limit,))
            return [_decoder.decode(record) for (record,) in rows]

    def get(self, letter_id: str, budget: Budget) -> DeadLetter | None:
        """One dead letter, or None."""
        budget.check()
        with self._database.reading() as connection:
            row = connection.execute("SELECT record FROM dead_letters WHERE letter_id = ?", (letter_id,)).fetchone()
            return _decoder.decode(row[0]) if row else None

    def drop(self, letter_id: str, budget: Budget) -> bool:
        """Remove one; whether it was there."""
        with self._database.writing(within_s=budget.timeout_s(LOCKED_S)) as connection:
            return connection.execute("DELETE FROM dead_letters WHERE letter_id = ?", (letter_id,)).rowcount == 1
