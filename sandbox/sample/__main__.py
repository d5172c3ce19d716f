"""Write sample resources as JSON lines: `python -m sandbox.sample orders --count 500 --seed 7`."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO

import msgspec

from sandbox.sample.customers import default_malformed_emails
from sandbox.sample.kinds import rows, sample_kinds
from sandbox.sample.products import projection
from sandbox.sample.scale import DEMO, Scale

PROJECTIONS = "product-projections"
_SIZED = ("customers", "categories", "products", "orders")


def main(arguments: Sequence[str] | None = None, out: BinaryIO | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.sample", description=__doc__)
    parser.add_argument("kind", choices=sorted([*sample_kinds(), PROJECTIONS]))
    parser.add_argument("--count", type=int, help="rows; those of most kinds are fixed or follow from products or orders")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--malformed-emails", type=int, help="customers whose e-mail Klaviyo refuses (300 rows: 1)")
    for name in _SIZED:
        parser.add_argument(f"--{name}", type=int, default=getattr(DEMO, name), help=f"how many {name} the sample has")
    parser.add_argument("--variants", type=int, help="of every product; they vary when none is given")
    parser.add_argument("--lines", type=int, help="line items of every order; they vary when none is given")
    options = parser.parse_args(arguments)
    try:
        scale = _scale(options)
    except ValueError as error:
        parser.error(str(error))
    source = "products" if options.kind == PROJECTIONS else options.kind
    kind = sample_kinds(scale=scale)[source]
    if kind.fixed_size and options.count not in (None, kind.default_size):
        parser.error(f"there are {kind.default_size} {options.kind} in a sample of this size")
    stream = sys.stdout.buffer if out is None else out
    encoder = msgspec.json.Encoder()
    for row in rows(kind, options.seed, kind.default_size):
        if options.kind != PROJECTIONS:
            stream.write(encoder.encode(row) + b"\n")
        elif row["masterData"]["published"]:
            stream.write(encoder.encode(projection(row, staged=False)) + b"\n")
    stream.flush()
    return 0


def _scale(options: argparse.Namespace) -> Scale:
    """The scale that the options name. Raises ValueError."""
    sizes = {name: getattr(options, name) for name in _SIZED}
    name = "products" if options.kind == PROJECTIONS else options.kind
    if options.count is not None and name in sizes:
        sizes[name] = options.count
    malformed, customers = options.malformed_emails, sizes["customers"]
    if malformed is None:
        malformed = default_malformed_emails(customers)
    return replace(DEMO, **sizes, variants=options.variants, lines=options.lines, malformed_emails=malformed)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        sys.stderr.close()  # the reader has seen enough; say nothing about it
        sys.exit(0)
