"""Dead letters in the state file (decisions.md 15)."""

from __future__ import annotations

import msgspec

from shared.dead_letters import DeadLetter
from shared.sqlite.database import Database, micros

_decoder = msgspec.json.Decoder(DeadLetter)


class SqliteDeadLetters:
    """Implements `shared.dead_letters.DeadLetters`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, letter: DeadLetter) -> None:
        """Record a dead letter; adding the same `letter_id` again changes nothing. Raises `TransientError`."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO dead_letters (letter_id, at, record) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (letter.letter_id, micros(letter.at), msgspec.json.encode(letter)),
            )

    def newest(self, limit: int = 100) -> list[DeadLetter]:
        """Dead letters, newest first."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT record FROM dead_letters ORDER BY at DESC, seq DESC LIMIT ?", (limit,))
            return [_decoder.decode(record) for (record,) in rows]

    def get(self, letter_id: str) -> DeadLetter | None:
        """One dead letter, or None."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT record FROM dead_letters WHERE letter_id = ?", (letter_id,)).fetchone()
            return _decoder.decode(row[0]) if row else None

    def drop(self, letter_id: str) -> bool:
        """Remove one; whether it was there."""
        with self._database.writing() as connection:
            return connection.execute("DELETE FROM dead_letters WHERE letter_id = ?", (letter_id,)).rowcount == 1
