"""docs/acceptance-cases.md says what the numbers mean that tests cite as "Case 28", and which tests do."""

from __future__ import annotations

import pytest
from acceptance_cases import cited_by_modules, cited_by_tests, named, rows, shown_by
from docs_pages import ROOT

OF_DEPLOYMENT = range(98, 104)
"""The cases that no end-to-end test shows: what they are about runs on commercetools Connect, or before anything runs."""


def test_the_cases_are_numbered_through() -> None:
    """Each number once, in their order, none left out."""
    numbers = [number for number, _, _ in rows()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= OF_DEPLOYMENT.stop - 1


def test_every_case_is_shown_by_a_test() -> None:
    """By one whose own docstring cites it; what realtime and imports do, end to end."""
    cited = cited_by_tests()
    numbers = {number for number, _, _ in rows()}
    assert numbers - cited.keys() == set()
    end_to_end = {number for number, paths in cited.items() if any(path.parent == ROOT / "tests" / "e2e" for path in paths)}
    assert numbers - end_to_end - {*OF_DEPLOYMENT} == set()


def test_no_test_cites_a_case_that_is_not_there() -> None:
    """A reader of the test finds what its number means."""
    assert cited_by_modules().keys() - {number for number, _, _ in rows()} == set()


def test_the_modules_of_a_case_are_those_that_cite_it() -> None:
    """`python tests/unit/docs/acceptance_cases.py` brings them up to date."""
    modules = cited_by_modules()
    assert {number: shown for number, _, shown in rows()} == {number: shown_by(modules[number]) for number, _, _ in rows()}


@pytest.mark.parametrize(
    ("docstring", "cases"),
    [
        ("Case 7: it is raised afterwards.", {7}),
        ("Case 19: the one. Case 20: else the other.", {19, 20}),
        ("Orders (cases 36 to 38, 57,\n    58): what they become.", {36, 37, 38, 57, 58}),
        ("Categories (cases 42, 59 and 66).", {42, 59, 66}),
        ("Of 50 cases none.", set()),
    ],
)
def test_every_way_of_citing_is_understood(docstring: str, cases: set[int]) -> None:
    """One number, several, a list, a range, across the end of a line."""
    assert named(docstring) == cases
