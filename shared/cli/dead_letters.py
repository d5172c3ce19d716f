"""`ct-klaviyo dead-letters`: what was set aside, and what a person does about it (decisions.md 15)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from shared.cli.ending import Exit, complain, ending, environ
from shared.dead_letters import MOST
from shared.errors import ConfigError, Problem

if TYPE_CHECKING:
    from shared.cli.letters import Found, FoundLetter, Search, Stores, Wanted
    from shared.realtime.notification import Notification
    from shared.realtime.verdict import Verdict
    from shared.settings import Settings

app = typer.Typer(
    help="List, replay or drop what could not be handled.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

LetterIds = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids, as `list` shows them.", show_default=False)]
All = Annotated[bool, typer.Option("--all", help="All of them, or all with this reason and type.")]
Reason = Annotated[str | None, typer.Option("--reason", metavar="REASON", help="Only letters with this reason.")]
Type = Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Only letters about this type of message or resource.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option("--limit", metavar="NUMBER", min=1, max=MOST, help="How many, newest first.")] = 20,
    reason: Reason = None,
    of_type: Type = None,
    as_json: Json = False,
) -> None:
    """List the dead letters, newest first.

    Those of the state file and of commercetools, and the messages that a queue gave up on: the state file's, and Pub/Sub's
    where it is in use.
    """
    from shared.cli import render_letters as render

    with _stores() as (_, stores):
        search = stores.newest(_wanted(reason, of_type), limit)
        if as_json:
            shown = {
                "deadLetters": [render.as_json(one) for one in search.found],
                "notReadable": [one.name for one in search.not_readable],
                "readInPart": [one.name for one in search.in_part],
            }
            typer.echo(json.dumps(shown))
            return
        typer.echo("\n".join(render.table(search.found)) if search.found else "there are no dead letters")
        _note(search)


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="The letter's id, as `list` shows it.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Show all that is known of one dead letter, and what can be done."""
    from shared.cli import render_letters as render

    with _stores() as (_, stores):
        search = stores.get([letter_id])
        for one in search.found:
            typer.echo(json.dumps(render.as_json(one)) if as_json else "\n".join(render.detail(one)))
        _note(search)
        if not search.found:
            _complain_of_missing([letter_id])
            raise typer.Exit(Exit.FAILED)


@app.command()
def replay(letter_ids: LetterIds = None, every: All = False, reason: Reason = None, of_type: Type = None) -> None:
    """Send what dead letters are about, as it is now.

    Their resources are read again; a letter that is settled by it is dropped. A message that a queue gave up on is put into
    it once more. Needs the settings of `serve`, from the environment or `.env`, and the scopes of realtime.
    """
    from shared.cli import render_letters as render
    from shared.cli.letters import can_be_replayed, replayed

    with _stores() as (settings, stores):
        found, missing = _chosen(stores, letter_ids, every, _wanted(reason, of_type))
        if every:
            able = [one for one in found if can_be_replayed(one)]
            if len(able) < len(found):
                unable = _count(len(found) - len(able))
                complain(f"note: {unable} cannot be replayed, look with: ct-klaviyo dead-letters list")
            found = able
        results = []
        for result in replayed(found, _handler(settings)):
            typer.echo(render.outcome(result))
            results.append(result)
        settled = sum(result.settled for result in results)
        typer.echo(f"{settled} of {_count(len(found))} settled")
        if len(results) < len(found):
            complain(f"{len(found) - len(results)} not tried, because a host refuses the credentials: mend that first")
        if missing or settled < len(found):
            raise typer.Exit(Exit.FAILED)


@app.command()
def drop(
    letter_ids: LetterIds = None,
    every: All = False,
    reason: Reason = None,
    of_type: Type = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove dead letters for good, without sending anything."""
    from shared.cli import letters
    from shared.cli import render_letters as render

    with _stores() as (_, stores):
        found, missing = _chosen(stores, letter_ids, every, _wanted(reason, of_type))
        if found and not (yes or typer.confirm(f"This removes {_count(len(found))} for good. Go on?")):
            typer.echo("nothing was removed")
            return
        dropped = letters.drop(found)
        typer.echo(f"removed {_count(len(dropped))}")
        held = [one for one in found if isinstance(one, letters.FoundMessage) and one not in dropped]
        for one in held:
            complain(render.not_there_now(one))
        if missing or held:
            raise typer.Exit(Exit.FAILED)


@contextmanager
def _stores() -> Iterator[tuple[Settings, Stores]]:
    """The settings and the stores for the length of a command; turns errors into messages and exit codes."""
    from shared.cli.letter_stores import stores_of
    from shared.settings import load

    with ending():
        settings = load(environ())
        with stores_of(settings) as stores:
            yield settings, stores


def _wanted(reason: str | None, of_type: str | None) -> Wanted:
    from shared.cli.letters import Wanted

    return Wanted(reason, of_type)


def _chosen(stores: Stores, letter_ids: list[str] | None, every: bool, wanted: Wanted) -> tuple[list[Found], list[str]]:
    """The letters that a command is about, and the ids that there are none of; says what must not be read and is not there.

    Raises `ConfigError` when it is not clear which are meant.
    """
    if bool(letter_ids) == every:
        raise ConfigError([Problem("ID", "name the ids of dead letters, or --all")])
    if letter_ids and (wanted.reason or wanted.type):
        raise ConfigError([Problem("--reason, --type", "go with --all, not with ids")])
    search = stores.get(letter_ids) if letter_ids else stores.newest(wanted)
    found = {one.letter.letter_id for one in search.found}
    missing = [letter_id for letter_id in letter_ids or [] if letter_id not in found]
    _note(search)
    _complain_of_missing(missing)
    return search.found, missing


def _handler(settings: Settings) -> Callable[[FoundLetter, Notification], Verdict]:
    """The realtime side, which puts a letter that is refused again back where it was; it logs from warnings up."""
    from shared import logs
    from shared.realtime.process import handle_notification
    from shared.realtime.wiring import open_realtime_app

    logs.configure("WARNING", settings.logging.format)
    realtime = open_realtime_app(settings)

    def handle(one: FoundLetter, notification: Notification) -> Verdict:
        return handle_notification(replace(realtime, dead_letters=one.store.letters), notification)

    return handle


def _note(search: Search) -> None:
    from shared.cli.render_letters import in_part, not_shown

    for one in search.not_readable:
        complain(not_shown(one))
    for store in search.in_part:
        complain(in_part(store))


def _complain_of_missing(letter_ids: list[str]) -> None:
    for letter_id in letter_ids:
        complain(f"there is no dead letter {letter_id}")


def _count(letters: int) -> str:
    return f"{letters} dead letter{'' if letters == 1 else 's'}"
