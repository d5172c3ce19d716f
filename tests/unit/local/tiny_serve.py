"""`ct-klaviyo serve` over tiny functions: run with the functions' folder as argument."""

import os
import sys
from pathlib import Path

from shared.local.serve import serve

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    sys.exit(
        serve(
            os.environ,
            out=lambda text: print(text, flush=True),  # noqa: T201 - this is a program
            err=lambda text: print(text, file=sys.stderr, flush=True),  # noqa: T201
            source=lambda function: folder / function / "main.py",
        )
    )
