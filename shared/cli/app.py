"""The commands of `ct-klaviyo`. All but `serve`, `unlock` and `dead-letters` are callers of the import API."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shared.cli import dead_letters
from shared.cli.calling import follow, import_api, show, show_run, show_started
from shared.cli.ending import EXIT_CODES, Exit, complain, ending, environ
from shared.errors import ConfigError, Problem

if TYPE_CHECKING:
    from shared.cli.api_client import ImportApi


class OneKind(StrEnum):
    """The kinds that are imported, in the order of an import of all."""

    CATEGORIES = "categories"
    PRODUCTS = "products"
    CUSTOMERS = "customers"
    ORDERS = "orders"


class ImportKind(StrEnum):
    """What an import can be of: one kind, or all of them, one after the other."""

    CATEGORIES = "categories"
    PRODUCTS = "products"
    CUSTOMERS = "customers"
    ORDERS = "orders"
    ALL = "all"


class DeletedKind(StrEnum):
    """The kinds whose records in Klaviyo can be deleted all at once."""

    CATEGORIES = "categories"
    PRODUCTS = "products"


app = typer.Typer(
    help=f"Bring commercetools data to Klaviyo and keep it true.\n\n{EXIT_CODES}",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(dead_letters.app, name="dead-letters")

_KINDS = ", ".join(OneKind)

Kind = Annotated[ImportKind, typer.Argument(metavar="KIND", help=f"One of {_KINDS}, or all.", show_default=False)]
LockedKind = Annotated[OneKind, typer.Argument(metavar="KIND", help=f"One of {_KINDS}.", show_default=False)]
OptionalKind = Annotated[
    ImportKind | None, typer.Argument(metavar="KIND", help="One kind, or the import of all, in detail; a list if left out.")
]
RunId = Annotated[str, typer.Argument(metavar="RUN_ID", help="The run's id, as `ct-klaviyo runs` lists it.", show_default=False)]
RunOrKind = Annotated[
    str, typer.Argument(metavar="RUN_OR_KIND", help="A run's id, or a kind for its newest run.", show_default=False)
]
Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="Where the import API is.", show_default="http://127.0.0.1:$BULK_IMPORT_PORT"),
]
Json = Annotated[bool, typer.Option("--json", help="Print the import API's own answer, for scripts.")]
Watching = Annotated[bool, typer.Option("--watch", help="Follow the run until it ends; Ctrl-C stops it cleanly.")]


@app.command()
def serve() -> None:
    """Run realtime and imports on this machine, until Ctrl-C.

    Settings come from the environment and from `.env`; APP_TYPE narrows it to one of the two, state is kept in STATE_PATH.
    SIGTERM ends it as Ctrl-C does.
    """
    from shared.local.serve import serve as run

    raise typer.Exit(run(environ(), out=typer.echo, err=complain))


@app.command("import")
def import_(
    kind: Kind,
    watch: Watching = False,
    ids: Annotated[list[str] | None, typer.Option("--id", metavar="ID", help="Only this id; may be given several times.")] = None,
    ids_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Only the ids in this file, one a line.", exists=True, dir_okay=False, readable=True),
    ] = None,
    start_id: Annotated[str | None, typer.Option(metavar="ID", help="From this id on, itself included, in id order.")] = None,
    created_after: Annotated[
        str | None, typer.Option(metavar="TIME", help="ISO 8601 with offset, e.g. 2026-01-31T00:00:00Z.")
    ] = None,
    created_before: Annotated[str | None, typer.Option(metavar="TIME", help="ISO 8601 with offset.")] = None,
    modified_after: Annotated[str | None, typer.Option(metavar="TIME", help="ISO 8601 with offset.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing; count everything, and show some of what would be sent, masked.")
    ] = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Start an import of one kind, or of all, one after the other.

    Without options it covers everything. With `all` only --created-after, --modified-after and --dry-run can be given.
    """
    chosen = {
        "startId": start_id,
        "createdAfter": created_after,
        "createdBefore": created_before,
        "modifiedAfter": modified_after,
        "dryRun": dry_run or None,
    }
    with import_api(url, as_json) as api:
        listed = _listed_ids(ids, ids_file)
        options = {name: value for name, value in {**chosen, "ids": listed}.items() if value is not None}
        show_started(api, api.start(kind.value, options), watch, as_json)


