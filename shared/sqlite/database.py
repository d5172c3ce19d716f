"""One SQLite file that several processes and threads share (decisions.md 12).

Write-ahead log with `synchronous=NORMAL`: what was committed outlives the death of any process at any moment; only a
failing machine may lose the last moments, never the file. A transaction that writes takes the write lock when it begins,
because one that takes it later fails at once where it could have waited (platform.md 7).
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Self

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from shared.errors import ConfigError, Problem, TransientError
from shared.sqlite.schema import prepare

_MOST_IDLE = 8
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_PASSING = _BUSY | {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM}
_UNUSABLE = frozenset(
    {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
)


class Database:
    """A state file. Threads may share it: each transaction has a connection to itself.

    Creates the file (mode 0600) and its folder. Raises `ConfigError` when the path cannot be used, the file is not a state
    file, or a newer version wrote it; all methods raise `TransientError` when the file stays locked for longer than
    `busy_timeout_s`, or the disk does not answer. A process that was forked from one that has the file open may use it too.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float = 30.0) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._closed = False
        self.forget()
        self._prepare()
        _OPENED.add(self)

    def forget(self) -> None:
        """Start without connections and with free locks, as a forked process must; the parent's are left as they are."""
        self._inherited = list(getattr(self, "_idle", ()))
        self._idle: deque[sqlite3.Connection] = deque()
        self._writer = threading.Lock()

    @contextmanager
    def writing(self, *, within_s: float | None = None) -> Iterator[sqlite3.Connection]:
        """A transaction that may write, alone in the file; committed at the end, rolled back by an exception.

        Its turn is waited for `within_s` seconds, where that is less than `busy_timeout_s`.
        """
        wait_s = self._busy_timeout_s if within_s is None else max(0.0, min(within_s, self._busy_timeout_s))
        until = time.monotonic() + wait_s
        # Waiting here is fair and quick; SQLite's own waiting, needed between processes, polls with growing pauses.
        if not self._writer.acquire(timeout=wait_s):
            raise TransientError(f"the state file was locked for {wait_s:g} s")
        try:
            with self._transaction("BEGIN IMMEDIATE", max(0.0, until - time.monotonic())) as connection:
                yield connection
        finally:
            self._writer.release()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A transaction that reads, from one snapshot of the file; waits for no writer."""
        with self._transaction("BEGIN", self._busy_timeout_s) as connection:
            yield connection

    def close(self) -> None:
        """Close the file; transactions under way end normally."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self, begin: str, busy_s: float) -> Iterator[sqlite3.Connection]:
        if self._closed:
            raise RuntimeError("the state file was closed")
        with _translated():
            connection = self._borrowed()
            try:
                connection.execute(f"PRAGMA busy_timeout = {round(busy_s * 1000)}")
                connection.execute(begin)
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error:
                connection.close()
                raise
            except BaseException:
                self._give_back(connection)
                raise
            self._give_back(connection)

    def _borrowed(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._connected()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if self._closed or len(self._idle) >= _MOST_IDLE:
            connection.close()
        else:
            self._idle.append(connection)

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=self._busy_timeout_s, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        try:
            connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self) -> None:
        # Without a connection left open: the server forks after it has loaded us.
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            with closing(self._connected()) as connection:
                # SQLite answers "busy" at once, without its usual waiting, when two processes switch the mode together.
                for attempt in Retrying(
                    retry=retry_if_exception(_is_busy),
                    stop=stop_after_delay(self._busy_timeout_s),
                    wait=wait_random(0.005, 0.05),
                    reraise=True,
                ):
                    with attempt:
                        connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("BEGIN IMMEDIATE")
                prepare(connection, self._path)
                connection.execute("COMMIT")
        except OSError as error:
            raise self._unusable(error.strerror or "it cannot be opened") from None
        except sqlite3.Error as error:
            if _code(error) in _UNUSABLE:
                raise self._unusable(str(error)) from None
            if _code(error) in _PASSING:
                raise TransientError(f"the state file does not answer: {error}") from error
            raise

    def _unusable(self, why: str) -> ConfigError:
        return ConfigError([Problem("STATE_PATH", f"{self._path} cannot be used as state file ({why}): name another one")])


@cache
def state_file(path: Path) -> Database:
    """The state file at `path`, one for all of the process's adapters, so that its writers wait in one line."""
    return Database(path)


def _code(error: sqlite3.Error) -> int | None:
    """SQLite's primary result code; None for errors that Python's module raises by itself."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.Error) and _code(error) in _BUSY


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if _code(error) in _PASSING:
            raise TransientError(f"the state file does not answer: {error}") from error
        raise


_OPENED: weakref.WeakSet[Database] = weakref.WeakSet()


def _forget_inherited() -> None:
    for database in list(_OPENED):
        database.forget()


os.register_at_fork(after_in_child=_forget_inherited)
