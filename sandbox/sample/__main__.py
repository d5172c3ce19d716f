"""Write sample resources as JSON lines: `python -m sandbox.sample customers --count 300 --seed 7`."""

import argparse
import sys
from collections.abc import Sequence
from typing import BinaryIO

import msgspec

from sandbox.sample.customers import default_malformed_emails
from sandbox.sample.kinds import rows, sample_kinds


def main(arguments: Sequence[str] | None = None, out: BinaryIO | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.sample", description=__doc__)
    parser.add_argument("kind", choices=sorted(sample_kinds()))
    parser.add_argument("--count", type=int, help="rows; groups, stores and channels have a fixed number")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--malformed-emails", type=int, help="customers whose e-mail Klaviyo refuses (300 rows: 1)")
    options = parser.parse_args(arguments)
    kind = sample_kinds()[options.kind]
    if kind.fixed_size and options.count not in (None, kind.default_size):
        parser.error(f"there are always {kind.default_size} {options.kind}")
    count = kind.default_size if options.count is None else options.count
    if count < 0:
        parser.error("--count must not be negative")
    malformed = default_malformed_emails(count) if options.malformed_emails is None else options.malformed_emails
    if not 0 <= malformed <= count:
        parser.error("--malformed-emails must be between 0 and --count")
    stream = sys.stdout.buffer if out is None else out
    encoder = msgspec.json.Encoder()
    for row in rows(sample_kinds(malformed)[options.kind], options.seed, count):
        stream.write(encoder.encode(row) + b"\n")
    stream.flush()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        sys.stderr.close()  # the reader has seen enough; say nothing about it
        sys.exit(0)
