"""`ct-klaviyo`, the command line of the product."""

from __future__ import annotations


def main() -> None:
    """Run the command that the process' arguments name; ends the process with its exit code."""
    from shared.cli.app import app

    app(prog_name="ct-klaviyo")
