"""Only one supervisor works on one state file."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from shared.errors import ConfigError, Problem, SyncError


class AlreadyServing(SyncError):
    """Another supervisor holds the lock file beside the state file."""


def lock_file(state_path: Path) -> Path:
    """The lock file that belongs to a state file."""
    return state_path.with_name(state_path.name + ".lock")


@contextlib.contextmanager
def only_one(state_path: Path) -> Iterator[None]:
    """Hold the state file's lock; the kernel frees it when this process ends, however it ends.

    Raises `AlreadyServing` at once when another process holds it, naming the file and the process; `ConfigError` when the
    file cannot be made.
    """
    path = lock_file(state_path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        opened = path.open("a+", encoding="ascii")
    except OSError as error:
        raise ConfigError([Problem("STATE_PATH", f"{path} cannot be written ({error.strerror})")]) from None
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read(20).strip() or "unknown"
            raise AlreadyServing(
                f"another `ct-klaviyo serve` (process {holder}) works on {state_path} and holds {path}: "
                "stop it first, or give this one another STATE_PATH"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
