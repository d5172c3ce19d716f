"""Tests and what they share are imported by their bare names, so each name may be there once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_every_module_of_the_tests_has_a_name_of_its_own() -> None:
    """Of two with one name the first that is imported stands in for the other. pytest tells conftests apart itself."""
    names = Counter(path.stem for path in TESTS.rglob("*.py") if path.stem != "conftest")
    assert len(names) > 100
    assert [name for name, times in names.items() if times > 1] == []


def test_no_module_of_the_tests_hides_a_package_of_the_project() -> None:
    """Both are found by their names alone."""
    ours = {path.name for path in TESTS.parent.iterdir() if (path / "__init__.py").is_file()}
    assert ours >= {"shared", "sandbox", "functions"}
    assert ours.isdisjoint(path.stem for path in TESTS.rglob("*.py"))
