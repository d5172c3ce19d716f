"""`python -m deploy.connect`: write the bundle for Connect."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.connect.bundle import ROOT, pinned_python, write
from deploy.source_archive import Unusable


def main(arguments: Sequence[str]) -> int:
    """The program; 0 when the bundle was written, 2 when it was called wrongly, 1 when it could not be."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.connect",
        description="Write the self-contained folder that commercetools Connect deploys: connect.yaml and realtime_event.",
    )
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "connect", metavar="FOLDER", help="default: build/connect")
    parser.add_argument(
        "--python",
        default=pinned_python(),
        metavar="VERSION",
        help=f"the version of CPython whose wheels go in (default: {pinned_python()}); for any other than the default the "
        "bundle names no archive, and its build needs an interpreter in PYTHON_STANDALONE",
    )
    parser.add_argument("--wheels", type=Path, metavar="FOLDER", help="take the wheels from there, not from the package index")
    options = parser.parse_args(arguments)
    if not re.fullmatch(r"3\.\d{2}", options.python):
        parser.error("--python takes a version such as 3.12")
    try:
        written = write(options.out.absolute(), options.python, options.wheels and options.wheels.absolute())
    except (Unusable, OSError) as error:
        sys.stderr.write(f"the bundle could not be written: {error}\n")
        return 1
    sys.stdout.write(
        f"{options.out}: {written.files} files, {written.size_bytes:,} bytes ({written.wheels_bytes:,} of them wheels for "
        f"CPython {options.python}), sha256 {written.digest}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
