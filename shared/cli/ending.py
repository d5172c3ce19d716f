"""How a command begins and ends: its environment, its exit code, and errors as messages for a person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path

import typer

from shared.errors import ConfigError, SyncError

EXIT_CODES = (
    "Exit codes: 0 done, or the run completed; 1 it completed with errors, or the request failed; "
    "2 wrong usage or settings; 3 the run was stopped, halted or interrupted."
)


class Exit(IntEnum):
    """The exit codes, as `--help` documents them."""

    OK = 0
    FAILED = 1
    USAGE = 2
    STOPPED = 3


def environ() -> dict[str, str]:
    """This process's environment, over what a file `.env` in the current directory gives."""
    from shared.settings import environment

    return environment(Path(".env"))


@contextmanager
def ending() -> Iterator[None]:
    """Turns the errors of a command into messages and exit codes."""
    try:
        yield
    except ConfigError as error:
        complain_of(error)
        raise typer.Exit(Exit.USAGE) from None
    except SyncError as error:
        complain(str(error))
        raise typer.Exit(Exit.FAILED) from None


def complain(text: str) -> None:
    """Say it on standard error."""
    typer.echo(text, err=True)


def complain_of(error: ConfigError) -> None:
    """Every problem on a line."""
    complain("\n".join(f"{problem.field}: {problem.message}" for problem in error.problems))
