"""The state file: creation, versions, transactions, and what happens when it cannot be used."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import psutil
import pytest

from shared.errors import ConfigError, TransientError
from shared.microseconds import micros, moment
from shared.sqlite import schema
from shared.sqlite.database import Database
from shared.sqlite.schema import VERSION


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite3"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with Database(path, busy_timeout_s=0.1) as opened:
        yield opened


def fence_of(database: Database) -> int:
    with database.reading() as connection:
        value: int = connection.execute("SELECT coalesce(max(fence), 0) FROM fences").fetchone()[0]
        return value


def write_fence(database: Database, fence: int) -> None:
    with database.writing() as connection:
        connection.execute("REPLACE INTO fences VALUES ('customers', ?)", (fence,))


def set_pragma(path: Path, name: str, value: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA {name} = {value}")


def test_the_file_and_its_folder_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    """Nobody else reads which ids are imported; the side files follow."""
    path = tmp_path / "new" / "folder" / "state.sqlite3"
    with Database(path) as database:
        write_fence(database, 1)
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_was_written_is_there_when_opened_again(path: Path) -> None:
    """Opening an existing file changes nothing in it."""
    with Database(path) as database:
        write_fence(database, 7)
    with Database(path) as database:
        assert fence_of(database) == 7


def test_the_file_is_in_write_ahead_mode(database: Database) -> None:
    """With it readers and the writer do not wait for each other, and a commit is safe without waiting for the disk."""
    with database.reading() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (1,)


def test_a_file_of_a_newer_version_is_refused(path: Path) -> None:
    """The error names the setting, both versions and what to do; the file stays as it is."""
    Database(path).close()
    set_pragma(path, "user_version", VERSION + 1)
    before = path.read_bytes()
    with pytest.raises(ConfigError) as caught:
        Database(path)
    (problem,) = caught.value.problems
    assert problem.field == "STATE_PATH"
    assert f"version {VERSION + 1}, this one knows {VERSION}" in problem.message
    assert path.read_bytes() == before


def test_a_file_of_the_first_version_is_brought_up_to_date(path: Path) -> None:
    """What is in it stays, and it gets what newer versions added."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(schema._STEPS[0])
        connection.execute("INSERT INTO fences VALUES ('customers', 7)")
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        connection.commit()
    with Database(path) as database:
        assert fence_of(database) == 7
        with database.reading() as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
            plan = connection.execute(
                "EXPLAIN QUERY PLAN SELECT record FROM runs WHERE kind = 'all' ORDER BY fence DESC LIMIT 1"
            ).fetchall()
    assert [row[3] for row in plan] == ["SEARCH runs USING INDEX runs_current (kind=?)"]


