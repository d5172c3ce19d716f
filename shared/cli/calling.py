"""How a command calls the import API: the connection and what becomes of refusals, answers as text or JSON, following a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from shared.cli.ending import Exit, complain, complain_of, environ
from shared.errors import ConfigError

if TYPE_CHECKING:
    from httpx import Auth

    from shared.cli.api_client import Answer, ImportApi


@contextmanager
def import_api(url: str | None, as_json: bool) -> Iterator[ImportApi]:
    """The import API for the length of a command; turns its errors into messages and exit codes."""
    from shared.cli import render
    from shared.cli.address import api_address
    from shared.cli.api_client import CallFailed, Refused, connect

    try:
        address = api_address(environ(), url)
        api = connect(address.url, address.key, _auth(address.audience))
        with api.client:
            yield api
    except ConfigError as error:
        complain_of(error)
        raise typer.Exit(Exit.USAGE) from None
    except CallFailed as error:
        _fail(as_json, {"error": error.code, "message": str(error)}, [str(error), *(f"  {line}" for line in error.advice)])
    except Refused as refused:
        _fail(as_json, refused.body, render.refusal(refused.status, refused.body))


def show(answer: Answer, as_json: bool, lines: Callable[[Any], list[str]]) -> None:
    """Print an answer: as it is, or as the lines that `lines` makes of it with the module `render`, which it is given."""
    from shared.cli import render

    typer.echo(json.dumps(answer) if as_json else "\n".join(lines(render)))


def show_run(status: Answer, as_json: bool) -> None:
    """Print the status of one run, in detail."""
    show(status, as_json, lambda render: render.summary(status))


def show_started(api: ImportApi, answer: Answer, watch: bool, as_json: bool) -> None:
    """Say what was started and how to watch it; with `watch` follow it instead."""
    run_id = str(answer["runId"])
    if watch:
        follow(api, run_id, as_json)
    show(answer, as_json, lambda _: [f"started {run_id}", f"watch it with: ct-klaviyo watch {run_id}"])


def follow(api: ImportApi, run_id: str, as_json: bool) -> None:
    """Follow the run to its end and leave with the exit code of its state."""
    from rich.console import Console

    from shared.cli.progress import LeftEarly, Watch

    resume_with = f"resume with: ct-klaviyo resume {run_id}"
    try:
        last = Watch(api, Console(stderr=as_json)).until_ended(run_id)
    except LeftEarly:
        complain(f"left before the run has stopped; {resume_with}")
        raise typer.Exit(Exit.STOPPED) from None
    show_run(last, as_json)
    raise typer.Exit(_exit_code(str(last.get("status"))))


def _auth(audience: str | None) -> Auth | None:
    """What signs the calls of an import API that Google keeps private. Who is nobody to Google learns it at once."""
    if audience is None:
        return None
    from shared.cli.google_identity import GoogleAuth, google_identity
    from shared.settings import environment

    identity = google_identity(audience, environment())
    identity.token()
    return GoogleAuth(identity)


def _fail(as_json: bool, body: Answer, lines: list[str]) -> None:
    if as_json:
        typer.echo(json.dumps(body))
    else:
        complain("\n".join(lines))
    raise typer.Exit(Exit.FAILED)


def _exit_code(status: str) -> Exit:
    """The exit code that stands for a run's final state."""
    return {"completed": Exit.OK, "completed_with_errors": Exit.FAILED}.get(status, Exit.STOPPED)