@app.command("delete-all")
def delete_all(
    kind: Annotated[DeletedKind, typer.Argument(metavar="KIND", help="categories or products.", show_default=False)],
    only_own: Annotated[
        bool, typer.Option("--only-own", help="Only what has the id of a commercetools resource; spare what others made.")
    ] = False,
    confirm: Annotated[
        str | None, typer.Option("--confirm", metavar="KIND", help="The kind once more, instead of being asked; for scripts.")
    ] = None,
    watch: Watching = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Delete all of a kind in Klaviyo's catalog, whoever made it.

    Of products the variants go, too. It asks to type the kind before it begins. commercetools is left alone.
    """
    typed = confirm if confirm is not None else _typed_confirmation(kind, only_own=only_own)
    if typed.strip() != kind.value:
        complain(f"that is not {kind.value}: nothing was deleted")
        raise typer.Exit(Exit.USAGE)
    options = {"deleteAll": True, "confirmDeletion": kind.value} | ({"onlyOwn": True} if only_own else {})
    with import_api(url, as_json) as api:
        show_started(api, api.start(kind.value, options), watch, as_json)


@app.command()
def status(kind: OptionalKind = None, url: Url = None, as_json: Json = False) -> None:
    """Show where the newest import of each kind stands."""
    with import_api(url, as_json) as api:
        if kind:
            show_run(api.status(kind.value), as_json)
            return
        answer = api.statuses()
        newest = [run for run in answer["kinds"].values() if run]
        show(answer, as_json, lambda render: render.table(newest) if newest else ["nothing was imported yet"])


@app.command()
def runs(
    kind: Annotated[ImportKind | None, typer.Option("--kind", metavar="KIND", help="Only runs of this kind.")] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="NUMBER", min=1, max=100, help="How many, newest first.")] = 20,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List the imports, newest first."""
    with import_api(url, as_json) as api:
        answer = api.runs(kind.value if kind else None, limit)
        show(answer, as_json, lambda render: render.table(answer["runs"]) if answer["runs"] else ["there are no runs"])


@app.command()
def run(run_id: RunId, url: Url = None, as_json: Json = False) -> None:
    """Show one import in detail, with reasons and first problems."""
    with import_api(url, as_json) as api:
        show_run(api.run(run_id), as_json)


@app.command()
def stop(kind: Kind, url: Url = None, as_json: Json = False) -> None:
    """Stop the running import of a kind, or of all.

    It can be resumed. An import of all stops with each of its kinds.
    """
    with import_api(url, as_json) as api:
        answer = api.stop(kind.value)
        show(answer, as_json, lambda _: [f"stopping {answer['runId']}; go on later with: ct-klaviyo resume {answer['runId']}"])


@app.command()
def resume(run_or_kind: RunOrKind, watch: Watching = False, url: Url = None, as_json: Json = False) -> None:
    """Continue an import that was stopped, halted or interrupted.

    It goes on where it was. Where it is part of an import of all, that goes on with it.
    """
    with import_api(url, as_json) as api:
        run_id = _run_id(api, run_or_kind)
        answer = api.resume(run_id)
        show_started(api, {"runId": run_id, **answer}, watch, as_json)


@app.command()
def retry(run_id: RunId, watch: Watching = False, url: Url = None, as_json: Json = False) -> None:
    """Import only the items that failed in an ended import.

    It is a new import, of one kind. An import of all is not retried as a whole, but by the run of each kind: `ct-klaviyo run`
    with its id names those in which something failed.
    """
    with import_api(url, as_json) as api:
        show_started(api, api.retry(run_id), watch, as_json)


@app.command()
def watch(run_or_kind: RunOrKind, url: Url = None, as_json: Json = False) -> None:
    """Follow an import until it ends; Ctrl-C stops it cleanly."""
    with import_api(url, as_json) as api:
        follow(api, _run_id(api, run_or_kind), as_json)


@app.command()
def unlock(
    kind: LockedKind,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Even while a run of ours is alive.")] = False,
) -> None:
    """Remove a kind's import lock from commercetools.

    For when what took it runs no more. Needs the settings of `serve`, from the environment or `.env`.
    """
    from shared.budget import budget_of
    from shared.cli import unlock as unlocking
    from shared.settings import load

    def confirm(sentence: str) -> bool:
        return yes or typer.confirm(f"{sentence} Go on?")

    with ending():
        lock = unlocking.import_lock(load(environ()))
        typer.echo(unlocking.unlock(lock, kind.value, confirm, budget_of(unlocking.BUDGET_S), force=force))


def _listed_ids(ids: list[str] | None, ids_file: Path | None) -> list[str] | None:
    """The ids of `--id` and `--ids-file`; None when neither was given, never an empty list: that would not be what was meant."""
    listed = list(ids or [])
    if ids_file is not None:
        written = [line.strip() for line in ids_file.read_text(encoding="utf-8-sig").splitlines()]
        found = [line for line in written if line and not line.startswith("#")]
        if not found:
            raise ConfigError([Problem("--ids-file", "names no id; leave the option out to import everything")])
        listed += found
    return listed or None


def _typed_confirmation(kind: DeletedKind, *, only_own: bool) -> str:
    """What a person types who was told what is about to go."""
    with_them = ", with their variants," if kind is DeletedKind.PRODUCTS else ""
    if only_own:
        complain(f"This deletes the {kind.value}{with_them} that have a commercetools id in Klaviyo's catalog.")
    else:
        complain(f"This deletes every one of the {kind.value}{with_them} in Klaviyo's catalog, whoever made them.")
    return str(typer.prompt(f"It cannot be undone. Type {kind.value} to go on", default="", show_default=False, err=True))


def _run_id(api: ImportApi, run_or_kind: str) -> str:
    """The run itself, or the newest one of the kind."""
    if run_or_kind in tuple(ImportKind):
        return str(api.status(run_or_kind)["runId"])
    return run_or_kind
