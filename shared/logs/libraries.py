"""Libraries log too, and print: their records, warnings and uncaught errors go through our pipeline, without their texts.

A library's message may quote a URL, a header or a body, so all that is kept of it is who wrote it, how severe it is, where in
the code, and the type of the error. The record itself is emptied when it is made: a handler that somebody else installs later
(gunicorn, Flask, functions-framework) has nothing left to leak.
"""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Any, TextIO, TypeAlias

from shared.logs.safety import described_error, place, scrub

Emit: TypeAlias = Callable[[str, str, str, dict[str, Any]], None]
"""Writes one line: method name (`debug` to `critical`), logger's name, event, fields."""

# Where it passes arguments, its texts are constants that say what a worker process does; the arguments may quote a request.
_TEXT_KEPT_OF = ("gunicorn.error",)

# One line per request, at a level that is no use to us, or with the query in it.
_QUIET = {
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "urllib3": logging.WARNING,
    "werkzeug": logging.ERROR,
    "google": logging.WARNING,
    "gunicorn.access": logging.CRITICAL + 1,
    "uvicorn.access": logging.CRITICAL + 1,
}


class LibraryRecord(logging.LogRecord):
    """A record without the library's message, arguments, error and stack; `line` has the event and fields that remain."""

    def __init__(
        self,
        name: str,
        level: int,
        pathname: str,
        lineno: int,
        msg: object,
        args: Any,
        exc_info: Any,
        func: str | None = None,
        *_stack: Any,
        **_more: Any,
    ) -> None:
        fields: dict[str, Any] = {"at": place(pathname, lineno, func or "")}
        error = _error_of(exc_info)
        if error is not None:
            fields["error"] = described_error(error)
        self.line = (_kept_text(name, msg, args), fields)
        text = f"{self.line[0]} at {fields['at']}{f' {type(error).__name__}' if error else ''}"
        super().__init__(name, level, pathname, lineno, text, (), None, func, None)


class LineHandler(logging.Handler):
    """Passes what remains of a record on as a line of ours."""

    def __init__(self, emit_line: Emit) -> None:
        super().__init__()
        self._emit_line = emit_line

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record; one that was made behind the factory's back is reduced here."""
        event, fields = record.line if isinstance(record, LibraryRecord) else (_LIBRARY_LINE, {})
        self._emit_line(_method(record.levelno), record.name, event, fields)


def take_over(emit_line: Emit) -> None:
    """Route the standard library's logging, warnings and uncaught errors to `emit_line`, in this process, from now on."""
    logging.setLogRecordFactory(LibraryRecord)
    logging.raiseExceptions = False  # a failing handler would print the record's arguments
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(LineHandler(emit_line))
    root.setLevel(logging.WARNING)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)
    # Google's client libraries, when they are loaded, cut their loggers off from ours, unless somebody has set a level before.
    logging.getLogger("google").propagate = True

    def show_warning(
        message: Warning | str,  # noqa: ARG001 - the signature is the standard library's; the text is what must not be shown
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,  # noqa: ARG001 - as above
        line: str | None = None,  # noqa: ARG001 - as above
    ) -> None:
        emit_line("warning", "py.warnings", "a library warns", {"at": place(filename, lineno, ""), "category": category.__name__})

    def uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, traceback)
        else:
            emit_line("critical", "python", "uncaught error", {"error": described_error(error)})

    def uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            emit_line("error", "python", "uncaught error in a thread", {"error": described_error(args.exc_value)})

    def unraisable(args: Any) -> None:
        if args.exc_value is not None:
            emit_line("error", "python", "error that could not be raised", {"error": described_error(args.exc_value)})

    warnings.showwarning = show_warning
    sys.excepthook = uncaught
    threading.excepthook = uncaught_in_thread
    sys.unraisablehook = unraisable


_LIBRARY_LINE = "a library wrote a log line"


def _kept_text(name: str, message: object, args: object) -> str:
    if name not in _TEXT_KEPT_OF or not isinstance(message, str) or not isinstance(args, tuple) or not args:
        return _LIBRARY_LINE
    try:
        return scrub(message % tuple(value if isinstance(value, int | float) else "..." for value in args))
    except (TypeError, ValueError):
        return _LIBRARY_LINE


def _error_of(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    if exc_info is True:
        exc_info = sys.exc_info()[1]
    return exc_info if isinstance(exc_info, BaseException) else None


def _method(level: int) -> str:
    for least, method in ((50, "critical"), (40, "error"), (30, "warning"), (20, "info")):
        if level >= least:
            return method
    return "debug"
