"""What runs inside each child of `ct-klaviyo serve`: functions-framework's own command line, tied to its parent's life.

The parent holds the writing end of this process' standard input and never writes. When that end closes, however the parent
died, the whole process group (gunicorn's master and its worker) ends. Run as `python -m shared.local.child --target ...`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading


def _end_with_parent(fd: int) -> None:
    while os.read(fd, 4096):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


def main() -> None:
    """Watch standard input and serve the function that the arguments name, until a signal."""
    if os.getpgrp() != os.getpid():
        sys.exit("shared.local.child ends its whole process group with its parent: start it as the leader of one")
    threading.Thread(target=_end_with_parent, args=(sys.stdin.fileno(),), daemon=True).start()

    from functions_framework._cli import _cli
    from gunicorn.config import ControlSocketDisable  # type: ignore[import-untyped] # gunicorn has no type hints

    # gunicorn's control socket has one path per user, which all children would fight for; nothing here uses it.
    ControlSocketDisable.default = True
    _cli(prog_name="functions-framework")


if __name__ == "__main__":
    main()
