"""A storm by hand: `python -m sandbox.storm --commercetools URL --function URL --messages 1000`.

The project should be empty, so that everything in it has been told of. What the storm does is chosen by its seed alone; what
meets what depends on how fast the function is.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from random import Random

from sandbox.notifications.project import ProjectControl
from sandbox.notifications.shop import Shop
from sandbox.storm.delivery import break_loose
from sandbox.storm.state import Storm


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when every message was acknowledged."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.storm", description=__doc__)
    parser.add_argument("--commercetools", required=True, metavar="URL", help="the simulated project")
    parser.add_argument("--function", required=True, nargs="+", metavar="URL", help="the realtime function, or its instances")
    parser.add_argument("--messages", type=int, default=1_000)
    parser.add_argument("--workers", type=int, default=8, help="deliveries at once")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    random = Random(options.seed)
    with closing(ProjectControl(options.commercetools)) as project:
        storm = Storm(Shop(project, Random(options.seed)), random)
        report = break_loose(storm, options.function, options.messages, random, workers=options.workers)
    sys.stdout.write(f"{report}\n")
    return 1 if report.lost else 0


if __name__ == "__main__":
    sys.exit(main())
