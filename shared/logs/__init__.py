"""Structured logs without personal data and without secrets (decisions.md 17).

`get(__name__).info("batch sent", run_id=..., rows=...)`: the event is a constant text, everything else goes into fields, and
only known fields (`safety.FIELDS`) with harmless values are written. JSON is in the form that Google Cloud Logging reads.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from shared.logs import libraries
from shared.logs.safety import safe_fields, scrub

__all__ = ["Log", "configure", "get"]


class Log(structlog.BoundLoggerBase):
    """A logger that takes an event and fields; there is no formatting of arguments into the event."""

    def debug(self, event: str, **fields: object) -> None:
        """For whoever develops the product."""
        self._write("debug", event, fields)

    def info(self, event: str, **fields: object) -> None:
        """What an operator follows."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Went on, but somebody may want to know."""
        self._write("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Something is not done; `error=` takes the exception."""
        self._write("error", event, fields)

    def critical(self, event: str, **fields: object) -> None:
        """A person must act."""
        self._write("critical", event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """`error` with the exception that is being handled."""
        self._write("error", event, {"error": sys.exc_info()[1], **fields})

    def _write(self, method: str, event: str, fields: dict[str, object]) -> None:
        # A line that cannot be written (a closed pipe) must not end the work it tells about.
        with suppress(structlog.DropEvent, OSError, ValueError):
            args, kwargs = self._process_event(method, event, dict(fields))
            getattr(self._logger, method)(*args, **kwargs)


def get(name: str) -> Log:
    """The logger of a module; works before `configure`, then as text to standard error from `INFO` up."""
    return cast(Log, structlog.get_logger(logger_name=name))


def configure(level: str = "INFO", log_format: str = "text", stream: TextIO | None = None) -> None:
    """Write `level` and above as `json` or `text` to `stream` (standard error), and take over the libraries' logging.

    Once per process, before anything else is imported that may log. Raises ValueError for an unknown level or format.
    """
    _configure_pipeline(level, log_format, stream)
    libraries.take_over(_emit)


def _configure_pipeline(level: str, log_format: str, stream: TextIO | None) -> None:
    threshold = logging.getLevelNamesMapping().get(level)
    if threshold is None or log_format not in ("json", "text"):
        raise ValueError("the level is a level of Python's logging, the format json or text")
    rendering = _google_json() if log_format == "json" else _text(stream or sys.stderr)
    structlog.configure(
        processors=[
            _from_level(threshold),
            _only_safe,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            *rendering,
        ],
        wrapper_class=Log,
        context_class=dict,
        logger_factory=lambda *_args: structlog.WriteLogger(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )


def _emit(method: str, name: str, event: str, fields: dict[str, Any]) -> None:
    getattr(get(name), method)(event, **fields)


def _from_level(threshold: int) -> Processor:
    numbers = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}

    def drop_below(_logger: WrappedLogger, method: str, event_dict: EventDict) -> EventDict:
        if numbers[method] < threshold:
            raise structlog.DropEvent
        return event_dict

    return drop_below


def _only_safe(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    event, name = event_dict.pop("event", ""), event_dict.pop("logger_name", "")
    return {"event": scrub(event) if isinstance(event, str) else "", "logger": name, **safe_fields(event_dict)}


def _google_json() -> list[Processor]:
    def name_for_google(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
        severity, message, time = event_dict.pop("level").upper(), event_dict.pop("event"), event_dict.pop("time")
        return {"severity": severity, "message": message, "time": time, **event_dict}

    return [name_for_google, structlog.processors.JSONRenderer()]


def _text(stream: TextIO) -> list[Processor]:
    def stack_last(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
        if stack := event_dict.pop("stack_trace", None):
            event_dict["exception"] = stack
        return event_dict

    renderer = structlog.dev.ConsoleRenderer(
        colors=stream.isatty(),
        pad_event_to=0,
        timestamp_key="time",
        exception_formatter=structlog.dev.plain_traceback,
    )
    return [stack_last, renderer]


_configure_pipeline("INFO", "text", None)
