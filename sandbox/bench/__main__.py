"""`make bench`: measures one part of the product from outside and prints the figures and how they were taken.

Ends with 1 when they are not good enough.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox.bench import beside, customers, imports, realtime
from shared.local.serve import REALTIME_THREADS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark; 0 when its figures are good enough."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.kind == "realtime":
        if options.seconds < 2 or options.threads < 1:
            parser.error("at least 2 seconds and 1 thread")
        if options.with_import:
            figures, text, found = beside.run(options.with_import, options.seconds)
        else:
            figures, text, found = realtime.run(options.seconds, options.threads)
    elif options.kind == "customers" and options.count:
        figures, text, found = customers.run(options.count, options.workers, options.instant)
    else:
        figures, text, found = imports.run(options.kind, options.size, options.workers, options.instant)
    sys.stdout.write(text + "\n")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    sys.stdout.writelines(f"NOT GOOD ENOUGH: {problem}\n" for problem in found)
    return 1 if found else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox.bench", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    sizes = sorted(imports.SIZES)
    commands = [kinds.add_parser(kind, help=imports.__doc__) for kind in (*imports.ORDER, "all")]
    for command in commands:
        command.add_argument("--size", choices=sizes, default="S")
        command.add_argument("--workers", type=int, default=4)
        command.add_argument(
            "--instant",
            action="append",
            choices=["commercetools", "klaviyo"],
            default=[],
            help="answers without latency, Klaviyo's jobs within 0 s: shows which side is the bound (repeatable)",
        )
    kinds.choices["customers"].add_argument("--count", type=int, default=0, help="so many customers and nothing else")
    told = kinds.add_parser("realtime", help=realtime.__doc__)
    told.add_argument("--seconds", type=float, default=60.0, help="how long each rate is held; the search takes a quarter of it")
    told.add_argument("--threads", type=int, default=REALTIME_THREADS, help="threads of the function's process")
    told.add_argument("--with-import", choices=sizes, help=beside.__doc__)
    for command in (*commands, told):
        command.add_argument("--json", type=Path, help="write the figures to this file, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
