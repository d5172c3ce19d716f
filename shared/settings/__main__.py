"""`python -m shared.settings [variables|document|env-example]`: prints the reference of the settings."""

from __future__ import annotations

import sys

from shared.settings.reference import document_table, env_example, variables_table

_PAGES = {"variables": variables_table, "document": document_table, "env-example": env_example}


def main(arguments: list[str]) -> int:
    """Print the page asked for (none: the variables); returns the exit code."""
    page = arguments[0] if arguments else "variables"
    if len(arguments) > 1 or page not in _PAGES:
        sys.stderr.write(f"usage: python -m shared.settings [{'|'.join(_PAGES)}]\n")
        return 2
    sys.stdout.write(_PAGES[page]())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
