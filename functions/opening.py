"""What a function serves, opened once as its process starts, or the end of that process with a line that says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from shared import logs
from shared.errors import ConfigError
from shared.settings import load_logging

_App = TypeVar("_App")

_log = logs.get(__name__)


def opened(open_app: Callable[[], _App]) -> _App:
    """What `open_app` gives, with logging as the environment wants it; ends the process when the settings cannot be used."""
    wanted = load_logging()
    logs.configure(wanted.level, wanted.format)
    try:
        return open_app()
    except ConfigError as error:
        _log.critical("the settings cannot be used", error=error)
        raise SystemExit(2) from None
