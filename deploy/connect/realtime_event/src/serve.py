"""Serves the realtime function on Connect, on `PORT` (8080 when it is not set), until SIGTERM or SIGINT."""

from __future__ import annotations

from pathlib import Path

from functions_framework._cli import _cli
from gunicorn.config import ControlSocketDisable  # type: ignore[import-untyped] # gunicorn has no type hints


def main() -> None:
    """Run the framework's own command line, which reads PORT, HOST, WORKERS and THREADS; ends the process."""
    # gunicorn's control socket would be a file beside the home folder, which nobody uses here.
    ControlSocketDisable.default = True
    source = Path(__file__).with_name("main.py")
    _cli(["--target", "realtime_event", "--source", str(source), "--signature-type", "http"], prog_name="functions-framework")


if __name__ == "__main__":
    main()
