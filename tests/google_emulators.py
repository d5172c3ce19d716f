"""Google's emulators for tests: one pair for a test process, a Google Cloud project of its own for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from sandbox.emulators import Emulators, EmulatorsAbsent, emulators

IN_ONE_PROCESS = pytest.mark.xdist_group("emulators")
"""Marks what uses the emulators, so that a suite in several processes starts them once."""

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def google() -> Iterator[Emulators]:
    """Both emulators; where they cannot be had the test is skipped, which fails a suite that requires every tier."""
    try:
        with emulators() as both:
            yield both
    except EmulatorsAbsent as absent:
        pytest.skip(f"Google's emulators: {absent}")


def new_project() -> str:
    """The id of a Google Cloud project that nothing has been done in."""
    return f"demo-sync-{next(_numbers)}"
