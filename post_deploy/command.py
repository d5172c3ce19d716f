"""The command line of the deployment scripts: arguments, settings, one line for each subscription, exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from post_deploy.bringing import Report
    from shared.settings import Settings

DONE, FAILED, USAGE = 0, 1, 2


def main(arguments: Sequence[str]) -> int:
    """Run it. 0: all as wanted; 1: something failed, or with `--check` differs; 2: wrong usage or settings."""
    options = _parser().parse_args(arguments)
    from shared.errors import ConfigError
    from shared.settings import environment, load

    try:
        settings = load(environment(Path(".env")), destination_needed=not options.remove)
    except ConfigError as error:
        for problem in error.problems:
            _complain(f"{problem.field}: {problem.message}")
        return USAGE
    return _run(settings, check=options.check, remove=options.remove)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m post_deploy",
        description="Make the commercetools subscriptions that the configuration document needs, one for each type of "
        "resource, and show that dead letters can be written. Settings are read from the environment and .env.",
        epilog="Exit codes: 0 all as wanted; 1 something failed, or --check found a difference; 2 wrong usage or settings.",
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="compare only, write nothing")
    mode.add_argument("--remove", action="store_true", help="remove the subscriptions of this CONNECT_ENV")
    return parser


def _run(settings: Settings, *, check: bool, remove: bool) -> int:
    from post_deploy.bringing import Project, brought, compared
    from post_deploy.destinations import destination_of
    from post_deploy.probe import probed
    from post_deploy.wanted import nothing_wanted, wanted_subscriptions
    from shared import logs
    from shared.commercetools.client import open_project

    logs.configure("WARNING", settings.logging.format)
    connect_env = settings.serve.connect_env
    with closing(open_project(settings.commercetools)) as connection:
        project = Project(settings.commercetools.project_id, connection)
        if remove:
            return _told(brought(project, nothing_wanted(connect_env)))
        wanted = wanted_subscriptions(settings.mapping.document, connect_env, destination_of(settings.connect))
        if check:
            return _told(compared(project, wanted))
        return max(_told(brought(project, wanted)), _told([probed(project)]))


def _told(reports: Iterable[Report]) -> int:
    """Say how each ended, as soon as it has: what failed or differs on standard error."""
    code = DONE
    for report in reports:
        if report.as_wanted:
            sys.stdout.write(f"{report}\n")
            sys.stdout.flush()
        else:
            _complain(str(report))
            code = FAILED
    return code


def _complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")
