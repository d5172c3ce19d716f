"""The command line of the deployment scripts: arguments, settings, one line for each subscription, exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from post_deploy.bringing import Report
    from shared.settings import RemovalSettings, Settings

DONE, FAILED, USAGE = 0, 1, 2

_CHECK = "compare only, write nothing; where no destination is set, show the one of each subscription"
_REMOVE = "remove the subscriptions of this CONNECT_ENV; where a destination is set, only those that deliver to it"


def main(arguments: Sequence[str]) -> int:
    """Run it. 0: all as wanted; 1: something failed, or with `--check` differs; 2: wrong usage or settings."""
    options = _parser().parse_args(arguments)
    from shared import logs
    from shared.errors import ConfigError
    from shared.settings import destination_given, environment, load, load_logging, load_removal

    environ = environment(Path(".env"))
    logs.configure("WARNING", load_logging(environ).format)
    try:
        if options.remove:
            return _remove(load_removal(environ))
        needed = not options.check or destination_given(environ)
        return _bring_or_compare(load(environ, destination_needed=needed), check=options.check)
    except ConfigError as error:
        for problem in error.problems:
            _complain(f"{problem.field}: {problem.message}")
        return USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m post_deploy",
        description="Show that dead letters can be written, then make the commercetools subscriptions that the configuration "
        "document needs, one for each type of resource. Settings are read from the environment and .env.",
        epilog="Exit codes: 0 all as wanted; 1 something failed, or --check found a difference; 2 wrong usage or settings.",
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help=_CHECK)
    mode.add_argument("--remove", action="store_true", help=_REMOVE)
    return parser


def _remove(settings: RemovalSettings) -> int:
    """Remove ours. Where no destination is known, all of them, taken over or not.

    Left alone, they would deliver to a topic that is being taken down, for ever; one that another deployment has taken over is
    made again by its next one. Nothing tells here which of the two it is.
    """
    from post_deploy.bringing import Project, removed
    from post_deploy.destinations import destination_of
    from shared.commercetools.client import open_project

    with closing(open_project(settings.commercetools)) as connection:
        project = Project(settings.commercetools.project_id, connection)
        return _told(removed(project, settings.connect_env, destination_of(settings.connect)))


def _bring_or_compare(settings: Settings, *, check: bool) -> int:
    from post_deploy.bringing import Project, brought, compared, untouched
    from post_deploy.destinations import destination_of
    from post_deploy.probe import probed
    from post_deploy.wanted import wanted_subscriptions
    from shared.commercetools.client import open_project

    destination = destination_of(settings.connect)
    wanted = wanted_subscriptions(settings.mapping.document, settings.serve.connect_env, destination)
    with closing(open_project(settings.commercetools)) as connection:
        project = Project(settings.commercetools.project_id, connection)
        if check:
            return _told(compared(project, wanted))
        probe = probed(project)  # before any subscription delivers to somebody who could lose what cannot be processed
        found = brought(project, wanted) if probe.as_wanted else untouched(wanted, "dead letters cannot be written")
        return _told(chain([probe], found))


def _told(reports: Iterable[Report]) -> int:
    """Say how each ended, as soon as it has: what failed, differs or should be looked at on standard error."""
    code = DONE
    for report in reports:
        if report.as_wanted and not report.next_step:
            sys.stdout.write(f"{report}\n")
            sys.stdout.flush()
        else:
            _complain(str(report))
            code = code if report.as_wanted else FAILED
    return code


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")
