"""How the tests of the command line call it."""

from __future__ import annotations

from collections.abc import Callable

from typer.testing import Result

Run = Callable[..., Result]
"""Takes the command's words, what a person types (`typed`), and the environment as keywords."""
