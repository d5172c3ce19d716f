"""The tables of the state file, and how an older file is brought up to date.

Each table holds records as JSON in `record` and, before it in the row, the few columns that conditions and sums need.
Moments are whole microseconds since 1970 (`micros`). A row's wide columns stand last, so that sums over the narrow ones
do not read them.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from shared.errors import ConfigError, Problem

APPLICATION_ID = 0x634B7379
"""Marks a SQLite file as ours (its header's application id)."""

_STEPS = (
    """
    CREATE TABLE fences (kind TEXT PRIMARY KEY, fence INTEGER NOT NULL);

    CREATE TABLE runs (
        seq INTEGER PRIMARY KEY,
        run_id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        started_at INTEGER NOT NULL,
        fence INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        record BLOB NOT NULL
    );
    CREATE INDEX runs_newest ON runs (kind, started_at);

    CREATE TABLE ranges (
        run_id TEXT NOT NULL,
        range_index INTEGER NOT NULL,
        record BLOB NOT NULL,
        PRIMARY KEY (run_id, range_index)
    );

    CREATE TABLE batches (
        run_id TEXT NOT NULL,
        batch_id TEXT NOT NULL,
        range_index INTEGER NOT NULL,
        number INTEGER NOT NULL,
        status TEXT NOT NULL,
        owner TEXT,
        fence INTEGER,
        lease_until INTEGER,
        finished_at INTEGER,
        size INTEGER NOT NULL,
        seen INTEGER NOT NULL,
        sent INTEGER NOT NULL,
        reasons TEXT,
        failed_items BLOB,
        examples BLOB,
        record BLOB NOT NULL,
        PRIMARY KEY (run_id, batch_id)
    );
    CREATE INDEX batches_by_status ON batches (run_id, status, batch_id);

    CREATE TABLE messages (
        message_id INTEGER PRIMARY KEY AUTOINCREMENT,
        topic TEXT NOT NULL,
        due_at INTEGER NOT NULL,
        leased INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        published_at INTEGER NOT NULL,
        body BLOB NOT NULL
    );
    CREATE INDEX messages_due ON messages (topic, due_at, message_id);

    CREATE TABLE dead_messages (
        message_id INTEGER PRIMARY KEY,
        topic TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        published_at INTEGER NOT NULL,
        died_at INTEGER NOT NULL,
        body BLOB NOT NULL
    );

    CREATE TABLE dead_letters (
        seq INTEGER PRIMARY KEY,
        letter_id TEXT NOT NULL UNIQUE,
        at INTEGER NOT NULL,
        record BLOB NOT NULL
    );
    CREATE INDEX dead_letters_newest ON dead_letters (at);
    """,
    """
    CREATE INDEX runs_current ON runs (kind, fence)
    """,
)

VERSION = len(_STEPS)
"""The version of the tables that this code reads and writes; step `n` makes version `n + 1` of version `n`."""


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Create the tables, or bring those of an older version up to date; called inside a write transaction.

    Raises `ConfigError` for a file of a newer version, and for one that is not ours.
    """
    version = _pragma(connection, "user_version")
    if version == VERSION and _pragma(connection, "application_id") == APPLICATION_ID:
        return
    if _pragma(connection, "application_id") != APPLICATION_ID:
        if version or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise ConfigError([Problem("STATE_PATH", f"{path} is a SQLite file of another program: name another file")])
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    elif version > VERSION:
        message = (
            f"{path} was written by a newer version of this software (tables of version {version}, this one knows {VERSION}): "
            "install the newer version, or name another file"
        )
        raise ConfigError([Problem("STATE_PATH", message)])
    for step in _STEPS[version:]:
        for statement in step.split(";"):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