def test_a_file_of_another_program_is_refused(path: Path) -> None:
    """Its tables are not ours to write between."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (text TEXT)")
    with pytest.raises(ConfigError, match=r"STATE_PATH.*another program"):
        Database(path)


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to look at it " * 40], ids=["text"])
def test_a_file_that_is_no_database_is_refused(path: Path, content: bytes) -> None:
    """Its content stays."""
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"STATE_PATH.*cannot be used"):
        Database(path)
    assert path.read_bytes() == content


def test_a_path_that_cannot_be_a_file_is_refused(tmp_path: Path) -> None:
    """A folder, or a path below a file."""
    (tmp_path / "file").touch()
    for wrong in (tmp_path, tmp_path / "file" / "state.sqlite3"):
        with pytest.raises(ConfigError, match="STATE_PATH"):
            Database(wrong)


def test_an_exception_undoes_the_transaction(database: Database) -> None:
    """It comes out as it was raised, and the file is usable afterwards."""

    def half_way() -> None:
        with database.writing() as connection:
            connection.execute("INSERT INTO fences VALUES ('customers', 1)")
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        half_way()
    assert fence_of(database) == 0
    write_fence(database, 2)
    assert fence_of(database) == 2


def test_a_reader_sees_one_moment_and_waits_for_no_writer(database: Database) -> None:
    """What is committed while it reads comes into view with its next transaction."""
    write_fence(database, 1)
    with database.reading() as connection:
        assert connection.execute("SELECT fence FROM fences").fetchone() == (1,)
        write_fence(database, 2)
        assert connection.execute("SELECT fence FROM fences").fetchone() == (1,)
    assert fence_of(database) == 2


@pytest.mark.parametrize("same", [True, False], ids=["same process", "another connection"])
def test_a_file_that_stays_locked_is_a_transient_fault(database: Database, path: Path, same: bool) -> None:
    """Work is tried again later, nothing is lost."""
    with Database(path, busy_timeout_s=0.1) as other, ThreadPoolExecutor(1) as pool:
        holder = database if same else other
        with holder.writing(), pytest.raises(TransientError, match="state file"):
            pool.submit(write_fence, database, 1).result()
    write_fence(database, 2)
    assert fence_of(database) == 2


def test_writers_in_many_threads_lose_no_update(path: Path) -> None:
    """Twenty threads add one to the same number, ten times each."""
    with Database(path) as database:
        write_fence(database, 0)

        def add(_: int) -> None:
            for _ in range(10):
                with database.writing() as connection:
                    (fence,) = connection.execute("SELECT fence FROM fences").fetchone()
                    connection.execute("UPDATE fences SET fence = ?", (fence + 1,))

        with ThreadPoolExecutor(20) as pool:
            list(pool.map(add, range(20)))
        assert fence_of(database) == 200


def test_threads_that_come_and_go_leave_no_connections_behind(database: Database, path: Path) -> None:
    """A server has a thread for each request; open files do not grow with them."""

    def open_files() -> int:
        return sum(file.path.startswith(str(path)) for file in psutil.Process().open_files())

    write_fence(database, 1)
    before = open_files()
    for _ in range(50):
        thread = threading.Thread(target=write_fence, args=(database, 1))
        thread.start()
        thread.join()
    assert open_files() == before
    database.close()
    assert open_files() == 0


def test_a_closed_file_is_not_used(database: Database) -> None:
    """A fault of the caller, so no transient error."""
    database.close()
    with pytest.raises(RuntimeError, match="closed"):
        write_fence(database, 1)


def test_a_fault_of_a_statement_is_not_transient(database: Database) -> None:
    """Wrong SQL would fail each time."""
    with pytest.raises(sqlite3.OperationalError, match="no such table"), database.writing() as connection:
        connection.execute("SELECT * FROM no_table")
    write_fence(database, 1)


def test_many_processes_may_open_a_new_file_at_once(path: Path) -> None:
    """Whoever comes first creates the tables."""
    script = (
        "import sys; from pathlib import Path; from shared.bulk.records import Kind\n"
        "from shared.sqlite.database import Database; from shared.sqlite.run_store import SqliteRunStore\n"
        "sys.stdin.read()\n"
        "with Database(Path(sys.argv[1])) as database: print(SqliteRunStore(database).next_fence(Kind.CUSTOMERS))\n"
    )
    started = [_python(script, path) for _ in range(6)]
    for process in started:
        assert process.stdin
        process.stdin.close()
        process.stdin = None
    answers = [process.communicate(timeout=60) for process in started]
    assert sorted(int(out) for out, _ in answers) == [1, 2, 3, 4, 5, 6]


def test_a_forked_process_may_go_on_with_the_file(path: Path) -> None:
    """As a server's worker that its parent forks after loading; connections of the parent are not touched."""
    script = (
        "import os, sys; from pathlib import Path; from shared.bulk.records import Kind\n"
        "from shared.sqlite.database import Database; from shared.sqlite.run_store import SqliteRunStore\n"
        "database = Database(Path(sys.argv[1])); store = SqliteRunStore(database); store.next_fence(Kind.CUSTOMERS)\n"
        "with database.writing():\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        connections = list(database._idle)\n"
        "        os._exit(0 if not connections and database._writer.acquire(timeout=1) else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    os._exit(0 if [store.next_fence(Kind.CUSTOMERS) for _ in range(50)] == list(range(2, 52)) else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "print(store.next_fence(Kind.CUSTOMERS)); database.close()\n"
    )
    out, _ = _python(script, path).communicate(timeout=60)
    assert out.strip() == "52"


def _python(script: str, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )


@pytest.mark.parametrize(
    "when",
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC),
        datetime(2026, 3, 1, 12, 0, 0, 999999, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
    ids=str,
)
def test_moments_are_kept_to_the_microsecond(when: datetime) -> None:
    """Leases are compared by them."""
    assert moment(micros(when)) == when
